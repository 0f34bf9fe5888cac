"""What DKIM hashes of a body (RFC 6376 section 3.4), in linear time on any bytes."""

from __future__ import annotations

from hashlib import sha256

_TABS = bytes.maketrans(b"\t", b" ")
_RUNS = (b" " * 64, b" " * 8, b" " * 2)


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Return header block and body with CRLF; the empty line is in neither."""
    whole = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if whole.startswith(b"\r\n"):
        return b"", whole[2:]
    head, _, body = whole.partition(b"\r\n\r\n")
    return head.removesuffix(b"\r\n") + b"\r\n", body


class BodyHash:
    """The SHA-256 of a body as ``simple`` or ``relaxed`` sees it, each made once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._made: dict[bool, bytes] = {}

    def __call__(self, algorithm: bytes) -> bytes:
        is_relaxed = algorithm == b"relaxed"
        if is_relaxed not in self._made:
            seen = relaxed(self._body) if is_relaxed else simple(self._body)
            self._made[is_relaxed] = sha256(seen).digest()
        return self._made[is_relaxed]


def simple(body: bytes) -> bytes:
    """Return a body with one line end at its end; an empty one is a line end."""
    return _trimmed(body) + b"\r\n"


def relaxed(body: bytes) -> bytes:
    """Return a body with white space reduced; an empty one stays empty."""
    # By replacing alone: an expression for "white space before a line end" is quadratic.
    reduced = body.translate(_TABS)
    while _RUNS[-1] in reduced:
        for run in _RUNS:
            reduced = reduced.replace(run, b" ")
    kept = _trimmed(reduced.replace(b" \r\n", b"\r\n"))
    return kept + b"\r\n" if kept else b""


def _trimmed(body: bytes) -> bytes:
    """Return a body without the line ends at its end."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end]
