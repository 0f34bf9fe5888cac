"""Page tokens: opaque, signed, naming the last row of a page. A token of ours or an error."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from .envelope import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAC_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def made(secret: bytes, kind: str, key: Sequence[int | str]) -> str:
    """Return the token of a position in a list of this kind."""
    body = json.dumps(list(key), separators=(",", ":")).encode()
    return urlsafe_b64encode(_mac(secret, kind, body) + body).rstrip(b"=").decode()


def read(secret: bytes, kind: str, token: str) -> list[Any]:
    """Return the position that a token names; raise ApiError for what is none of this list."""
    try:
        data = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        data = b""
    mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
    if not body or not hmac.compare_digest(mac, _mac(secret, kind, body)):
        raise invalid(
            "is not a page token of this list", "page_token", fix="start without page_token"
        )
    return cast("list[Any]", json.loads(body))


def micros(moment: datetime) -> int:
    """Return a moment as a number that a token can hold."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    """Return the moment of ``micros``."""
    return _EPOCH + timedelta(microseconds=micros)


def _mac(secret: bytes, kind: str, body: bytes) -> bytes:
    signed = f"page:{kind}:".encode() + body
    return hmac.digest(secret, signed, hashlib.sha256)[:_MAC_BYTES]
