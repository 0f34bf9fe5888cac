"""Base64 (RFC 4648) of large files, a piece at a time.

The interpreter is held while a piece is written or read: of a whole file that is long enough to be
noticed by everybody else, also from a thread.
"""

from __future__ import annotations

from base64 import encodebytes
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 57 * 8 * 1024  # bytes: whole lines of MIME, and whole groups of three and of four


def encode(data: bytes) -> str:
    """Return bytes as one line of base64."""
    written = (b2a_base64(piece, newline=False) for piece in _pieces(data))
    return "".join(piece.decode("ascii") for piece in written)


def lines(data: bytes) -> Iterator[bytes]:
    """Iterate over bytes as lines of base64 that end with CRLF (RFC 2045 section 6.8)."""
    for piece in _pieces(data):
        yield encodebytes(piece).replace(b"\n", b"\r\n")


def decode(text: str) -> bytes:
    """Return the bytes of base64, which may have spaces and line ends; raise ValueError."""
    decoded, held = bytearray(), ""
    for start in range(0, len(text), _PIECE):
        letters = held + "".join(text[start : start + _PIECE].split())
        whole = max(len(letters) - 1, 0) // 4 * 4  # only the last group may be padded: it waits
        if "=" in letters[:whole]:
            raise ValueError("data after the padding")
        decoded += a2b_base64(letters[:whole], strict_mode=True)
        held = letters[whole:]
    decoded += a2b_base64(held, strict_mode=True)
    return bytes(decoded)


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
