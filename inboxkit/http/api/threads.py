"""Threads: of one inbox, of a pod, of all. List, search, get, label, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...store import conversations, records
from ...store.pages import Page
from ...tokens import row_id
from .envelope import ApiError
from .highlights import highlights
from .messages import downloadable, query_of, relabel, removed, searched, shown, worded
from .page_tokens import micros, moment
from .routing import EVERYWHERE, Route
from .schemas.attachments import AttachmentResponse
from .schemas.threads import (
    GetThreadQuery,
    ListThreadsQuery,
    ListThreadsResponse,
    SearchThreadItem,
    SearchThreadsResponse,
    Thread,
    ThreadItem,
    UpdateThreadRequest,
    UpdateThreadResponse,
    fields,
)
from .schemas.wire import Nothing, SearchQuery

if TYPE_CHECKING:
    from ...store.conversations import Conversation
    from .call import Call

_MOST_RELABELLED = 100
_ALL: Page[int] = Page(10_000_000)


async def listed(call: Call[ListThreadsQuery]) -> ListThreadsResponse:
    """List threads, the one with the newest message first."""
    asked = call.given
    terms = {"from": asked.senders, "to": asked.recipients, "subject": asked.subject}
    page = call.page("threads", asked)
    if page.after is not None:
        page = replace(page, after=(moment(page.after[0]), page.after[1]))
    found = await call.store.read_at_length(
        conversations.listed,
        call.reach,
        query_of(asked, terms),
        page,
        hidden=call.hidden(asked.included()),
    )
    items, more = call.cut("threads", page, found, lambda c: [micros(c.last_at), c.id])
    return ListThreadsResponse(threads=[ThreadItem(**fields(c)) for c in items], **more)


async def search(call: Call[SearchQuery]) -> SearchThreadsResponse:
    """Search threads by what their messages say, newest first."""
    page = call.by_id("threads-search", call.given)
    query = searched(call)
    found = await call.store.read_at_length(
        conversations.found, call.reach, query, page, hidden=call.left_out(query)
    )
    items, more = call.cut("threads-search", page, found, lambda pair: [pair[0]])
    hits = [m.message for m in await shown(call, [hit for hit, _ in items])]
    return SearchThreadsResponse(
        threads=[
            SearchThreadItem(**fields(c), highlights=highlights(hit, query))
            for hit, (_, c) in zip(hits, items, strict=True)
        ],
        **more,
    )


async def wanted(call: Call[Any]) -> Conversation:
    """Return the thread of the path; raise ApiError 404."""
    try:
        row = row_id("thd", call.name("thread_id"))
    except ValueError:
        raise call.unknown("Thread", "thread_id") from None
    found = await call.store.read(conversations.find, call.reach, row)
    if found is None:
        raise call.unknown("Thread", "thread_id")
    return found


async def get(call: Call[GetThreadQuery]) -> Thread:
    """Return a thread with its newest messages; the next page has older ones."""
    found = await wanted(call)
    page = call.by_id(f"thread-{found.id}", call.given)
    rows = await call.store.read(conversations.members, call.reach, found.id, page)
    ids, more = call.cut(f"thread-{found.id}", page, rows, lambda row: [row])
    messages = await worded(list(reversed(await shown(call, ids))))
    return Thread(**fields(found), **more, messages=messages)


async def get_attachment(call: Call[Nothing]) -> AttachmentResponse:
    """Return a file of a thread's messages, with where it can be downloaded."""
    found = await wanted(call)
    rows = await call.store.read(conversations.members, call.reach, found.id, _ALL)
    messages = await call.store.read(records.messages, rows, call.parts.actions)
    return downloadable(call, [file for m in messages for file in m.attachments])


async def update(call: Call[UpdateThreadRequest]) -> UpdateThreadResponse:
    """Label all messages of a thread, in one step; threads of fewer than 100 messages."""
    found = await wanted(call)
    if found.message_count >= _MOST_RELABELLED:
        raise ApiError(
            "unprocessable",
            f"The thread has {found.message_count} messages; {_MOST_RELABELLED - 1} at most",
            fix="label its messages",
        )
    rows = await call.store.read(conversations.members, call.reach, found.id, _ALL)
    await relabel(call, rows, call.given)
    after = await wanted(call)
    return UpdateThreadResponse(thread_id=call.name("thread_id"), labels=sorted(after.labels))


async def delete(call: Call[Nothing]) -> None:
    """Delete a thread and all of its messages for good."""
    found = await wanted(call)
    await removed(call, await call.store.read(conversations.members, call.reach, found.id, _ALL))


_LIST = "/threads"
_ITEM = "/threads/{thread_id}"
_AT = EVERYWHERE
ROUTES = (
    Route("GET", _LIST, listed, ListThreadsQuery, ListThreadsResponse, "message_read", _AT),
    Route(
        "GET", f"{_LIST}/search", search, SearchQuery, SearchThreadsResponse, "message_read", _AT
    ),
    Route("GET", _ITEM, get, GetThreadQuery, Thread, "message_read", _AT),
    Route("PATCH", _ITEM, update, UpdateThreadRequest, UpdateThreadResponse, "message_update", _AT),
    Route("DELETE", _ITEM, delete, Nothing, None, "message_delete", _AT),
    Route(
        "GET",
        f"{_ITEM}/attachments/{{attachment_id}}",
        get_attachment,
        Nothing,
        AttachmentResponse,
        "message_read",
        _AT,
    ),
)
