"""Housekeeping: what is older or more than is to be kept, and files that no row names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from ..blocking import in_thread
from ..store import attempts, caps, housekeeping, inboxes, mailgun_validations, purge, webhooks
from .deletion import PORTION, delete_inbox, delete_portion
from .loops import rounds

if TYPE_CHECKING:
    from ..settings import Settings
    from ..store.store import Store

_EVERY_SECONDS = 60.0
_RARELY = timedelta(hours=6)
_AFTER_START = timedelta(minutes=1)
_ATTEMPTS_KEPT = timedelta(days=30)
_LISTS_KEPT = timedelta(days=30)
_WEBHOOKS_KEPT = timedelta(days=7)  # at least twice as long as any provider's signature is good


class Janitor:
    """Looks round once a minute; what it deletes is deleted with all that hangs on it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._begun_at = store.clock.beat()

    async def run(self) -> None:
        """Work until cancelled."""
        await rounds("housekeeping", self._round, pause=_EVERY_SECONDS, is_aside=True)

    async def _round(self) -> None:
        await self.expire()
        await self.retain()
        if await self._is_due():
            await self.forget_webhooks()
            await self.forget_attempts()
            await self.forget_lists()
            await self.forget_replies()
            await self.sweep()  # the last one: a bucket that is away must not hold up the others
            await self._store.write(housekeeping.done, self._store.clock.beat())
        await anyio.sleep(_EVERY_SECONDS)

    async def _is_due(self) -> bool:
        """Whether what is done rarely is to be done now; what fails is so until it works."""
        now = self._store.clock.beat()
        if now - self._begun_at < _AFTER_START:
            return False
        return await self._store.read(housekeeping.is_due, now, _RARELY)

    async def expire(self) -> int:
        """Delete inboxes whose time is over; return how many."""
        over = await self._store.read(inboxes.expired, self._store.clock.now())
        for inbox_id in over:
            await delete_inbox(self._store, inbox_id)
        return len(over)

    async def retain(self) -> int:
        """Delete messages older or more than the settings keep; return how many."""
        total, keep, now = 0, self._settings.keep_messages, self._store.clock.now()
        if self._settings.keep_days:
            before = now - timedelta(days=self._settings.keep_days)
            while ids := await self._store.read(purge.older_than, before, now=now, limit=PORTION):
                await delete_portion(self._store, ids)
                total += len(ids)
        for inbox_id in await self._store.read(purge.larger_than, keep) if keep else ():
            total += await self._shrink(inbox_id, keep=keep)
        return total

    async def _shrink(self, inbox_id: int, *, keep: int) -> int:
        total, now = 0, self._store.clock.now()
        while ids := await self._store.read(purge.beyond, inbox_id, keep, now=now, limit=PORTION):
            await delete_portion(self._store, ids)
            total += len(ids)
        return total

    async def sweep(self) -> int:
        """Delete files that no row names; return how many."""
        known = await self._store.read(purge.locations)
        return await in_thread(self._store.blobs.sweep, known)

    async def forget_attempts(self) -> int:
        """Delete the log of posts to webhooks that were made a month ago; return how many."""
        before = self._store.clock.now() - _ATTEMPTS_KEPT
        return await self._store.write(attempts.forget, before)

    async def forget_lists(self) -> int:
        """Delete the lists that were validated and came a month ago; return how many."""
        before = self._store.clock.now() - _LISTS_KEPT
        return await self._store.write(mailgun_validations.forget, before)

    async def forget_webhooks(self) -> int:
        """Delete the webhooks that were done with a week ago; return how many."""
        before, total = self._store.clock.now() - _WEBHOOKS_KEPT, 0
        while gone := await self._store.write(webhooks.forget, before):
            total += gone
        return total

    async def forget_replies(self) -> int:
        """Delete the counts of automatic replies of earlier hours; return how many."""
        now, total = self._store.clock.now(), 0
        while gone := await self._store.write(caps.forget, now):
            total += gone
        return total
