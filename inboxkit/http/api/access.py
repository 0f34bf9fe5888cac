"""Who is calling: API keys, what they may do, and when a caller without one may do anything."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...settings import host_port, is_loopback
from ...store import api_keys
from ...store.reach import Reach
from .envelope import ApiError
from .permissions import LABEL_PERMISSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aiohttp import web

    from ...settings import Settings
    from ...store.api_keys import KeyRecord
    from ...store.store import Store

ORGANIZATION = "org_default"
_USED_EVERY = timedelta(minutes=1)  # so a busy key costs no write for each request
_PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
_MAKE_A_KEY = "make a key with: inboxkit key create NAME"


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller: the key it came with (None: the key of the settings, or nobody's), and its scope.

    ``live`` callers may send through a provider that reaches people.
    """

    key: KeyRecord | None = None
    live: bool = False

    @property
    def permissions(self) -> Mapping[str, bool] | None:
        """What is allowed; None allows everything."""
        return None if self.key is None else self.key.permissions

    @property
    def pod_id(self) -> str | None:
        """The pod that the key is bound to, also by its inbox."""
        return None if self.key is None else self.key.pod_id

    @property
    def inbox_id(self) -> int | None:
        """The inbox that the key is bound to."""
        return None if self.key is None else self.key.inbox_id

    @property
    def claims_in(self) -> str:
        """Where its idempotency keys hold; the same key elsewhere is another one."""
        if self.inbox_id is not None:
            return f"inbox:{self.inbox_id}"
        return "organization" if self.pod_id is None else self.pod_id

    def allows(self, permission: str) -> bool:
        """Whether the key has a permission; "" is what every key has."""
        return not permission or self.permissions is None or bool(self.permissions.get(permission))

    def reach(self) -> Reach:
        """Return what the caller may see."""
        forbidden = [label for label, name in LABEL_PERMISSIONS.items() if not self.allows(name)]
        return Reach(self.pod_id, self.inbox_id, tuple(forbidden))


class Access:
    """Tells callers apart. Without any key, this machine alone is let in, as an administrator."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._secret = api_keys.hashed(settings.api_key) if settings.api_key else ""
        self._local = False

    def bound(self, bind: str) -> None:
        """Remember where the server listens: only a loopback address may be open to anybody."""
        self._local = is_loopback(host_port(bind)[0])

    async def identify(self, request: web.Request) -> Identity:
        """Return who makes a request; raise ApiError when nobody may be let in."""
        secret = bearer(request)
        known = await self.known(secret) if secret else None
        if known is not None:
            return known
        if self._local and not self._secret and not await self._store.read(api_keys.were_made):
            check_local(request)
            return Identity()
        if secret:
            raise ApiError(
                "unknown_api_key", "The API key is unknown, expired or revoked", fix=_MAKE_A_KEY
            )
        raise ApiError(
            "missing_authorization",
            "No API key was given",
            fix=f"send Authorization: Bearer KEY; {_MAKE_A_KEY}",
            headers={"WWW-Authenticate": "Bearer"},
        )

    async def known(self, secret: str) -> Identity | None:
        """Return who has this secret key, or None."""
        if self._secret and hmac.compare_digest(self._secret, api_keys.hashed(secret)):
            return Identity()
        now = self._store.clock.now()
        return await self._used(await self._store.read(api_keys.find_secret, secret, now), now)

    @property
    def mark(self) -> str:
        """What changes with the key of the settings, and tells nothing of it."""
        return self._secret

    async def still(self, key_id: int) -> Identity | None:
        """Return who has shown this key before (0: that of the settings), while it is good."""
        if not key_id:
            return Identity() if self._secret else None
        now = self._store.clock.now()
        return await self._used(await self._store.read(api_keys.find_good, key_id, now), now)

    async def _used(self, key: KeyRecord | None, now: datetime) -> Identity | None:
        if key is None:
            return None
        if key.used_at is None or now - key.used_at >= _USED_EVERY:
            await self._store.write_lightly(api_keys.touch, key.id, now)
        return Identity(key, live=key.live)


def bearer(request: web.Request) -> str:
    """Return the key of the header Authorization, or of ``api_key`` where no header can be set."""
    scheme, _, secret = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    return request.query.get("api_key", "") if upgrade else ""


def check_local(request: web.Request) -> None:
    """Refuse what a foreign web page could make a browser send (DNS rebinding, cross-site forms).

    The same for what a proxy hands on: it makes everybody look as if they were on this machine.
    """
    peer = request.transport.get_extra_info("peername") if request.transport else None
    origin = request.headers.get("Origin")
    good = (
        (peer is None or is_loopback(str(peer[0])))
        and _is_here(f"//{request.headers.get('Host', '')}")
        and (origin is None or _is_here(origin))
        and request.headers.get("Sec-Fetch-Site") != "cross-site"
        and not any(name in request.headers for name in _PROXY_HEADERS)
    )
    if not good:
        raise ApiError(
            "forbidden",
            "Without an API key only programs on this machine are let in, by a loopback address",
            fix=_MAKE_A_KEY,
        )


def _is_here(url: str) -> bool:
    """Whether a URL names this machine; so do all names below localhost (RFC 6761 section 6.3)."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return is_loopback(host) or host.endswith(".localhost")
