"""Housekeeping: inboxes whose time is over, webhooks long done with, files that no row names."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from ..errors import StoreError
from ..store import inboxes, purge, webhooks

if TYPE_CHECKING:
    from ..store.store import Store

log = logging.getLogger("inboxkit.janitor")
_EVERY_SECONDS = 60.0
_SWEEP_EVERY = timedelta(hours=6)
_WEBHOOKS_KEPT = timedelta(days=7)  # at least twice as long as any provider's signature is good


class Janitor:
    """Looks round once a minute; what it deletes is deleted with all that hangs on it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._swept_at = store.clock.beat()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.expire()
                if self._store.clock.beat() - self._swept_at > _SWEEP_EVERY:
                    self._swept_at = self._store.clock.beat()
                    await self.sweep()
                    await self.forget_webhooks()
            except StoreError as error:
                log.warning("housekeeping: %s", error)
            await anyio.sleep(_EVERY_SECONDS)

    async def expire(self) -> int:
        """Delete inboxes whose time is over; return how many."""
        over = await self._store.read(inboxes.expired, self._store.clock.now())
        for inbox_id in over:
            self._store.blobs.remove(await self._store.write(purge.inbox, inbox_id))
        return len(over)

    async def sweep(self) -> int:
        """Delete files that no row names; return how many."""
        known = await self._store.read(purge.locations)
        return await to_thread.run_sync(self._store.blobs.sweep, known)

    async def forget_webhooks(self) -> int:
        """Delete the webhooks that were done with a week ago; return how many."""
        before, total = self._store.clock.now() - _WEBHOOKS_KEPT, 0
        while gone := await self._store.write(webhooks.forget, before):
            total += gone
        return total
