"""Messages of an inbox: list, search, get, download, label, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...blocking import in_thread
from ...pipeline.deletion import delete_messages
from ...store import messages, records, search, wire_ids
from ...store.query import Query, Term, parse_query
from ...tokens import row_id
from . import downloads
from .envelope import invalid
from .highlights import highlights
from .routing import At, Route
from .schemas.attachments import AttachmentResponse, of_message
from .schemas.messages import (
    BatchGetMessagesRequest,
    BatchGetMessagesResponse,
    BatchUpdateMessagesRequest,
    BatchUpdateMessagesResponse,
    HiddenQuery,
    ListMessagesQuery,
    ListMessagesResponse,
    Message,
    RawMessageResponse,
    SearchMessagesResponse,
    UpdateMessageRequest,
    UpdateMessageResponse,
    item,
    message,
    new_words,
    search_item,
)
from .schemas.wire import Nothing, SearchQuery
from .targets import names, shown_message_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...models import Attachment
    from ...store.records import Shown
    from ...store.transactions import Tx
    from .call import Call

# Labels that say what a message is; nobody can give or take them.
SYSTEM_LABELS = frozenset({"received", "sent", "scheduled", "bounced"})
_QUICKLY_READ = 64 * 1024  # characters


async def listed(call: Call[ListMessagesQuery]) -> ListMessagesResponse:
    """List messages, newest first."""
    asked = call.given
    terms = {"from": asked.from_, "to": asked.to, "subject": asked.subject}
    page = call.by_id("messages", asked)
    rows = await call.store.read_at_length(
        search.page,
        call.reach,
        query_of(asked, terms),
        page,
        hidden=call.hidden(asked.included()),
    )
    ids, fields = call.cut("messages", page, rows, lambda row: [row])
    found = await shown(call, ids, brief=True)
    return ListMessagesResponse(messages=[item(m) for m in found], **fields)


def query_of(asked: HiddenQuery, terms: dict[str, Sequence[str]]) -> Query:
    """Return what a list's filters ask for; all must hold."""
    filters = [Term(field, value) for field, values in terms.items() for value in values]
    filters += [Term("label", label) for label in asked.labels]
    if asked.before is not None:
        filters.append(Term("before", "", moment=asked.before))
    if asked.after is not None:
        filters.append(Term("after", "", moment=asked.after))
    return Query(filters=tuple(filters))


def searched(call: Call[SearchQuery]) -> Query:
    """Return what a search asks for, in the query language."""
    asked = call.given
    query = parse_query(asked.q, now=call.now)
    if not query.words and not query.filters:
        raise invalid("holds no word to search for", "q")
    times = [Term("before", "", moment=asked.before)] if asked.before else []
    times += [Term("after", "", moment=asked.after)] if asked.after else []
    return Query(query.words, (*query.filters, *times))


async def find(call: Call[SearchQuery]) -> SearchMessagesResponse:
    """Search messages by words, phrases and fields such as ``from:ann``, newest first."""
    page = call.by_id("messages-search", call.given)
    query = searched(call)
    rows = await call.store.read_at_length(
        search.page, call.reach, query, page, hidden=call.left_out(query)
    )
    ids, fields = call.cut("messages-search", page, rows, lambda row: [row])
    found = [search_item(m, highlights(m.message, query)) for m in await shown(call, ids)]
    return SearchMessagesResponse(messages=found, **fields)


async def shown(call: Call[Any], ids: Sequence[int], *, brief: bool = False) -> list[Shown]:
    """Return messages for the wire; ``brief``: where it has no words of theirs."""
    return await call.store.read(records.shown, ids, call.parts.actions, brief=brief)


async def wanted(call: Call[Any]) -> Shown:
    """Return the message of the path; raise ApiError 404."""
    ids = call.names("message_id")
    row = await call.store.read(wire_ids.find, call.reach, call.inbox.id, ids)
    found = [] if row is None else await shown(call, [row])
    if not found:
        raise call.unknown("Message", "message_id")
    return found[0]


async def get(call: Call[Nothing]) -> Message:
    """Return a message with its words."""
    [found] = await worded([await wanted(call)])
    return found


async def worded(found: Sequence[Shown]) -> list[Message]:
    """Return messages with their words; those of long ones are told apart in a thread."""
    made = list[Message]()
    for one in found:
        is_long = len(one.message.text) + len(one.message.html) > _QUICKLY_READ
        made.append(message(one, await in_thread(new_words, one) if is_long else None))
    return made


async def get_raw(call: Call[Nothing]) -> RawMessageResponse:
    """Return where a message's bytes can be downloaded."""
    found = await wanted(call)
    until = downloads.expiry(call.now)
    return RawMessageResponse(
        message_id=shown_message_id(found.name),
        size=found.message.size,
        download_url=downloads.raw_url(call.base, call.store.secret, found.message, until),
        expires_at=until,
    )


async def get_attachment(call: Call[Nothing]) -> AttachmentResponse:
    """Return a file of a message, with where it can be downloaded."""
    return downloadable(call, (await wanted(call)).message.attachments)


def downloadable(call: Call[Any], files: Sequence[Attachment]) -> AttachmentResponse:
    """Return the file of the path, with where it can be downloaded; raise ApiError 404."""
    ids = call.names("attachment_id")
    found = next((file for file in files if file.id in ids), None)
    if found is None:
        raise call.unknown("Attachment", "attachment_id")
    until = downloads.expiry(call.now)
    url = downloads.file_url(call.base, call.store.secret, found, until)
    return AttachmentResponse(
        **of_message(found).model_dump(),
        download_url=url,
        text_url=downloads.text_url(url, found),
        expires_at=until,
    )


async def update(call: Call[UpdateMessageRequest]) -> UpdateMessageResponse:
    """Add and remove labels."""
    add, remove = labels(call.given)
    found = await wanted(call)
    await found.message.label(add=add, remove=remove)
    return _labelled(await wanted(call))


def labels(asked: UpdateMessageRequest) -> tuple[list[str], list[str]]:
    """Return the labels to add and to remove; raise ApiError for those of the server."""
    remove = list(dict.fromkeys(asked.remove_labels or ()))
    add = [name for name in dict.fromkeys(asked.add_labels or ()) if name not in remove]
    refused = sorted(SYSTEM_LABELS.intersection((*add, *remove)))
    if refused:
        raise invalid(f"{refused[0]!r} is given by the server", "add_labels")
    return add, remove


def _labelled(found: Shown) -> UpdateMessageResponse:
    return UpdateMessageResponse(
        message_id=shown_message_id(found.name), labels=sorted(found.labels)
    )


async def delete(call: Call[Nothing]) -> None:
    """Delete a message for good."""
    found = await wanted(call)
    await removed(call, [row_id("msg", found.message.id)])


async def removed(call: Call[Any], rows: Sequence[int]) -> None:
    """Delete messages, their files once that is committed."""
    await delete_messages(call.store, rows)


async def batch_get(call: Call[BatchGetMessagesRequest]) -> BatchGetMessagesResponse:
    """Return up to 500 messages without their words; unknown ids are left out."""
    asked = call.given.message_ids
    found = await shown(call, await _rows(call, asked), brief=True)
    return BatchGetMessagesResponse(
        limit=len(asked), count=len(found), messages=[item(m) for m in found]
    )


async def batch_update(call: Call[BatchUpdateMessagesRequest]) -> BatchUpdateMessagesResponse:
    """Label up to 50 messages, all or none; unknown ids are left out."""
    asked = call.given.message_ids
    rows = await _rows(call, asked)
    await relabel(call, rows, call.given)
    updates = [_labelled(m) for m in await shown(call, rows)]
    return BatchUpdateMessagesResponse(limit=len(asked), count=len(updates), updates=updates)


async def relabel(call: Call[Any], rows: Sequence[int], asked: UpdateMessageRequest) -> None:
    """Label messages in one transaction."""
    add, remove = labels(asked)
    now = call.now

    def work(tx: Tx) -> None:
        for row in rows:
            messages.set_labels(tx, row, add=add, remove=remove, now=now)

    await call.store.write(work)


async def _rows(call: Call[Any], ids: Sequence[str]) -> list[int]:
    wanted = [name for one in ids for name in dict.fromkeys((one, names(one)[0]))]
    return await call.store.read(wire_ids.find_all, call.reach, call.inbox.id, wanted)


_LIST = "/messages"
_ITEM = "/messages/{message_id}"
_AT = At.INBOX
ROUTES = (
    Route("GET", _LIST, listed, ListMessagesQuery, ListMessagesResponse, "message_read", _AT),
    Route("GET", f"{_LIST}/search", find, SearchQuery, SearchMessagesResponse, "message_read", _AT),
    Route(
        "POST",
        f"{_LIST}/batch-get",
        batch_get,
        BatchGetMessagesRequest,
        BatchGetMessagesResponse,
        "message_read",
        _AT,
    ),
    Route(
        "POST",
        f"{_LIST}/batch-update",
        batch_update,
        BatchUpdateMessagesRequest,
        BatchUpdateMessagesResponse,
        "message_update",
        _AT,
    ),
    Route("GET", _ITEM, get, Nothing, Message, "message_read", _AT),
    Route(
        "PATCH", _ITEM, update, UpdateMessageRequest, UpdateMessageResponse, "message_update", _AT
    ),
    Route("DELETE", _ITEM, delete, Nothing, None, "message_delete", _AT),
    Route("GET", f"{_ITEM}/raw", get_raw, Nothing, RawMessageResponse, "message_read", _AT),
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
