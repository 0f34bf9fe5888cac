"""Content-Transfer-Encoding (RFC 2045 section 6), leniently: what cannot be decoded is kept."""

from __future__ import annotations

import binascii
import re

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_ALPHABET = bytes(set(range(256)) - set(_ALPHABET))
_SPACES = b" \t\r\n"
_PADDING = re.compile(rb"=[=\s]*")
_LOOSE_SOFT_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")


def decode(data: bytes, encoding: str) -> bytes:
    """Return the bytes of a body; an unknown encoding, or a false one, leaves them as they are."""
    name = encoding.partition(";")[0].strip(" \t\r\n\"'").lower()
    if name in ("base64", "b64", "b"):
        return decode_base64(data) if _looks_like_base64(data) else data
    if name in ("quoted-printable", "quoted_printable", "quotedprintable", "qp", "q"):
        return decode_quoted_printable(data)
    return data


def decode_base64(data: bytes) -> bytes:
    """Return the bytes of base64 text; strange signs, bad padding and joined texts are borne."""
    decoded = None if b"=" in data.rstrip(b"= \t\r\n") else _decode_whole(data)
    if decoded is None:
        return b"".join(map(_decode_group, _PADDING.split(data)))
    return decoded


def decode_quoted_printable(data: bytes) -> bytes:
    """Return the bytes of quoted-printable text (RFC 2045 section 6.7)."""
    if b"= " in data or b"=\t" in data:
        data = _LOOSE_SOFT_BREAK.sub(b"=", data)
    return binascii.a2b_qp(data)


def _decode_whole(data: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(data + b"==")
    except binascii.Error:
        return None  # a letter too many or too few


def _decode_group(group: bytes) -> bytes:
    letters = group.translate(None, _NOT_ALPHABET)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _looks_like_base64(data: bytes) -> bool:
    # Plain text sent under a base64 label is one in seven spaces; base64 has next to none.
    strange = len(data.translate(None, _ALPHABET + b"=\r\n"))
    return strange * 10 < max(len(data), 1) or strange < 4
