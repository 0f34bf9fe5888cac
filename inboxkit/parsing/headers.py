"""Header text: unfolding, raw 8-bit bytes and encoded words (RFC 5322, RFC 2047), leniently.

Values come as the standard parser leaves them: ASCII with other bytes as surrogate escapes.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from typing import NamedTuple

from . import charsets, transfer

_ENCODED_START = re.compile(r"=\?([^?\s]{1,100})\?([bBqQ])\?")
# A single encoded word and nothing that could be part of another: nearly all that there are.
_ONLY_WORD = re.compile(r"([^=?]*)=\?([^?\s*]{1,100})\?([bBqQ])\?([^?]*)\?=((?: [^=?]*)?)\Z")
_CONTROLS = dict.fromkeys((*range(32), 127, 133, 8232, 8233), " ")
_PHRASE_SPECIALS = frozenset('()<>[]:;@\\,."')
ADDRESS_FIELDS = frozenset(
    "from to cc bcc sender reply-to return-path delivered-to x-original-to mail-followup-to "
    "mail-reply-to errors-to disposition-notification-to return-receipt-to x-forwarded-to "
    "resent-from resent-to resent-cc resent-bcc resent-sender resent-reply-to".split()
)


class _Word(NamedTuple):
    """One encoded word, taken apart but not decoded; ``start`` and ``end`` are its place."""

    start: int
    end: int
    charset: str
    encoding: str
    text: str


def decode_field(name: str, value: str, charset: str = "") -> str:
    """Return a field's text for people, on one line and without control characters.

    In address fields what encoded words hide is quoted again where needed, so that a decoded
    comma or angle bracket never reads as syntax. ``charset`` is what raw bytes may be in.
    """
    if value.isascii():
        if "=?" not in value:
            return value if value.isprintable() else printable(unfold(value))
    elif "=?" not in value:
        return printable(unfold(_read_bytes(value, charset)))
    phrases = name.lower() in ADDRESS_FIELDS
    return printable(decode_words(unfold(value), charset, phrases=phrases)).strip()


def _read_bytes(value: str, charset: str) -> str:
    # Bytes beyond ASCII are UTF-8 (RFC 6532), or what the sender's machine used. A value that was
    # decoded before is left as it is.
    if value.isascii():
        return value
    try:
        return charsets.decode(value.encode("utf-8", "surrogateescape"), otherwise=charset)
    except UnicodeEncodeError:
        return charsets.clean(value)


def unfold(value: str) -> str:
    """Join the lines of a folded field by single spaces (RFC 5322 section 2.2.3)."""
    if "\n" not in value:
        return value.strip()
    return " ".join(filter(None, map(str.strip, value.split("\n"))))


def printable(text: str) -> str:
    """Return the text with control characters and line ends as spaces."""
    return text if text.isprintable() else charsets.clean(text.translate(_CONTROLS))


def decode_words(text: str, charset: str = "", *, phrases: bool = False) -> str:
    """Decode the encoded words of a value; with ``phrases``, quote what they stand for.

    Words split in the middle of a character or of a base64 group are joined before decoding
    (RFC 2047 section 5 forbids such splits, many mailers make them).
    """
    if "=?" not in text:
        return text
    if (only := _ONLY_WORD.match(text)) and text.isascii():
        before, label, kind, inner, after = only.groups()
        decoded = charsets.decode(_decode_text(inner, kind.lower()), label.lower())
        fitted = _Quoting(text).fit(decoded, len(before)) if phrases else decoded
        return f"{before}{fitted}{after}"
    pieces: list[str] = []
    done = 0
    quoting = _Quoting(text) if phrases else None
    for run in _runs(text):
        pieces.append(_read_bytes(text[done : run[0].start], charset))
        decoded = _decode_run(run)
        pieces.append(quoting.fit(decoded, run[0].start) if quoting else decoded)
        done = run[-1].end
    pieces.append(_read_bytes(text[done:], charset))
    return "".join(pieces)


class _Quoting:
    """Knows which places of an address field are inside a quoted string, in one pass."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._inside = False

    def fit(self, decoded: str, place: int) -> str:
        """Return a decoded word as it must stand at ``place``: escaped, or quoted if it needs."""
        between = self._text[self._at : place]
        quotes = between.count('"') - between.count('\\"')
        self._inside ^= bool(quotes % 2)
        self._at = place
        escaped = decoded.replace("\\", "\\\\").replace('"', '\\"')
        if self._inside:
            return escaped
        return f'"{escaped}"' if _PHRASE_SPECIALS.intersection(decoded) else decoded


def _runs(text: str) -> list[list[_Word]]:
    # Encoded words with nothing but white space between them are one text (RFC 2047 section 6.2).
    runs: list[list[_Word]] = []
    for word in _words(text):
        if runs and not text[runs[-1][-1].end : word.start].strip():
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    place, close = 0, -1
    while (start := text.find("=?", place)) >= 0:
        match = _ENCODED_START.match(text, start)
        if not match:
            place = start + 2
            continue
        if close < match.end():
            close = text.find("?=", match.end())
        if close < 0:
            words += _cut_word(text, match)
            break
        end = _real_end(text, match.end(), close)
        inner = text[match.end() : end]
        words.append(_Word(start, end + 2, match[1], match[2].lower(), inner))
        place = end + 2
    return words


def _cut_word(text: str, match: re.Match[str]) -> list[_Word]:
    # A last word that was cut off before its end mark is still readable.
    inner = text[match.end() :].rstrip("?= ")
    if not inner or " " in inner or "=?" in inner:
        return []
    return [_Word(match.start(), len(text), match[1], match[2].lower(), inner)]


def _real_end(text: str, start: int, close: int) -> int:
    # "a?=3D" is a question mark and an escape that some mailers leave bare, not the end of a word.
    while text[close + 2 : close + 4].isalnum() and text[close + 2 : close + 4].upper() in _HEX:
        further = text.find("?=", close + 2)
        if further < 0 or further - start > 200 or "=?" in text[close + 2 : further]:
            break
        close = further
    return close


_HEX = frozenset(f"{value:02X}" for value in range(256))


def _decode_run(run: list[_Word]) -> str:
    texts: list[str] = []
    pending = b""
    charset = ""
    for data, label in _chunks(run):
        if label != charset and pending:
            texts.append(charsets.decode(pending, charset))
            pending = b""
        pending, charset = pending + data if pending else data, label
    texts.append(charsets.decode(pending, charset))
    return "".join(texts)


def _chunks(run: list[_Word]) -> list[tuple[bytes, str]]:
    # Bytes and charset of each word; consecutive words of one charset are joined as encoded text.
    groups: list[tuple[str, str, list[str]]] = []
    for word in run:
        label = word.charset.partition("*")[0].lower()  # RFC 2231 section 5: charset*language
        open_group = groups and groups[-1][:2] == (label, word.encoding)
        if open_group and not (word.encoding == "b" and groups[-1][2][-1].endswith("=")):
            groups[-1][2].append(word.text)
        else:
            groups.append((label, word.encoding, [word.text]))
    return [(_decode_text("".join(texts), kind), label) for label, kind, texts in groups]


def _decode_text(text: str, encoding: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if encoding == "b":
        return transfer.decode_base64(data)
    return a2b_qp(data.replace(b" ", b"_"), header=True)
