"""Events: the log after a cursor, with a wait for the first of them; and labels that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from ...store import announcements, events, inboxes, label_events
from .access import ORGANIZATION
from .envelope import invalid, not_found
from .live import Wish
from .routing import At, Route
from .schemas.events import TYPES, EventsQuery, ListEventsResponse, brief
from .schemas.label_events import InboxEvent, ListInboxEventsResponse
from .schemas.wire import PageQuery
from .targets import shown_inbox_id, shown_message_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from ...store.announcements import Announcement
    from ...store.reach import Reach
    from .call import Call
    from .live import Live
    from .schemas.events import Event

_START = "start"
_PAGE = 500


async def listed(call: Call[EventsQuery]) -> ListEventsResponse:
    """Return events after a cursor, in order; with ``wait`` the first is waited for.

    Every answer has a ``cursor`` to go on from, so nothing is missed between two requests.
    """
    asked, live = call.given, call.parts.live
    cursor = place(asked.after, live)
    wish = Wish(
        call.reach,
        frozenset(asked.event_types) or TYPES,
        frozenset(await call.store.read(inbox_rows, call.reach, asked.inbox_ids)),
    )
    with call.parts.live.listeners.entered(call.line):
        told, cursor = await first(live, cursor, wish, asked.limit, asked.wait)
    if asked.wait:
        await call.check_key()
    found = await (_briefly(call, told) if asked.brief else shown(live, told))
    return ListEventsResponse(
        count=len(found), limit=asked.limit, cursor=events.cursor_id(cursor), events=found
    )


async def _briefly(call: Call[EventsQuery], told: Sequence[Announcement]) -> list[Event]:
    """Return events without their messages, if these were not deleted; domains are told whole."""
    there = await call.store.read(announcements.present, told)
    left = [one for one in told if not one.message_id or one.message_id in there]
    found = [brief(one) if one.message_id else await call.parts.live.event(one) for one in left]
    return [one for one in found if one is not None]


async def first(
    live: Live, cursor: int, wish: Wish, limit: int, wait: float
) -> tuple[list[Announcement], int]:
    """Return the first events that are wanted, at once or when they come, and where they end."""
    seen = live.seen()
    found, cursor = await _look(live, cursor, wish, limit)
    with anyio.move_on_after(wait):
        while not found:
            await live.more(seen, timeout=wait)
            seen = live.seen()
            found, cursor = await _look(live, cursor, wish, limit)
    return found, cursor


async def _look(live: Live, cursor: int, wish: Wish, limit: int) -> tuple[list[Announcement], int]:
    """Return what is wanted of the log up to its end, at most ``limit``, and where that ends."""
    more = True
    while more:
        told, cursor, more = await live.after(cursor, wish, limit=_PAGE)
        if told:
            found = list(told[:limit])
            return found, found[-1].seq if len(told) > limit else cursor
    return [], cursor


def place(after: str | None, live: Live) -> int:
    """Return the place in the log that a cursor names; raise ApiError."""
    if after is None:
        return live.end
    if after == _START:
        return 0
    try:
        return events.cursor_seq(after)
    except ValueError:
        raise invalid(f"is no cursor; give an event_id or {_START!r}", "after") from None


def inbox_rows(connection: Connection, reach: Reach, ids: Iterable[str]) -> list[int]:
    """Return the rows of inboxes; raise ApiError for one that is not within reach."""
    rows: list[int] = []
    for name in ids:
        found = inboxes.within(connection, reach, name)
        if found is None:
            raise not_found("Inbox", name)
        rows.append(found.id)
    return rows


async def shown(live: Live, told: Iterable[Announcement]) -> list[Event]:
    """Return events for the wire; those whose message was deleted are left out."""
    found = [await live.event(one) for one in told]
    return [one for one in found if one is not None]


async def labelled(call: Call[PageQuery]) -> ListInboxEventsResponse:
    """List which labels came and went in an inbox, newest first."""
    page = call.by_id("label-events", call.given)
    rows = await call.store.read_at_length(label_events.listed, call.reach, call.inbox.id, page)
    items, more = call.cut("label-events", page, rows, lambda row: [row.id])
    found = [_inbox_event(call, row) for row in items]
    return ListInboxEventsResponse(events=found, **more)


def _inbox_event(call: Call[Any], row: label_events.LabelEvent) -> InboxEvent:
    return InboxEvent(
        organization_id=ORGANIZATION,
        pod_id=call.inbox.pod_id,
        inbox_id=shown_inbox_id(call.inbox.address),
        event_id=row.public_id,
        event_type="label.added" if row.added else "label.removed",
        message_id=shown_message_id(row.message),
        label=row.label,
        event_at=row.at,
        created_at=row.at,
    )


ROUTES: tuple[Route[Any], ...] = (
    Route(
        "GET", "/events", listed, EventsQuery, ListEventsResponse, "message_read", At.ORG | At.POD
    ),
    Route("GET", "/events", labelled, PageQuery, ListInboxEventsResponse, "message_read", At.INBOX),
)
