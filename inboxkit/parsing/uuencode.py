"""Files written into the text itself: uuencode and yEnc blocks, found, decoded and cut out."""

from __future__ import annotations

import binascii
import re
from typing import NamedTuple

from . import transfer

_UU_BEGIN = re.compile(rb"^begin(?:-base64)? [0-7]{3,4} ([^\r\n]{1,500})\r?$", re.MULTILINE)
_UU_END = re.compile(rb"^(?:end|====)[ \t]*\r?$", re.MULTILINE)
_YENC_BEGIN = re.compile(rb"^=ybegin ([^\r\n]{1,1000})\r?$", re.MULTILINE)
_YENC_END = re.compile(rb"^=yend(?: [^\r\n]{0,500})?\r?$", re.MULTILINE)
_YENC_NAME = re.compile(rb"\bname=(.*)", re.DOTALL)
_SHIFTED = bytes((value - 42) % 256 for value in range(256))  # yEnc draft 1.3, section "Encoding"
_MAX_FILES = 1_000


class Block(NamedTuple):
    """A file found in a text."""

    filename: bytes
    data: bytes


def extract(text: bytes) -> tuple[bytes, list[Block]]:
    """Return the text without its encoded files, and the files; never raises."""
    blocks: list[Block] = []
    if b"begin" in text:
        text = _cut(text, blocks, _UU_BEGIN, _UU_END)
        text = _cut(text, blocks, _YENC_BEGIN, _YENC_END)
    return text, blocks


def decode(data: bytes) -> bytes:
    """Return what a body of Content-Transfer-Encoding x-uuencode holds, or the body itself."""
    begin = _UU_BEGIN.search(data)
    if not begin:
        return data
    end = _UU_END.search(data, begin.end())
    body = data[begin.end() : end.start() if end else len(data)]
    return b"".join(map(_decode_line, body.splitlines()))


def _cut(
    text: bytes, blocks: list[Block], begins: re.Pattern[bytes], ends: re.Pattern[bytes]
) -> bytes:
    kept: list[bytes] = []
    place = 0
    while len(blocks) < _MAX_FILES and (begin := begins.search(text, place)):
        end = ends.search(text, begin.end())
        if not end:
            break
        block = _block(begin, text[begin.end() : end.start()])
        kept.append(text[place : begin.start() if block else end.end()])
        if block:
            blocks.append(block)
        place = end.end()
    return b"".join([*kept, text[place:]]) if kept else text


def _block(begin: re.Match[bytes], body: bytes) -> Block | None:
    if begin.re is _YENC_BEGIN:
        name = _YENC_NAME.search(begin[1])
        return Block(name[1].strip(b' "\r') if name else b"", _decode_yenc(body))
    if begin[0].startswith(b"begin-base64"):
        return Block(begin[1].strip(), transfer.decode_base64(body))
    lines = body.splitlines()
    if not all(map(_is_uu_line, filter(None, (line.strip() for line in lines[:5])))):
        return None
    return Block(begin[1].strip(), b"".join(map(_decode_line, lines)))


def _is_uu_line(line: bytes) -> bool:
    # The first sign says how many bytes follow; trailing spaces may have been lost on the way.
    length = (line[0] - 32) & 63
    return max(line) < 97 and len(line) <= 2 + (length + 2) // 3 * 4


def _decode_line(line: bytes) -> bytes:
    line = line.rstrip(b"\r\n")
    if not line:
        return b""
    wanted = ((line[0] - 32) & 63) * 4 // 3 + 5
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        try:
            return binascii.a2b_uu(line[:wanted])  # junk after the data, as the standard library
        except binascii.Error:
            return b""


def _decode_yenc(body: bytes) -> bytes:
    body = body.lstrip(b"\r\n")
    if body.startswith(b"=ypart "):
        body = body.partition(b"\n")[2]
    pieces = body.replace(b"\r", b"").replace(b"\n", b"").split(b"=")
    # After "=", the sign is shifted by another 64.
    escaped = [
        bytes(((piece[0] - 106) % 256,)) + piece[1:].translate(_SHIFTED)
        for piece in pieces[1:]
        if piece
    ]
    return b"".join([pieces[0].translate(_SHIFTED), *escaped])
