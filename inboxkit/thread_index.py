"""Outlook's Thread-Index: the conversation index of MS-OXOMSG section 2.2.1.3.

Twenty-two bytes name the conversation; each answer adds five.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import UTC, datetime, timedelta

_ROOT = 22
_CHILD = 5
_MOST_CHILDREN = 100
_RESERVED = 1
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)  # of FILETIME, which counts 100 ns
_TICK = timedelta(microseconds=1)


def index_root(thread_index: str) -> str:
    """Return the part that all messages of a conversation share, as hex; "" when unusable."""
    return _decode(thread_index)[:_ROOT].hex()


def thread_index_root(seed: bytes, at: datetime) -> str:
    """Return the index of a conversation's first message; the same seed gives the same index."""
    guid = hashlib.blake2b(seed, digest_size=16).digest()
    return _encode(bytes([_RESERVED]) + _filetime(at).to_bytes(8, "big")[:5] + guid)


def thread_index_child(parent: str, at: datetime) -> str:
    """Return the index of an answer to a message, or "" when the message's own is unusable."""
    index = _decode(parent)
    if not index:
        return ""
    delta = max(0, _filetime(at) - _started(index))
    coarse = delta >> 49 != 0  # more than 1.7 years: the clock ticks in longer steps
    moment = (delta >> (23 if coarse else 18)) & 0x7FFFFFFF | (0x80000000 if coarse else 0)
    spread = hashlib.blake2b(index + moment.to_bytes(4, "big"), digest_size=1).digest()
    kept = index[: _ROOT + _CHILD * _MOST_CHILDREN]
    return _encode(kept + moment.to_bytes(4, "big") + spread)


def _decode(thread_index: str) -> bytes:
    """Return the bytes of an index, b"" for what is none."""
    try:
        index = base64.b64decode("".join(thread_index[:8192].split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return index if len(index) >= _ROOT and index[0] == _RESERVED else b""


def _started(index: bytes) -> int:
    """Return the FILETIME in an index; older programs have no reserved byte before it."""
    if index[1] == _RESERVED:
        return int.from_bytes(index[1:6], "big") << 24
    return int.from_bytes(index[:6], "big") << 16


def _filetime(at: datetime) -> int:
    return (at - _EPOCH) // _TICK * 10


def _encode(index: bytes) -> str:
    return base64.b64encode(index).decode("ascii")
