"""Subjects of mail: reply and forward prefixes in many languages, list tags, the bare subject.

The idea is RFC 5256 section 2.1; the prefixes are those that mail programs write in their many
language versions.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

_LONGEST = 500  # characters read of a subject: more than any program shows

_REPLY = (
    "re ré aw antw antwort antwoord sv vs vá odp odpověď rif r res resp ynt atb ats bls отв ответ "
    "відп απ απάντηση σχετ השב תגובה رد پاسخ ตอบ ตอบกลับ 回复 回覆 答复 答覆 返信 답장 회신"
).split()
_FORWARD = (
    "fw fwd wg fs tr rv enc i doorst vl vb pd pš tov ilt yml trs пересл πρθ προώθηση הועבר ส่งต่อ "
    "转发 轉寄 轉發 転送 전달"
).split()


def _pattern(words: list[str]) -> re.Pattern[str]:
    known = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    count = r"(?:\s?[\[(^]\s?[0-9]{1,3}\s?[\])]?)?"  # Re[2]: Re(3): Re^2:
    return re.compile(rf"(?:{known})\.?{count}\s?[:：]\s?", re.IGNORECASE)


_PREFIXES = {
    "reply": _pattern([*_REPLY, "trả lời"]),
    "forward": _pattern([*_FORWARD, "chuyển tiếp", "إعادة توجيه"]),
    # A tag with a digit in it is kept: [Ticket 12] and [PATCH 1/2] tell conversations apart.
    "tag": re.compile(r"\[[^\[\]0-9]{1,40}\]\s?(?=\S)"),
}
_FORWARDED_TAIL = re.compile(r"(?:\s\(fwd\))+$", re.IGNORECASE)


def base_subject(subject: str) -> str:
    """Return the subject without prefixes and list tags, case and white space folded."""
    return bare_subject(subject).casefold()


def bare_subject(subject: str) -> str:
    """Return the subject without prefixes and list tags, on one line."""
    bare = _FORWARDED_TAIL.sub("", _read(subject[:_LONGEST])[1])
    if bare.lower().startswith("[fwd:") and bare.endswith("]"):
        return _peel(bare[5:-1].strip())[1]
    return bare


def is_reply_subject(subject: str) -> bool:
    """Say whether the subject begins as a reply does; list tags before the prefix are passed over.

    A forwarded reply ("Fwd: Re: ...") begins something new and is none.
    """
    kinds = (kind for kind, _ in _read(subject[:_LONGEST])[0] if kind != "tag")
    return next(kinds, "") == "reply"


def is_stacked(subject: str) -> bool:
    """Say whether the same reply prefix stands twice in a row ("Re: Re: ...")."""
    words = [
        text.casefold().strip() for kind, text in _read(subject[:_LONGEST])[0] if kind != "tag"
    ]
    return any(first == second for first, second in pairwise(words))


def reply_subject(subject: str) -> str:
    """Return the subject of an answer: one "Re: ", whatever the mail answered looked like.

    Never raises: line ends, control characters and lone surrogates of a hostile subject become
    spaces.
    """
    peeled, bare = _read(subject[:_LONGEST])
    kept = "".join(text for kind, text in peeled if kind != "reply")
    return f"Re: {kept}{bare}".rstrip()


@lru_cache(maxsize=512)  # a message's subject is asked for again and again while it is placed
def _read(subject: str) -> tuple[tuple[tuple[str, str], ...], str]:
    peeled, bare = _peel(_clean(subject))
    return tuple(peeled), bare


def _peel(text: str) -> tuple[list[tuple[str, str]], str]:
    """Take the prefixes and tags off the front; return them in order, and the rest."""
    peeled: list[tuple[str, str]] = []
    position = 0
    while True:
        for kind, pattern in _PREFIXES.items():
            if match := pattern.match(text, position):
                peeled.append((kind, match[0]))
                position = match.end()
                break
        else:
            return peeled, text[position:]


def _clean(subject: str) -> str:
    """Fold white space; drop what cannot be seen (format characters, controls, surrogates)."""
    if subject.isascii() and subject.isprintable():
        return " ".join(subject.split())
    shown = (_visible(char) for char in unicodedata.normalize("NFC", subject))
    return " ".join("".join(shown).split())


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf" and char != "\u200d":  # the joiner makes emoji
        return ""
    return " " if category in {"Cc", "Cs", "Zl", "Zp"} else char
