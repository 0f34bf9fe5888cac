"""Outlook's winmail.dat (application/ms-tnef): the files and the text in it ([MS-OXTNEF])."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from . import charsets

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNATURE = 0x223E9F78
_MAX_FILES = 1_000
_MAX_PROPERTIES = 10_000
_MAX_RTF = 1024 * 1024

# Attribute ids without their type half, [MS-OXTNEF] section 2.1.3.
_BODY, _TITLE, _DATA, _RENDERING = 0x800C, 0x8010, 0x800F, 0x9002
_MESSAGE_PROPERTIES, _FILE_PROPERTIES, _CODE_PAGE = 0x9003, 0x9005, 0x9007
# Property ids, [MS-OXPROPS].
_PLAIN_BODY, _RTF_BODY, _HTML_BODY = 0x1000, 0x1009, 0x1013
_FILE_DATA, _SHORT_NAME, _LONG_NAME = 0x3701, 0x3704, 0x3707
_MIME_TYPE, _CONTENT_ID = 0x370E, 0x3712
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING8, _UNICODE, _OBJECT, _BINARY = 0x1E, 0x1F, 0xD, 0x102


@dataclass(slots=True)
class File:
    """A file in winmail.dat."""

    filename: str = ""
    content_type: str = ""
    content_id: str = ""
    data: bytes = b""


@dataclass(slots=True)
class Contents:
    """What winmail.dat holds."""

    files: list[File]
    text: str = ""
    html: str = ""
    rtf: bytes = b""


class _Property(NamedTuple):
    """One MAPI property; ``unicode`` says how its bytes are to be read."""

    id: int
    data: bytes
    unicode: bool


class _Cursor:
    """Reads little-endian values; past the end it raises EOFError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        start, self._place = self._place, self._place + size
        if self._place > len(self._data):
            raise EOFError
        return self._data[start : self._place]

    def number(self, size: int) -> int:
        """Return the next unsigned integer."""
        return int.from_bytes(self.take(size), "little")

    def padded(self, size: int) -> bytes:
        """Return the next bytes and skip to the next multiple of four."""
        data = self.take(size)
        self._place += -size % 4
        return data


def unpack(data: bytes) -> Contents | None:
    """Return what is in a TNEF stream, as far as it can be read; None when it is none."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        return None
    contents = Contents([])
    code_page = ""
    for attribute, value in _attributes(data):
        if attribute == _CODE_PAGE:
            code_page = f"cp{int.from_bytes(value[:4], 'little')}"
        elif attribute == _BODY:
            contents.text = charsets.decode(value, code_page)
        elif attribute == _MESSAGE_PROPERTIES:
            _read_message(contents, value, code_page)
        elif attribute == _RENDERING:
            if len(contents.files) < _MAX_FILES:
                contents.files.append(File())
        elif contents.files:
            _read_file(contents.files[-1], attribute, value, code_page)
    contents.files = [file for file in contents.files if file.data or file.filename]
    return contents


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    cursor = _Cursor(data)
    cursor.take(6)
    try:
        while True:
            cursor.take(1)
            attribute = cursor.number(4) & 0xFFFF
            yield attribute, cursor.take(cursor.number(4))
            cursor.take(2)
    except EOFError:
        return


def _read_message(contents: Contents, value: bytes, code_page: str) -> None:
    for prop in _properties(value):
        if prop.id == _PLAIN_BODY:
            contents.text = _text(prop, code_page)
        elif prop.id == _HTML_BODY:
            contents.html = _text(prop, code_page)
        elif prop.id == _RTF_BODY:
            contents.rtf = _decompress_rtf(prop.data)


def _read_file(file: File, attribute: int, value: bytes, code_page: str) -> None:
    if attribute == _DATA:
        file.data = value
    elif attribute == _TITLE:
        file.filename = file.filename or charsets.decode(value, code_page)
    elif attribute == _FILE_PROPERTIES:
        for prop in _properties(value):
            if prop.id == _LONG_NAME:
                file.filename = _text(prop, code_page)
            elif prop.id == _SHORT_NAME:
                file.filename = file.filename or _text(prop, code_page)
            elif prop.id == _MIME_TYPE:
                file.content_type = _text(prop, code_page).lower()
            elif prop.id == _CONTENT_ID:
                file.content_id = _text(prop, code_page).strip("<>")
            elif prop.id == _FILE_DATA:
                file.data = prop.data[16:] or file.data  # an interface id stands in front


def _text(prop: _Property, code_page: str) -> str:
    return charsets.decode(prop.data, "utf-16-le" if prop.unicode else code_page)


def _properties(data: bytes) -> Iterator[_Property]:
    # [MS-OXTNEF] section 2.1.3.4: a counted list, values padded to four bytes.
    cursor = _Cursor(data)
    try:
        for _ in range(min(cursor.number(4), _MAX_PROPERTIES)):
            kind = cursor.number(2)
            number = cursor.number(2)
            if number >= 0x8000:
                _skip_name(cursor)
            values = _values(cursor, kind)
            if values:
                yield _Property(number, values[0], kind & 0xFFF == _UNICODE)
    except EOFError:
        return


def _skip_name(cursor: _Cursor) -> None:
    cursor.take(16)
    if cursor.number(4) == 0:
        cursor.take(4)
    else:
        cursor.padded(cursor.number(4))


def _values(cursor: _Cursor, kind: int) -> list[bytes]:
    many, kind = kind & 0x1000, kind & 0xFFF
    variable = kind in (_STRING8, _UNICODE, _OBJECT, _BINARY)
    if not variable and kind not in _FIXED:
        raise EOFError  # its size is unknown, so nothing after it can be read
    count = cursor.number(4) if many or variable else 1
    if count > _MAX_PROPERTIES:
        raise EOFError
    if variable:
        return [cursor.padded(cursor.number(4)) for _ in range(count)]
    return [cursor.take(_FIXED[kind]) for _ in range(count)]


# The dictionary that compressed RTF begins with, [MS-OXRTFCP] section 2.1.2.1.
_RTF_START = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript "
    rb"\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def _decompress_rtf(data: bytes) -> bytes:
    # [MS-OXRTFCP] section 2.2: flags, literals and references into what came before.
    if data[8:12] == b"MELA":
        return data[16 : 16 + _MAX_RTF]
    if data[8:12] != b"LZFu":
        return b""
    out = bytearray(_RTF_START)
    start, place = len(out), 16
    limit = min(int.from_bytes(data[4:8], "little"), _MAX_RTF) + start
    while place < len(data) and len(out) < limit:
        flags = data[place]
        place += 1
        for bit in range(8):
            if flags >> bit & 1:
                reference = int.from_bytes(data[place : place + 2], "big")
                place += 2
                if not _copy(out, reference):
                    return bytes(out[start:limit])
            else:
                out += data[place : place + 1]
                place += 1
    return bytes(out[start:limit])


def _copy(out: bytearray, reference: int) -> bool:
    # Twelve bits of place in a window of 4096, four of length; the present place ends the text.
    back = (len(out) - (reference >> 4)) % 4096
    if back == 0 or back > len(out):
        return False
    for _ in range((reference & 15) + 2):
        out.append(out[-back])
    return True
