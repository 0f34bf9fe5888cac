"""Our own values over HTTP, beside AgentMail's: what ``inboxkit.client`` asks for."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ...errors import NotFound
from ...pipeline import deletion
from ...store import conversations, inboxes, records, search
from ...store.api_tables import DEFAULT_POD
from ...store.claims import Taken
from ...store.query import Query, parse_query
from ...tokens import row_id
from ...values import Direction
from . import sends
from .envelope import ApiError, invalid
from .inboxes import chosen, make
from .messages import wanted as wanted_message
from .routing import At, Route
from .schemas.messages import SendMessageRequest, SendMessageResponse
from .schemas.whole import (
    OpenedInbox,
    OpenInboxRequest,
    ThreadState,
    UpdateThreadStateRequest,
    WholeMessage,
    WholeMessagesQuery,
    WholeMessagesResponse,
    thread_state,
    whole,
)
from .schemas.wire import Nothing
from .threads import wanted as wanted_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection

    from ...actions import LocalActions
    from ...models import Actions, Message, Thread
    from ...store.inboxes import InboxRecord
    from ...store.reach import Reach
    from ...values import Draft
    from .call import Call

_MOST_STATE_CHARACTERS = 64 * 1024


async def opened(call: Call[OpenInboxRequest]) -> OpenedInbox:
    """Return the inbox of an address, made if it is new, and from when its waits see mail."""
    asked = call.given
    known = await _known(call, asked)
    record = known or await _made(call, asked)
    since = asked.since
    if asked.since_seconds is not None:
        since = call.now - timedelta(seconds=asked.since_seconds)
    elif since is None and known is not None:
        since = call.now
    return OpenedInbox(
        address=record.address,
        display_name=record.display_name,
        metadata=record.metadata,
        since=since,
    )


async def _known(call: Call[Any], asked: OpenInboxRequest) -> InboxRecord | None:
    """Return the inbox that is there, if it is within reach."""
    if asked.address is not None:
        return await call.store.read(inboxes.within, call.reach, asked.address)
    if asked.client_id is None:
        return None
    pod = call.reach.pod_id or DEFAULT_POD
    found = await call.store.read(inboxes.find_client, asked.client_id, pod)
    within = found is not None and call.reach.holds(pod, found.id)
    return found if within else None


async def _made(call: Call[Any], asked: OpenInboxRequest) -> InboxRecord:
    if not call.who.allows("inbox_create"):
        raise ApiError("missing_permission", "The key lacks the permission inbox_create")
    address = asked.address or chosen(call, asked)
    try:
        return await make(call, asked, address=address, field="address")
    except Taken:  # somebody was quicker; within reach it is the one that was asked for
        found = await call.store.read(inboxes.within, call.reach, address)
        if found is None:
            raise
        return found


async def listed(call: Call[WholeMessagesQuery]) -> WholeMessagesResponse:
    """List messages of all inboxes with all that is known of them, newest first.

    By the query language, of one inbox, of one thread (oldest first with ``ascending``), or by ids.
    What is labelled spam and the like is found by ``label:spam``, in its thread and by its id.
    """
    asked = call.given
    if asked.ids:
        found = await call.store.read(
            _within, call.reach, asked.ids, call.parts.actions, brief=asked.brief
        )
        return WholeMessagesResponse(count=len(found), messages=await shown(call, found))
    page = call.by_id("whole", asked)
    rows = await call.store.read_at_length(_rows, call, page)
    ids, fields = call.cut("whole", page, rows, lambda row: [row])
    found = await call.store.read(records.messages, ids, call.parts.actions, brief=asked.brief)
    return WholeMessagesResponse(messages=await shown(call, found), **fields)


def _rows(connection: Connection, call: Call[WholeMessagesQuery], page: Any) -> Sequence[int]:
    asked, reach = call.given, call.reach
    if asked.inbox is not None:
        record = inboxes.within(connection, reach, asked.inbox)
        if record is None:
            raise ApiError("not_found", f"Inbox not found: {asked.inbox[:200]}")
        reach = type(reach)(reach.pod_id, record.id, reach.forbidden)
    if asked.thread is not None:
        found = conversations.find(connection, reach, _row("thd", asked.thread, "Thread"))
        if found is None:
            raise ApiError("not_found", f"Thread not found: {asked.thread[:200]}")
        return conversations.members(connection, reach, found.id, page)
    query = parse_query(asked.query, now=call.now) if asked.query else Query()
    return search.page(connection, reach, query, page, hidden=call.left_out(query))


def _row(prefix: str, public: str, what: str) -> int:
    try:
        return row_id(prefix, public)
    except ValueError:
        raise ApiError("not_found", f"{what} not found: {public[:200]}") from None


async def get(call: Call[Nothing]) -> WholeMessage:
    """Return a message with all that is known of it, by inboxkit's own id (``msg_...``)."""
    ids = call.names("message_id")
    found = await call.store.read(_within, call.reach, ids, call.parts.actions)
    if not found:
        raise call.unknown("Message", "message_id")
    return (await shown(call, found))[0]


async def shown(call: Call[Any], found: Sequence[Message]) -> list[WholeMessage]:
    """Return messages for the wire, as far as the caller may see what they name."""
    made = [whole(one, call.reach.forbidden) for one in found]
    reach = call.who.reach()
    if reach.pod_id is None and reach.inbox_id is None:
        return made
    together = {name for one in made for name in _together(one)}
    hidden = await call.store.read(_elsewhere, reach, together) if together else set[str]()
    return [_without(one, hidden) for one in made]


def _together(one: WholeMessage) -> Sequence[str]:
    """Return whom else a mail came to; they need not be named in it (Bcc)."""
    named = one.envelope.rcpt_to
    return named if one.direction == Direction.INBOUND and len(named) > 1 else ()


def _elsewhere(connection: Connection, reach: Reach, named: Iterable[str]) -> set[str]:
    """Return the addresses of inboxes out of reach."""
    found = {name: inboxes.find_tagged(connection, name) for name in named}
    return {
        name
        for name, record in found.items()
        if record is not None and not reach.holds(record.pod_id, record.id)
    }


def _without(one: WholeMessage, hidden: AbstractSet[str]) -> WholeMessage:
    if hidden.isdisjoint(_together(one)):
        return one
    left = [name for name in one.envelope.rcpt_to if name not in hidden]
    envelope = one.envelope.model_copy(update={"rcpt_to": left})
    return one.model_copy(update={"envelope": envelope})


def _within(
    connection: Connection,
    reach: Reach,
    ids: Sequence[str],
    actions: Actions,
    *,
    brief: bool = False,
) -> list[Message]:
    """Return the messages within reach; other ids are left out."""
    rows: list[int] = []
    for one in ids:
        try:
            rows.append(row_id("msg", one))
        except ValueError:
            continue
    found = records.messages(connection, list(dict.fromkeys(rows)), actions, brief=brief)
    known = {m.inbox: inboxes.within(connection, reach, m.inbox) for m in found}
    return [
        m
        for m in found
        if known[m.inbox] is not None and not m.labels.intersection(reach.forbidden)
    ]


async def get_state(call: Call[Nothing]) -> ThreadState:
    """Return what handlers keep of a thread, and whom it is with."""
    return thread_state(await _thread(call))


async def _thread(call: Call[Any]) -> Thread:
    found = await wanted_thread(call)
    thread = await call.store.read(records.thread, found.id, call.parts.actions)
    if thread is None:
        raise NotFound(f"no thread {call.name('thread_id')}")
    return thread


async def update_state(call: Call[UpdateThreadStateRequest]) -> ThreadState:
    """Merge into a thread's state."""
    if len(json.dumps(call.given.state)) > _MOST_STATE_CHARACTERS:
        raise invalid(f"is longer than {_MOST_STATE_CHARACTERS} characters", "state")
    await call.parts.actions.update_thread(await _thread(call), call.given.state)
    return thread_state(await _thread(call))


async def send_in_thread(call: Call[SendMessageRequest]) -> SendMessageResponse:
    """Write to the people outside in a thread."""
    thread = await _thread(call)

    async def go(actions: LocalActions, draft: Draft) -> Message:
        return await actions.send_in_thread(thread, draft)

    return await sends.accepted(call, f"thread {thread.id}", go)


async def cancel(call: Call[Nothing]) -> None:
    """Take back a send that is still scheduled: it is deleted, and nothing leaves.

    What has left or is leaving is refused (409) and stays.
    """
    found = await wanted_message(call)
    await deletion.cancel(call.store, row_id("msg", found.message.id))


_MESSAGES, _STATE = "/messages", "/threads/{thread_id}/state"
_CANCEL = f"{_MESSAGES}/{{message_id}}/cancel"
ROUTES: tuple[Route[Any], ...] = (
    Route("POST", "/inboxes/open", opened, OpenInboxRequest, OpenedInbox, "inbox_read"),
    Route("GET", _MESSAGES, listed, WholeMessagesQuery, WholeMessagesResponse, "message_read"),
    Route("GET", f"{_MESSAGES}/{{message_id}}", get, Nothing, WholeMessage, "message_read"),
    Route("POST", _CANCEL, cancel, Nothing, None, "message_delete", At.INBOX),
    Route("GET", _STATE, get_state, Nothing, ThreadState, "message_read"),
    Route("PATCH", _STATE, update_state, UpdateThreadStateRequest, ThreadState, "message_update"),
    Route(
        "POST",
        "/threads/{thread_id}/send",
        send_in_thread,
        SendMessageRequest,
        SendMessageResponse,
        "message_send",
        At.INBOX,
        sends.MOST_BYTES,
    ),
)
