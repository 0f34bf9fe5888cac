"""Cuts what others wrote from a text: lines that begin with ">" and forwarded or quoted mails.

Only for finding codes and links, where a false cut costs little; ``reply`` does it with care.
"""

from __future__ import annotations

import re

from .attributions import field_role, weight

_QUOTED = re.compile(  # but for what is drawn, as in ">>> 482 913 <<<"
    r"\n[ \t]{0,3}>(?!>{0,9}[^<>\n]{1,40}<{1,10}[ \t]{0,9}(?:\n|$))[^\n]*"
)
_INTRO = re.compile(r"[:：][ \t*_]{0,4}\n")
_FIELD = re.compile(r"\n([^\n:：]{1,48}[:：][^\n]{0,300})")
_ANSWER = re.compile(
    r"\s*(?:re|aw|sv|vs|antw|odp|ynt|回复|回覆|fwd?|wg|tr|rv|enc|i|vb|ilt|转发|轉寄)\s*[:：]",
    re.IGNORECASE,
)
_HEAD_LINES = 6  # from the From field of a quoted head to its Subject field
_SUBJECT_FIRST = 4
_HEAD_LENGTH = 1_500
_BOUNDS = frozenset({"from", "subject"})
_INTROS = 200  # lines looked at, so that a text of nothing but them costs little


def is_answer(subject: str) -> bool:
    """Tell whether a subject begins like that of an answer or of a forwarded mail."""
    return _ANSWER.match(subject) is not None


def without_quoted_lines(text: str) -> str:
    """Return the text without the lines that begin with ">", every line ended by a line feed."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if ">" not in text:
        return text
    return _QUOTED.sub("\n", f"\n{text}")[1:]


def without_forwarded(text: str) -> str:
    """Return the text up to where a mail of someone else begins: its head, or "Ann wrote:"."""
    padded = f"\n{text}\n"
    end = min(_head(padded), _attribution(padded))
    return text if end >= len(padded) else text[: max(0, end - 1)]


def _head(text: str) -> int:
    """Return where a block of From and Subject fields begins, or the end of the text.

    Thunderbird writes Subject first; there, the lines must follow each other.
    """
    places: dict[str, int] = {}
    for match in _FIELD.finditer(text):
        role = field_role(match.group(1))
        if role not in _BOUNDS:
            continue
        other = places.get("from" if role == "subject" else "subject", -1)
        places[role] = match.start()
        if 0 <= other and match.start() - other <= _HEAD_LENGTH:
            between = text[other : match.start() + 1]
            most = _HEAD_LINES if role == "subject" else _SUBJECT_FIRST
            if between.count("\n") <= most and (role == "subject" or "\n\n" not in between):
                return other
    return len(text)


def _attribution(text: str) -> int:
    """Return where a line such as "On Monday Ann wrote:" begins, or the end of the text."""
    for count, match in enumerate(_INTRO.finditer(text)):
        start = text.rfind("\n", max(0, match.start() - 300), match.start()) + 1
        line = text[start : match.start() + 1]
        if count > _INTROS:
            break
        if start and len(line) > 8 and weight(line, quoted=False) >= 2:
            return start
    return len(text)
