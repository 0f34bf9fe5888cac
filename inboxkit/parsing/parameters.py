"""Values with parameters, such as Content-Type (RFC 2045 section 5.1, RFC 2231), leniently."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from . import charsets, headers

if TYPE_CHECKING:
    from collections.abc import Mapping

# A quote that neither a semicolon, the next parameter nor the end follows is part of the value.
_PARAMETER = re.compile(
    r"""[;\s]*(?P<name>[^\s=;"]{1,100})\s*=\s*"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.|"(?!\s*(?:;|\Z|[\w*-]+=)))*)"?|(?P<plain>[^;]*))""",
    re.DOTALL,
)
_SECTION = re.compile(r"(?P<name>[^*]+)(?:\*(?P<number>\d{1,4}))?(?P<encoded>\*)?\Z")
_ESCAPED = re.compile(r'\\(["\\])')
_COMMENT = re.compile(r"\([^()\"]*\)")


class Value(NamedTuple):
    """The value in lower case and its parameters, their names in lower case."""

    value: str
    parameters: Mapping[str, str]


class _Piece(NamedTuple):
    """One section of a parameter."""

    number: int
    text: str
    encoded: bool


@functools.lru_cache(maxsize=512)  # most mails of a sender have the same few values
def parse(text: str) -> Value:
    """Return a field's value and parameters; never raises.

    Sections and charsets (RFC 2231) are joined and decoded, encoded words too, though RFC 2047
    section 5 forbids them here. Values may lack quotes around spaces, or their closing quote.
    """
    if not text:
        return Value("", {})
    head, _, rest = text.partition(";")
    if "=" in head:
        first, _, more = head.strip().partition(" ")  # text/html charset=utf-8
        head, rest = first, f"{more};{rest}"
    value = _value(head)
    if "=" not in rest:
        return Value(value, {})
    if "(" in rest and '"' not in rest:
        rest = _COMMENT.sub("", rest)
    return Value(value, _parameters(rest))


def _value(head: str) -> str:
    if "(" in head:
        head = _COMMENT.sub("", head)
    return headers.printable(head.strip(" \t\r\n\"';,").lower())


def _parameters(rest: str) -> dict[str, str]:
    plain: dict[str, str] = {}
    pieces: dict[str, list[_Piece]] = {}
    for match in _PARAMETER.finditer(rest):
        name = match["name"].lower()
        quoted = match["quoted"]
        text = _ESCAPED.sub(r"\1", quoted) if quoted else (quoted or match["plain"] or "").strip()
        section = _SECTION.match(name) if "*" in name else None
        if section:
            piece = _Piece(int(section["number"] or 0), text, section["encoded"] is not None)
            pieces.setdefault(section["name"], []).append(piece)
        else:
            plain.setdefault(name, _readable(text))
    # A sender that gives both forms means the extended one (RFC 6266 section 4.3).
    return plain | {name: _joined(found) for name, found in pieces.items()}


def _readable(text: str) -> str:
    if text.isascii() and text.isprintable() and "=?" not in text:
        return text
    return headers.decode_field("", text)


def _joined(pieces: list[_Piece]) -> str:
    ordered = list({piece.number: piece for piece in reversed(pieces)}.values())
    ordered.sort()
    if not any(piece.encoded for piece in ordered):
        return _readable("".join(piece.text for piece in ordered))
    charset, ordered[0] = _charset(ordered[0])
    data = b"".join(map(_piece_bytes, ordered))
    return headers.printable(charsets.decode(data, charset))


def _charset(first: _Piece) -> tuple[str, _Piece]:
    # charset'language'text; some mailers leave out one quote or both.
    if first.text.count("'") >= 2:
        charset, _, text = first.text.split("'", 2)
        return charset, first._replace(text=text)
    charset, quote, text = first.text.partition("'")
    if quote and charsets.codec(charset):
        return charset, first._replace(text=text)
    return "", first


def _piece_bytes(piece: _Piece) -> bytes:
    data = piece.text.encode("utf-8", "surrogateescape")
    return unquote_to_bytes(data) if piece.encoded else data
