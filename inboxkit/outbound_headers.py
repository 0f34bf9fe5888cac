"""Header fields of the mail we write: encoded, folded, and read again before they go out.

The standard library's writer lets an encoded line end become a header of its own
(CVE-2024-6923), so the lines are made here. RFC 5322, 2047 and 2231.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .values import Address

Field: TypeAlias = tuple[str, str]  # the name, and the value folded with CRLF

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_LINE = 76  # RFC 2047 section 2: of a line that holds encoded words
_LONGEST_LINE = 998  # RFC 5322 section 2.1.1
_LONGEST_PIECE = 900  # leaves room for the name
_NAME = re.compile(r"[!-9;-~]{1,70}")  # RFC 5322 section 2.2
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$&^_.+-]+")  # of RFC 2045, and what RFC 6838 lets types be
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")
_FRAME = len("=?utf-8?q??=")
_AS_THEY_ARE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")


def unstructured(name: str, value: str) -> Field:
    """Write free text, such as a subject; raise ValueError when it holds control characters."""
    check_value(name, value)
    pieces = re.findall(r" *[^ ]+", value)
    is_plain = value.isascii() and value == value.strip() and not _may_be_encoded(value)
    if is_plain and all(len(piece) <= _LONGEST_PIECE for piece in pieces):
        return name, _folded(name, pieces)
    return name, "\r\n ".join(_encoded_words(value, _LINE - len(name) - 2))


def _may_be_encoded(text: str) -> bool:
    """Whether a reader could find an encoded word (RFC 2047) in a text."""
    _, begun, rest = text.partition("=?")
    return bool(begun) and "?=" in rest


def addresses(name: str, people: Iterable[Address]) -> Field:
    """Write an address list; raise ValueError for an address that is none.

    Display names of foreign mail are made harmless rather than refused.
    """
    written = [_mailbox(person) for person in people]
    pieces = [f"{item}," for item in written[:-1]] + written[-1:]
    return name, _folded(name, [pieces[0], *(f" {piece}" for piece in pieces[1:])])


def encoded_words(text: str) -> str:
    """Write text on one line as encoded words, for whoever writes the header field around it."""
    return " ".join(_encoded_words(text, _LINE))


def message_ids(name: str, ids: Iterable[str]) -> Field:
    """Write message ids; what is no usable id is left out, for foreign mail may cite anything."""
    usable = [mid for mid in ids if is_message_id(mid)]
    return name, _folded(name, [usable[0], *(f" {mid}" for mid in usable[1:])] if usable else [])


def parametrized(name: str, value: str, parameters: Sequence[Field]) -> Field:
    """Write a value with parameters (RFC 2045), those outside ASCII by RFC 2231."""
    pieces = [part for key, text in parameters for part in _parameter(key, text)]
    values = [
        f"{value};",
        *(f" {piece};" for piece in pieces[:-1]),
        *(f" {p}" for p in pieces[-1:]),
    ]
    return name, _folded(name, values if pieces else [value])


def custom(name: str, value: str) -> Field:
    """Write a header of the caller's; raise ValueError naming what is wrong with it."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} cannot be the name of a header")
    if max(map(len, value.split(" "))) > _LONGEST_PIECE:
        raise ValueError(f"header {name}: the value is too long to be folded")
    return unstructured(name, value.strip(" "))


def check_value(name: str, value: str) -> None:
    """Raise ValueError if the value holds a line end, a control character or half a character."""
    for char in value:
        if unicodedata.category(char) in _CONTROLS:
            raise ValueError(f"header {name}: it holds the control character U+{ord(char):04X}")


def is_message_id(text: str) -> bool:
    """Say whether the text can stand as an id in a header."""
    return bool(_MESSAGE_ID.fullmatch(text))


def is_token(text: str) -> bool:
    """Say whether the text is one token, as half of a content type is."""
    return bool(_TOKEN.fullmatch(text))


def header_block(fields: Sequence[Field]) -> bytes:
    """Join fields and the empty line after them; raise ValueError if they would read otherwise."""
    block = "".join(f"{name}: {value}".rstrip(" ") + "\r\n" for name, value in fields) + "\r\n"
    names = [name for name, _ in fields]
    if _names(block) != names or not all(map(_NAME.fullmatch, names)):
        raise ValueError("the header would not be read as it was meant")
    return block.encode("ascii")


def _names(block: str) -> list[str]:
    """Read the names of a header block back, as strictly as the strictest reader would."""
    if not block.isascii() or re.search(r"\r(?!\n)|(?<!\r)\n|[^\t\r\n -~]", block):
        return []
    lines = block.split("\r\n")
    if lines[-2:] != ["", ""] or "" in lines[:-2] or max(map(len, lines)) > _LONGEST_LINE:
        return []
    return [line.partition(":")[0] for line in lines[:-2] if line[0] != " "]


def _folded(name: str, pieces: Iterable[str]) -> str:
    """Join pieces, breaking the line before one that would not fit; each begins with a space."""
    value, column = "", len(name) + 2
    for piece in pieces:
        first, _, last = piece.partition("\r\n")
        if value and column + len(first) > _LINE:
            value, column = f"{value}\r\n", 0
        value += piece
        column = len(last.rpartition("\r\n")[2]) if last else column + len(piece)
    return value


def _encoded_words(text: str, first_room: int) -> list[str]:
    """Write text as encoded words (RFC 2047), each holding whole characters only."""
    words: list[str] = []
    room = max(first_room, 30) - _FRAME
    start = size = quoted = 0
    for place, char in enumerate(text):
        data = char.encode()
        cost = sum(1 if byte in _AS_THEY_ARE else 3 for byte in data)
        if min(quoted + cost, (size + len(data) + 2) // 3 * 4) > room:
            words.append(_encoded_word(text[start:place]))
            start, size, quoted, room = place, 0, 0, _LINE - 1 - _FRAME
        size += len(data)
        quoted += cost
    return [*words, _encoded_word(text[start:])]


def _encoded_word(text: str) -> str:
    data = text.encode()
    quoted = "".join(chr(b) if b in _AS_THEY_ARE else f"={b:02X}" for b in data)
    base = base64.b64encode(data).decode()
    return f"=?utf-8?b?{base}?=" if len(base) < len(quoted) else f"=?utf-8?q?{quoted}?="


def _mailbox(person: Address) -> str:
    if not _ADDRESS.fullmatch(person.email) or len(person.email) > 320:
        raise ValueError(f"{person.email[:80]!r} is not an address that mail can be sent to")
    name = plain_line(person.name)
    return f"{_phrase(name)} <{person.email}>" if name else person.email


def plain_line(text: str) -> str:
    """Return a foreign text on one line: control characters become spaces, spaces are folded."""
    return " ".join(flat(text).split())


def flat(text: str) -> str:
    """Return a text with a space for each control character, line end and half a character."""
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(c) in _CONTROLS else c for c in text)


def _phrase(name: str) -> str:
    if not name.isascii() or len(name) > 60 or _may_be_encoded(name):
        return "\r\n ".join(_encoded_words(name, _LINE - len("Reply-To: ")))
    if _ATOMS.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _parameter(key: str, value: str) -> list[str]:
    """Write one parameter, in sections when it is long (RFC 2231 sections 3 and 4)."""
    if value.isascii() and value.isprintable() and len(value) <= 60:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return [f'{key}="{escaped}"']
    encoded = [quote(char, safe="") for char in value]
    sections = [""]
    for char in encoded:
        if len(sections[-1]) + len(char) > 50:
            sections.append("")
        sections[-1] += char
    if len(sections) == 1:
        return [f"{key}*=utf-8''{sections[0]}"]
    first = [f"{key}*0*=utf-8''{sections[0]}"]
    return first + [f"{key}*{n}*={text}" for n, text in enumerate(sections[1:], 1)]
