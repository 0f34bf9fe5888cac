"""Who has signed in: a signed cookie that names a key and a time, and is worth no more than both.

It needs no memory of any process, so all workers and hosts on one database know it.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from typing import TYPE_CHECKING

from ..api.page_tokens import micros, moment

if TYPE_CHECKING:
    from datetime import datetime

    from ...store.store import Store
    from ..api.access import Access, Identity

LIFETIME = timedelta(hours=12)
_KEY_OF_SETTINGS = 0  # no stored key has this id
_NUMBER_BYTES = 8
_NAME_BYTES = 4
_BODY_BYTES = 2 * _NUMBER_BYTES


class Sessions:
    """Makes cookies for those who have shown a key, and reads them."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    @property
    def name(self) -> str:
        """The name of the cookie: browsers tell ports of a host apart in nothing else."""
        told = hmac.digest(self._store.identity, b"cookie", hashlib.sha256)
        return f"inboxkit_{told[:_NAME_BYTES].hex()}"

    def begun(self, who: Identity) -> str:
        """Return the cookie of somebody whose key was good a moment ago."""
        key_id = _KEY_OF_SETTINGS if who.key is None else who.key.id
        until = micros(self._store.clock.now() + LIFETIME)
        body = b"".join(n.to_bytes(_NUMBER_BYTES, "big") for n in (key_id, until))
        return urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()

    async def holder(self, cookie: str) -> Identity | None:
        """Return who holds a cookie; None when it or its key is none of ours or has ended."""
        try:
            data = urlsafe_b64decode(cookie.encode("ascii") + b"=" * (-len(cookie) % 4))
        except ValueError:
            return None
        body, mac = data[:_BODY_BYTES], data[_BODY_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            return None
        if self._ends_at(body) <= self._store.clock.now():
            return None
        return await self._access.still(int.from_bytes(body[:_NUMBER_BYTES], "big"))

    def _ends_at(self, body: bytes) -> datetime:
        return moment(int.from_bytes(body[_NUMBER_BYTES:], "big"))

    def _mac(self, body: bytes) -> bytes:
        """With another key in the settings every session has ended."""
        signed = b"session:" + self._access.mark.encode() + b":" + body
        return hmac.digest(self._store.secret, signed, hashlib.sha256)
