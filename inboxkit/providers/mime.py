"""Rebuilds a mail (RFC 5322, 2045) from the parsed pieces that some vendors post in its stead.

Equal pieces give equal bytes, so that a webhook that comes twice is seen to be the same mail.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from email.utils import encode_rfc2231
from typing import TYPE_CHECKING, TypeAlias

from .. import base64_text
from .forms import parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Entity: TypeAlias = tuple[bytes, bytes]  # header lines, body

_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322 section 2.2
_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?: *;[ -~]*)?", re.ASCII)
_REBUILT = frozenset(
    {
        "content-disposition",
        "content-id",
        "content-length",
        "content-transfer-encoding",
        "content-type",
        "mime-version",
    }
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A body (UTF-8 when it is text) or a file of a mail; inline when it has a ``content_id``."""

    content_type: str
    data: bytes = field(repr=False)
    filename: str = ""
    content_id: str = ""  # with or without angle brackets


def rebuild(
    headers: Iterable[tuple[str, str]], bodies: Sequence[Piece], files: Sequence[Piece]
) -> bytes:
    """Return a mail of these headers, bodies (alternatives, plainest first) and files.

    Headers keep their order and repetition; those that describe the old MIME structure are left
    out, but a delivery report stays one (RFC 6522). Values outside ASCII become UTF-8 (RFC 6532).
    """
    headers = [(name, value) for name, value in headers if _NAME.fullmatch(name)]
    kind = next((v for n, v in headers if n.lower() == "content-type"), "")
    head, body = _structure(kind, bodies, files)
    kept = [_header(name, value) for name, value in headers if name.lower() not in _REBUILT]
    return b"".join([*kept, b"MIME-Version: 1.0\r\n", head, b"\r\n", body])


def _structure(kind: str, bodies: Sequence[Piece], files: Sequence[Piece]) -> Entity:
    texts = [_entity(body) for body in bodies]
    inline = [_entity(file) for file in files if file.content_id]
    attached = [_entity(file) for file in files if not file.content_id]
    media_type, params = parameters(kind)
    if media_type == "multipart/report":
        report = re.sub(r"[^\w-]", "", params.get("report-type", ""), flags=re.ASCII)
        return _multipart(f"report; report-type={report or 'unknown'}", texts + inline + attached)
    content = [_join("alternative", texts)] if texts else []
    content = [_join("related", content + inline)] if content else inline
    return _join("mixed", content + attached)


def _join(kind: str, entities: list[Entity]) -> Entity:
    if not entities:
        return _entity(Piece("text/plain", b""))
    return entities[0] if len(entities) == 1 else _multipart(kind, entities)


def _multipart(kind: str, entities: list[Entity]) -> Entity:
    digest = hashlib.sha256()
    for head, body in entities:
        digest.update(head)
        digest.update(body)
    boundary = f"part-{digest.hexdigest()[:40]}"  # no part can hold the hash of all parts
    line = boundary.encode()
    parts = [b"--%s\r\n%s\r\n%s\r\n" % (line, head, body) for head, body in entities]
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n'.encode()
    return head, b"".join(parts) + b"--%s--\r\n" % line


def _entity(piece: Piece) -> Entity:
    content_type = _content_type(piece)
    is_text = content_type.startswith("text/") and not piece.filename
    lines = [f"Content-Type: {content_type}"]
    if is_text:
        lines = [f"Content-Type: {content_type.split(';')[0]}; charset=utf-8"]
    # RFC 2046 section 5.2.1 and RFC 3464: what is a mail itself must not be in base64
    plain = is_text or content_type.startswith("message/")
    lines.append(f"Content-Transfer-Encoding: {'8bit' if plain else 'base64'}")
    if not is_text or piece.content_id:
        lines.append(_disposition(piece))
    if piece.content_id:
        lines.append(f"Content-ID: <{_line(piece.content_id).strip('<> ')}>")
    head = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
    return head, piece.data if plain else b"".join(base64_text.lines(piece.data))


def _content_type(piece: Piece) -> str:
    content_type = _line(piece.content_type)
    usable = _TYPE.fullmatch(content_type) and not content_type.lower().startswith("multipart/")
    return content_type if usable else "application/octet-stream"


def _disposition(piece: Piece) -> str:
    value = "inline" if piece.content_id else "attachment"
    name = _line(piece.filename)
    if name.isascii() and not set(name) & {'"', "\\"}:
        return f'Content-Disposition: {value}; filename="{name}"' if name else _plain(value)
    return f"Content-Disposition: {value}; filename*={encode_rfc2231(name, 'utf-8')}"


def _plain(value: str) -> str:
    return f"Content-Disposition: {value}"


def _header(name: str, value: str) -> bytes:
    """Write a field; folding stays, and no line break can begin another field."""
    lines = value.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").split("\n")
    folded = [line.strip(" \t") for line in lines[1:]]
    text = "\r\n ".join([lines[0], *filter(None, folded)])
    return f"{name}: {text}\r\n".encode("utf-8", "replace")


def _line(text: str) -> str:
    """Return a foreign value without control characters, on one line."""
    return "".join(char for char in text if char.isprintable()).strip()
