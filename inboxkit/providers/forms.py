"""HTML forms as bytes: multipart/form-data (RFC 7578) and urlencoded, read and written.

Field values stay bytes: a raw mail in a form may be in any charset or in none.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .base import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_FIELDS = 10_000  # every header of a mail may come as a field of its own
_HEADER_BYTES = 16 * 1024
_BOUNDARY_BYTES = 70  # RFC 2046 section 5.1.1
_PIECE = 64 * 1024
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"?|[^";]+|;', re.DOTALL)
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2}){1,500}")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form; a file when it has a ``filename``, which may be empty."""

    name: str
    data: bytes = field(repr=False)
    filename: str | None = None
    content_type: str = ""

    @property
    def text(self) -> str:
        """The value as UTF-8, the default of both form types, without NUL."""
        return self.data.decode("utf-8", "replace").replace("\0", "\ufffd")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form in order; names are compared exactly and may come more than once."""

    fields: tuple[Field, ...]

    def all(self, name: str) -> tuple[Field, ...]:
        """Return every field of that name."""
        return tuple(f for f in self.fields if f.name == name)

    def text(self, name: str, default: str = "") -> str:
        """Return the text of the first field of that name."""
        return next((f.text for f in self.fields if f.name == name), default)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the text of every field of that name."""
        return tuple(f.text for f in self.all(name))

    def __contains__(self, name: object) -> bool:
        return any(f.name == name for f in self.fields)


def is_form(content_type: str) -> bool:
    """Whether a Content-Type is that of a form."""
    return parameters(content_type)[0] in (
        "multipart/form-data",
        "application/x-www-form-urlencoded",
    )


def read(content_type: str, body: bytes) -> Form:
    """Read a form of either type; raise ParseError for anything broken or cut off."""
    media_type, params = parameters(content_type)
    if media_type == "application/x-www-form-urlencoded":
        return Form(tuple(_urlencoded(body)))
    if media_type != "multipart/form-data":
        raise ParseError("not a form")
    boundary = params.get("boundary", "").encode("utf-8", "replace")
    if not 0 < len(boundary) <= _BOUNDARY_BYTES:
        raise ParseError("multipart/form-data without a usable boundary")
    return Form(tuple(_part(*part) for part in _parts(boundary, body)))


def write(fields: Sequence[Field]) -> tuple[str, bytes]:
    """Return the Content-Type and the body of multipart/form-data; equal fields, equal bytes."""
    digest = hashlib.sha256()
    for item in fields:
        digest.update(item.data)
    # nobody can put the hash of the data into the data, so the boundary never occurs in it
    boundary = f"form-{digest.hexdigest()[:40]}"
    body = b"".join(b"--%s\r\n%s" % (boundary.encode(), _write(item)) for item in fields)
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split a header value into its lower-case first word and its parameters (RFC 9110 5.6.6)."""
    pieces = list(_pieces(value))
    found: dict[str, str] = {}
    for piece in pieces[1:]:
        name, equals, text = piece.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), _unquote(text.strip()))
    return pieces[0].strip().lower(), found


def _pieces(value: str) -> Iterator[str]:
    """Split at the semicolons outside quoted strings."""
    start = 0
    for token in _TOKENS.finditer(value):
        if token[0] == ";":
            yield value[start : token.start()]
            start = token.end()
    yield value[start:]


def _unquote(text: str) -> str:
    if len(text) < 2 or not text.startswith('"') or not text.endswith('"'):
        return text
    # browsers escape a quote as %22 (HTML, form-data encoding), Go and older ones as \"
    halves = text[1:-1].replace("%22", '"').split("\\\\")
    return "\\".join(half.replace('\\"', '"') for half in halves)


def _urlencoded(body: bytes) -> Iterator[Field]:
    if body.count(b"&") > _MOST_FIELDS:
        raise ParseError("too many fields")
    for pair in filter(None, body.split(b"&")):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        yield Field(_percent_decoded(name).decode("utf-8", "replace"), _percent_decoded(value))


def _percent_decoded(data: bytes) -> bytes:
    """Undo percent-encoding piece by piece; the standard library needs 75 bytes for each one."""
    if b"%" not in data:
        return data
    decoded = bytearray()
    start = 0
    while start < len(data):
        end = start + _PIECE
        escape = data.rfind(b"%", end - 2, end)  # one that would be cut in two
        end = escape if escape >= 0 else end
        decoded += _ESCAPES.sub(_bytes, data[start:end])
        start = end
    return bytes(decoded)


def _bytes(escapes: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escapes[0].replace(b"%", b"").decode())


def _parts(boundary: bytes, body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the header and the content of each part; linear in the size of the body."""
    line = b"--" + boundary
    start = 0 if body.startswith(line) else body.find(b"\r\n" + line) + 2
    if start == 1:
        raise ParseError("multipart/form-data without its boundary")
    position, count = start + len(line), 0
    while not body.startswith(b"--", position):
        count += 1
        header_at = _line_end(body, position)
        end = body.find(b"\r\n" + line, header_at - 2)
        split = body.find(b"\r\n\r\n", header_at - 2, min(end + 2, header_at + _HEADER_BYTES))
        if min(end, split) < 0 or count > _MOST_FIELDS:
            raise ParseError("multipart/form-data cut off or with a part without header")
        yield body[header_at:split], body[split + 4 : max(end, split + 4)]
        position = end + 2 + len(line)


def _line_end(body: bytes, position: int) -> int:
    end = body.find(b"\r\n", position, position + 100)
    if end < 0 or body[position:end].strip(b" \t"):
        raise ParseError("multipart/form-data with a broken boundary line")
    return end + 2


def _part(header: bytes, data: bytes) -> Field:
    disposition = content_type = ""
    for line in header.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            disposition = value
        elif name.strip().lower() == "content-type":
            content_type = value.strip()
    kind, params = parameters(disposition)
    if kind != "form-data" or "name" not in params:
        raise ParseError("multipart/form-data with a part without a name")
    return Field(params["name"], data, _filename(params), content_type)


def _filename(params: dict[str, str]) -> str | None:
    # RFC 7578 section 4.2 forbids filename*, yet some clients send it
    charset, _, encoded = params.get("filename*", "").partition("'")
    if charset.lower() == "utf-8":
        return _percent_decoded(encoded.partition("'")[2].encode()).decode("utf-8", "replace")
    return params.get("filename")


def _write(item: Field) -> bytes:
    lines = [f'Content-Disposition: form-data; name="{_escape(item.name)}"']
    if item.filename is not None:
        lines[0] += f'; filename="{_escape(item.filename)}"'
    if item.content_type:
        lines.append(f"Content-Type: {' '.join(item.content_type.split())}")
    head = "\r\n".join(lines).encode("utf-8", "replace")
    return b"%s\r\n\r\n%s\r\n" % (head, item.data)


def _escape(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
