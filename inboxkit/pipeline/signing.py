"""Signing what leaves by SMTP with the key of its domain. Other providers sign by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..store import domains

if TYPE_CHECKING:
    from datetime import datetime

    from ..dkim_keys import DkimKey
    from ..store.domains import DomainRecord
    from ..store.store import Store

_FRESH = timedelta(seconds=10)
_MOST_DOMAINS = 1_000


class Signer:
    """Knows the keys of the domains that are sent from, for a few seconds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[datetime, DomainRecord | None]] = {}

    async def key(self, sender: str, pod_id: str | None) -> DkimKey | None:
        """Return the key for mail from an address, sent by an inbox of this pod.

        None when its domain has none in DNS, or is another pod's.
        """
        found = await self._domain(sender.rpartition("@")[2].lower())
        return found.key if found is not None and found.signs_for(pod_id) else None

    async def _domain(self, name: str) -> DomainRecord | None:
        now = self._store.clock.beat()
        looked_at, found = self._known.get(name, (now - 2 * _FRESH, None))
        if now - looked_at < _FRESH:
            return found
        found = await self._store.read(domains.signing, name)
        if len(self._known) >= _MOST_DOMAINS:
            self._known.clear()
        self._known[name] = (now, found)
        return found
