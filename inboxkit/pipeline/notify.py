"""Notify: the event log told to whoever waits in this process, inbox by inbox. No polling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..store import events, records
from ..store.bell import Bell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Row

    from ..models import Actions, Event
    from ..store.store import Store

_PAGE = 500


class Notify:
    """Follows the log and rings a bell for each inbox and each message that something happened to.

    Every reader keeps a cursor of its own, so a slow one misses nothing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cursor = 0
        self.bell = Bell()

    async def start(self) -> None:
        """Begin at the end of the log."""
        self.bell.attach()
        self._cursor = await self._store.read(events.last)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        while True:
            seen = self._store.bell.count("event")
            rows = await self._store.read(events.after, self._cursor, limit=_PAGE)
            if not rows:
                await self._store.bell.wait("event", seen, timeout=30)
                continue
            self._cursor = rows[-1].seq
            self.bell.ring(_topics(rows))

    async def follow(self, actions: Actions, after: int) -> AsyncIterator[Event]:
        """Iterate over events from a place in the log on, for ever."""
        cursor = after
        while True:
            seen = self.bell.count("any")
            rows = await self._store.read(events.after, cursor, limit=_PAGE)
            if not rows:
                await self.bell.wait("any", seen, timeout=30)
                continue
            cursor = rows[-1].seq
            for event in await self._store.read(records.events, rows, actions):
                yield event


def _topics(rows: Sequence[Row[Any]]) -> set[str]:
    topics = {"any"}
    for row in rows:
        topics.add(f"inbox:{row.inbox_id}")
        topics.add(f"thread:{row.thread_id}")
    return topics
