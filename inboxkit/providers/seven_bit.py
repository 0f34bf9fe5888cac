"""Writes a mail as text for vendors that take it in JSON: bodies of 8 bits become base64.

JSON holds no bytes (RFC 8259 section 8.1), and a body need not be UTF-8. Nothing else changes.
"""

from __future__ import annotations

import base64
import re

from .forms import parameters

_DEEPEST = 20
_FIELD_END = re.compile(rb"\r\n(?![ \t])")
_BASE64 = b"Content-Transfer-Encoding: base64"


def text(mime: bytes) -> str:
    """Return a mail with CRLF line ends as text whose bodies are ASCII (RFC 2045 section 6)."""
    return _entity(mime, 0).decode("utf-8", "replace")


def _entity(data: bytes, depth: int) -> bytes:
    head, blank, body = data.partition(b"\r\n\r\n")
    if body.isascii():
        return data
    fields = _FIELD_END.split(head)
    kind, params = parameters(_value(fields, b"content-type"))
    fields = [f for f in fields if not f.lower().startswith(b"content-transfer-encoding:")]
    boundary = params.get("boundary", "").encode("utf-8", "replace")
    if kind.startswith("multipart/") and boundary and depth < _DEEPEST:
        return b"\r\n".join(fields) + blank + _multipart(body, b"\r\n--" + boundary, depth)
    if kind.startswith("message/"):
        # RFC 2046 section 5.2.1 forbids base64 for a mail, so it goes as a plain file
        fields = [f for f in fields if not f.lower().startswith(b"content-type:")]
        fields.append(b"Content-Type: application/octet-stream")
    encoded = base64.encodebytes(body).replace(b"\n", b"\r\n")
    return b"\r\n".join([*fields, _BASE64]) + blank + encoded


def _multipart(body: bytes, line: bytes, depth: int) -> bytes:
    preamble, *parts = (b"\r\n" + body).split(line)
    written = [preamble]
    for part in parts:
        padding, end, entity = part.partition(b"\r\n")
        is_last = part.startswith(b"--")
        written.append(part if is_last else padding + end + _entity(entity, depth + 1))
    return line.join(written)[2:]


def _value(fields: list[bytes], name: bytes) -> str:
    for field in fields:
        if field.lower().startswith(name + b":"):
            return field[len(name) + 1 :].decode("utf-8", "replace").strip()
    return ""
