"""Notify: the event log told to whoever waits in this process, inbox by inbox. No polling."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import anyio
from sqlalchemy import Row

from ..store import events, records
from ..store.bell import Closed, inbox_topic
from .loops import patiently, rounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ..models import Actions, Event
    from ..store.store import Store

_PAGE = 500
_KEPT = 2_000
_BUSY = 8  # entries at once: from here on fewer and larger looks cost less
_REST_SECONDS = 0.02
_BEHIND_SECONDS = 0.005  # those whom the commit rang itself look first


class Notify:
    """Follows the log and rings a bell for each inbox that something happened in.

    It is the store's: mail that was read in this process has rung it already, at its commit. Every
    reader keeps a cursor of its own, so a slow one misses nothing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.cursor = 0
        self.bell = store.bell
        self._recent: deque[Row[Any]] = deque()
        self._recent_after = 0  # the place before the oldest entry that is kept

    async def start(self) -> None:
        """Begin at the end of the log."""
        self.cursor = self._recent_after = await self._store.read(events.last)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        await rounds("event log", self._round)

    async def _round(self) -> None:
        seen = self._store.bell.count("event")
        rows = await self._store.read(events.after, self.cursor, limit=_PAGE)
        if rows:
            self._keep(rows)
            self.bell.ring(_topics(rows))
        if len(rows) >= _BUSY:
            await anyio.sleep(_REST_SECONDS)
        if len(rows) < _PAGE:  # what comes after this read rings anew
            await self._store.bell.wait("event", seen, timeout=30)
            await anyio.sleep(_BEHIND_SECONDS)

    def _keep(self, rows: Sequence[Row[Any]]) -> None:
        self.cursor = rows[-1].seq
        self._recent.extend(rows)
        while len(self._recent) > _KEPT:
            self._recent_after = self._recent.popleft().seq

    async def after(self, cursor: int, *, limit: int = _PAGE) -> Sequence[Row[Any]]:
        """Return entries after a place in the log: new ones from memory, however many ask."""
        if cursor < self._recent_after:
            return await self._store.read(events.after, cursor, limit=limit)
        found = list[Row[Any]]()
        for row in reversed(self._recent):
            if row.seq <= cursor:
                break
            found.append(row)
        return found[::-1][:limit]

    async def follow(self, actions: Actions, after: int) -> AsyncIterator[Event]:
        """Iterate over events from a place in the log on, until the kit is closed."""
        cursor, seen = after, 0

        async def page() -> Sequence[Event] | None:
            nonlocal cursor, seen
            seen = self.bell.count("any")
            rows = await self._store.read(events.after, cursor, limit=_PAGE)
            if not rows:
                return None
            told = await self._store.read(records.events, rows, actions)
            cursor = rows[-1].seq
            return told

        while True:
            try:
                told = await patiently("events", page, self.bell)
                if told is None:
                    await self.bell.wait("any", seen, timeout=30)
            except Closed:
                return
            for event in told or ():
                yield event


def _topics(rows: Sequence[Row[Any]]) -> set[str]:
    return {"any", *(inbox_topic(row.inbox_id) for row in rows)}
