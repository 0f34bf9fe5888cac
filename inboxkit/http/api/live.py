"""Live events: who is told of what, and the events as they are told, made once for all sockets."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ...store import announcements, events
from ...store.reach import Reach
from ...values import EventType
from .listeners import Listeners
from .schemas.events import RECEIVED, USUAL, Event, domain_event, event, name_of, payload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...models import Actions
    from ...pipeline.notify import Notify
    from ...store.announcements import Announcement
    from ...store.endpoints import EndpointRecord
    from ...store.store import Store

T = TypeVar("T")

MOST_PAYLOAD_BYTES = 1024 * 1024
_KEPT_FACTS, _KEPT_EVENTS = 2_000, 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be told of, within its reach.

    ``types`` None are the usual ones; ``inboxes`` and ``pods``, when there are any, are a choice:
    an event that matches one of either is told.
    """

    reach: Reach
    types: frozenset[str] | None = None
    inboxes: frozenset[int] = frozenset()
    pods: frozenset[str] = frozenset()

    def wants(self, told: Announcement) -> bool:
        """Whether an event is to be told."""
        chosen = not (self.inboxes or self.pods)
        return (
            (chosen or told.inbox_id in self.inboxes or told.pod_id in self.pods)
            and name_of(told) in (USUAL if self.types is None else self.types)
            and told.is_within(self.reach)
        )


def wanted_as(endpoint: EndpointRecord, told: Announcement) -> str:
    """Return the type that an endpoint is given an event as, "" when it is not."""
    reach = Reach(endpoint.pod_id, endpoint.inbox_id, tuple(endpoint.forbidden))
    types, inboxes = frozenset(endpoint.event_types), frozenset(endpoint.inbox_ids)
    wish = Wish(reach, types or None, inboxes, frozenset(endpoint.pod_ids))
    return name_of(told) if wish.wants(told) else ""


class Payloads:
    """Makes the bodies of outgoing webhooks, each time from what is stored now."""

    def __init__(self, store: Store, actions: Actions) -> None:
        self._store = store
        self._actions = actions

    async def body(self, seq: int, name: str) -> bytes | None:
        """Return the body for an entry of the log as this type ("": as it would be told now).

        None when its message was deleted.
        """
        row = await self._store.read(events.by_seq, seq)
        told = [] if row is None else await self._store.read(announcements.of, [row])
        said = await self.event(told[0]) if told else None
        if said is None:
            return None
        named = said.model_copy(update={"event_type": name}) if name else said
        return payload(named, MOST_PAYLOAD_BYTES)

    async def event(self, told: Announcement) -> Event | None:
        """Return an event with its message or its domain, None when that was deleted."""
        if told.type == EventType.DOMAIN_VERIFIED:
            domain = await self._store.read(announcements.subject_domain, told)
            return None if domain is None else domain_event(told, domain)
        thread = name_of(told).startswith(RECEIVED)
        found = await self._store.read(announcements.subject, told, self._actions, thread=thread)
        return None if found is None else event(told, found)


class Live:
    """Tells the events of the log to those who listen now."""

    def __init__(self, store: Store, notify: Notify, actions: Actions) -> None:
        self._store = store
        self._notify = notify
        self._payloads = Payloads(store, actions)
        self._facts: OrderedDict[int, Announcement | None] = OrderedDict()
        self._events: OrderedDict[int, Event | None] = OrderedDict()
        self.listeners = Listeners()

    @property
    def end(self) -> int:
        """The end of the log."""
        return self._notify.cursor

    async def after(
        self, cursor: int, wish: Wish, *, limit: int
    ) -> tuple[Sequence[Announcement], int, bool]:
        """Return what is wanted after a place, the place reached, and whether there is more."""
        rows = await self._notify.after(cursor, limit=limit)
        if not rows:
            return (), cursor, False
        missing = [row for row in rows if row.seq not in self._facts]
        if missing:
            known = {one.seq: one for one in await self._store.read(announcements.of, missing)}
            for row in missing:
                _keep(self._facts, row.seq, known.get(row.seq), _KEPT_FACTS)
        told = [self._facts.get(row.seq) for row in rows]
        wanted = [one for one in told if one is not None and wish.wants(one)]
        return wanted, rows[-1].seq, len(rows) == limit

    async def event(self, told: Announcement) -> Event | None:
        """Return an event for the wire; None when what it is about was deleted."""
        if told.seq not in self._events:
            _keep(self._events, told.seq, await self._payloads.event(told), _KEPT_EVENTS)
        return self._events[told.seq]

    def seen(self) -> int:
        """Return what ``more`` needs; take it before looking for events."""
        return self._notify.bell.count("any")

    async def more(self, seen: int, *, timeout: float) -> None:
        """Return when something has happened since, at the latest after ``timeout`` s."""
        await self._notify.bell.wait("any", seen, timeout=timeout)

    async def stopping(self, _app: object) -> None:
        """End all streams and waits, as the server is stopping."""
        await self.listeners.close()


def _keep(kept: OrderedDict[int, T], seq: int, value: T, most: int) -> None:
    kept[seq] = value
    while len(kept) > most:
        kept.popitem(last=False)
