"""One file out of a mail that comes in pieces, so that neither of them is whole in memory."""

from __future__ import annotations

import hashlib
from binascii import Error, a2b_base64, a2b_qp
from typing import IO, TYPE_CHECKING

from .entity import Entity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_LINE = 64 * 1024
_LONGEST_HEADER = 256 * 1024
_MOST_BOUNDARIES = 100


def copy_part(pieces: Iterable[bytes], into: IO[bytes], *, size: int, sha256: str) -> bool:
    """Write the decoded part of that size and hash into an empty file; False when none is found.

    Finds what stands in a multipart as base64, quoted-printable or as it is (RFC 2045 section 6);
    never raises for what a mail holds.
    """
    walk = _Walk(into, size, sha256)
    for line, begins in _lines(pieces):
        walk.take(line, begins=begins)
        if walk.found or walk.lost:
            return walk.found
    walk.end_part()
    return walk.found


def _lines(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Iterate over lines with their ends, and whether each is one from its beginning."""
    rest, begins = b"", True
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n", begins
            begins = True
        if len(rest) > _LONGEST_LINE:
            yield rest, begins
            rest, begins = b"", False
    if rest:
        yield rest, begins


class _Walk:
    """Goes through a mail line by line and tries each leaf."""

    def __init__(self, into: IO[bytes], size: int, sha256: str) -> None:
        self.found = False
        self.lost = False
        self._into = into
        self._wanted = size, sha256
        self._header: list[bytes] | None = []
        self._header_bytes = 0
        self._leaf: _Leaf | None = None
        self._ends: dict[bytes, bool] = {}  # a line that ends a part; whether it is the last one

    def take(self, line: bytes, *, begins: bool) -> None:
        """Look at the next line."""
        last = self._ends.get(line.rstrip()) if begins and line.startswith(b"--") else None
        if last is not None:
            self.end_part()
            self._header = None if last else []
            self._header_bytes = 0
        elif self._header is not None:
            self._take_field(line)
        elif self._leaf is not None:
            self._leaf.feed(line)

    def _take_field(self, line: bytes) -> None:
        assert self._header is not None
        self._header_bytes += len(line)
        self.lost = self._header_bytes > _LONGEST_HEADER
        if line.strip():
            self._header.append(line)
            return
        entity, self._header = Entity(_fields(self._header)), None
        if not entity.is_multipart:
            encoding = entity.raw("transfer-encoding").strip().lower()
            self._leaf = _Leaf(self._into, *self._wanted, encoding)
            return
        mark = b"--" + entity.boundary.encode("ascii", "surrogateescape")
        self._ends |= {mark: False, mark + b"--": True}
        self.lost = len(self._ends) > 2 * _MOST_BOUNDARIES

    def end_part(self) -> None:
        """Judge the leaf that ends here."""
        leaf, self._leaf = self._leaf, None
        if leaf is not None:
            self.found = leaf.is_wanted()


def _fields(lines: list[bytes]) -> tuple[tuple[str, str], ...]:
    """Return the fields of a header, unfolded (RFC 5322 section 2.2.3)."""
    fields: list[list[str]] = []
    for line in lines:
        text = line.decode("ascii", "surrogateescape").rstrip("\r\n")
        if text[:1] in " \t" and fields:
            fields[-1][1] += text
        else:
            name, _, value = text.partition(":")
            fields.append([name.strip(), value.strip()])
    return tuple((name, value) for name, value in fields)


class _Leaf:
    """Decodes a part into the file as it comes; the end of its last line is the boundary's."""

    def __init__(self, into: IO[bytes], size: int, sha256: str, encoding: str) -> None:
        self._into = into
        self._size = size
        self._sha256 = sha256
        self._encoding = encoding
        self._hash = hashlib.sha256()
        self._written = 0
        self._held = b""

    def feed(self, line: bytes) -> None:
        """Decode what is complete."""
        if self._encoding == "base64":
            letters = self._held + bytes(line.translate(None, b" \t\r\n"))
            complete = len(letters) // 4 * 4
            self._held = letters[complete:]
            self._write(letters[:complete])
        else:
            self._write(self._held)
            self._held = line

    def _write(self, data: bytes) -> None:
        if not data or self._written > self._size:
            return
        decoded = self._decoded(data)
        self._written += len(decoded)
        self._hash.update(decoded)
        self._into.write(decoded)

    def _decoded(self, data: bytes) -> bytes:
        if self._encoding == "quoted-printable":
            return a2b_qp(data)
        if self._encoding != "base64":
            return data
        try:
            return a2b_base64(data)
        except Error:  # cut off, or damaged: then another reader has to make something of it
            return b""

    def is_wanted(self) -> bool:
        """Finish; whether this was the part, else the file is empty again."""
        last = self._held if self._encoding == "base64" else self._held.removesuffix(b"\n")
        self._write(last if last == self._held else last.removesuffix(b"\r"))
        if (self._written, self._hash.hexdigest()) == (self._size, self._sha256):
            return True
        self._into.seek(0)
        self._into.truncate()
        return False
