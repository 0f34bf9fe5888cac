"""Fan-out: the event log handed to the endpoints of outgoing webhooks, as jobs of their own.

Each endpoint has a cursor in the database that moves in the transaction that queues its jobs, so
an event is queued once, however many processes look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ..store import announcements, endpoints, events
from ..store.endpoints import Portion
from .loops import rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from ..store.announcements import Announcement
    from ..store.endpoints import EndpointRecord
    from ..store.store import Store

    Wants = Callable[[EndpointRecord, Announcement], str]

_PAGE = 500
_LONGEST_WAIT = 30.0
_BEHIND_SECONDS = 0.02  # whoever waits for the mail itself looks first


class Fanout:
    """Follows the log for all endpoints; ``wants`` says as what an endpoint is given an event."""

    def __init__(self, store: Store, wants: Wants) -> None:
        self._store = store
        self._wants = wants

    async def run(self) -> None:
        """Work until cancelled."""
        await rounds("webhooks", self._round, is_aside=True)

    async def _round(self) -> None:
        bell = self._store.bell
        seen, changes = bell.count("event"), bell.count(endpoints.CHANGED)
        portions = await self._store.read(self._portions)
        if portions:
            await self._store.write(endpoints.give, portions, self._store.clock.now())
        elif portions is None:  # as a rule: then no mail costs a look
            await bell.wait(endpoints.CHANGED, changes, timeout=_LONGEST_WAIT)
        else:
            await bell.wait("event", seen, timeout=_LONGEST_WAIT)
            await anyio.sleep(_BEHIND_SECONDS)

    def _portions(self, connection: Connection) -> Sequence[Portion] | None:
        """Return one page of the log, by endpoint; None when there is no endpoint to serve."""
        known = endpoints.enabled(connection, self._store.clock.now())
        if not known:
            return None
        if ended := [Portion(one, one.cursor, ()) for one in known if not one.enabled]:
            return ended
        return self._of(connection, known)

    def _of(self, connection: Connection, served: Sequence[EndpointRecord]) -> Sequence[Portion]:
        rows = events.after(connection, min(e.cursor for e in served), limit=_PAGE)
        told = announcements.of(connection, rows)
        return [
            Portion(endpoint, rows[-1].seq, self._wanted(endpoint, told))
            for endpoint in served
            if rows and endpoint.cursor < rows[-1].seq
        ]

    def _wanted(
        self, endpoint: EndpointRecord, told: Sequence[Announcement]
    ) -> Sequence[tuple[int, int, str]]:
        return [
            (one.seq, one.inbox_id, name)
            for one in told
            if one.seq > endpoint.cursor and (name := self._wants(endpoint, one))
        ]
