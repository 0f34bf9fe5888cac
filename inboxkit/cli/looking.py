"""The database of a command that starts no work: no steps, no ports, nor the modules of either.

Such a command starts in a third of the time that one with an ``InboxKit`` takes.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..actions import LocalActions
from ..clock import Clock
from ..pipeline.addresses import Addresses
from ..pipeline.notify import Notify
from ..store import examination
from ..store.store import Store
from ..store.workers import DEAD_AFTER
from .opening import require_database, row_number, settings_of, work_on_a_database

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import click

    from ..models import Message, Thread
    from ..settings import Settings


@dataclass(frozen=True, slots=True)
class Look:
    """A database that is open, and what can be read of it."""

    settings: Settings
    clock: Clock
    store: Store
    addresses: Addresses
    actions: LocalActions

    async def message(self, id: str) -> Message:
        """Return a message; raise NotFound."""
        return await self.actions.message(id)

    async def thread(self, id: str) -> Thread:
        """Return a thread; raise NotFound."""
        row_number("thd", id)
        return await self.actions.thread(id)

    async def others_at_work(self) -> int:
        """Return how many other processes work on this database, or did ten seconds ago."""
        work = await self.store.read(examination.work, self.clock.now() - DEAD_AFTER)
        return work.living - 1


@asynccontextmanager
async def looked(ctx: click.Context, *, makes: bool = False) -> AsyncGenerator[Look]:
    """Open the database of this call; raise NotFound if there is none, unless it ``makes`` one."""
    work_on_a_database(ctx)
    settings = settings_of(ctx)
    if not makes:
        require_database(settings)
    async with look(settings) as found:
        yield found


@asynccontextmanager
async def look(settings: Settings) -> AsyncGenerator[Look]:
    """Open the database of settings."""
    clock, options = Clock(), settings.provider_options("object_store")
    store = Store(settings.database, clock, bucket=settings.object_store, options=options)
    addresses = Addresses(store, settings)
    await store.open()
    try:
        # No providers: nothing is sent from here.
        actions = LocalActions(store, Notify(store), settings, (), addresses)
        yield Look(settings, clock, store, addresses, actions)
    finally:
        await store.close()
