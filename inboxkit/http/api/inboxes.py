"""Inboxes: create, list, search, get, update, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...addresses import check_address
from ...store import claims, inboxes
from ...tokens import encode, new_id
from .envelope import ApiError, invalid
from .routing import At, Route
from .schemas.inboxes import (
    CreateInboxRequest,
    Inbox,
    ListInboxesResponse,
    SearchInboxesQuery,
    UpdateInboxRequest,
    inbox,
)
from .schemas.wire import Nothing, PageQuery

if TYPE_CHECKING:
    from ...store.inboxes import InboxRecord
    from .call import Call

_END = (1 << 63) - 1  # before the newest: a search goes on there after the exact address


async def create(call: Call[CreateInboxRequest]) -> Inbox:
    """Create an inbox; without a username it gets a random address.

    The same ``client_id`` returns the same inbox.
    """
    return inbox(await make(call, call.given, address=chosen(call, call.given), field="username"))


def chosen(call: Call[Any], asked: CreateInboxRequest) -> str:
    """Return the address that a request chooses by its username and domain, or a random one."""
    if "@" in (asked.username or ""):
        raise invalid("is what stands before the @; the rest goes into domain", "username")
    if asked.domain:
        try:
            check_address(f"any@{asked.domain}")
        except ValueError:
            raise invalid(f"{asked.domain[:80]!r} is no domain", "domain") from None
    return f"{asked.username or encode(new_id())}@{asked.domain or call.parts.settings.domain}"


async def make(
    call: Call[Any], asked: CreateInboxRequest, *, address: str, field: str
) -> InboxRecord:
    """Make an inbox of an address, which was given in this field; raise ApiError, or Taken."""
    if call.reach.inbox_id is not None:
        raise ApiError("forbidden", "A key that is bound to an inbox makes no others")
    try:
        check_address(address)
    except ValueError as error:
        raise invalid(str(error), field) from None
    record = await call.store.write(
        claims.make,
        call.reach,
        address,
        shared=call.parts.settings.domain,
        client_id=asked.client_id,
        now=call.now,
        display_name=asked.display_name or "",
        metadata=asked.metadata,
        status=asked.status or "active",
    )
    call.parts.addresses.forget()
    return record


async def listed(call: Call[PageQuery]) -> ListInboxesResponse:
    """List inboxes, newest first."""
    page = call.by_id("inboxes", call.given)
    found = await call.store.read_at_length(inboxes.listed, call.reach, page)
    items, fields = call.cut("inboxes", page, found, lambda record: [record.id])
    return ListInboxesResponse(inboxes=[inbox(record) for record in items], **fields)


async def search(call: Call[SearchInboxesQuery]) -> ListInboxesResponse:
    """Search inboxes by the beginnings of words in the address or the display name."""
    page = call.by_id("inboxes-search", call.given)
    found = await call.store.read_at_length(inboxes.search, call.reach, call.given.q, page)
    exact = inboxes.normalize(call.given.q)

    def key(record: InboxRecord) -> list[int]:
        return [_END if record.address == exact else record.id]

    items, fields = call.cut("inboxes-search", page, found, key)
    return ListInboxesResponse(inboxes=[inbox(record) for record in items], **fields)


async def get(call: Call[Nothing]) -> Inbox:
    """Return an inbox."""
    return inbox(call.inbox)


async def update(call: Call[UpdateInboxRequest]) -> Inbox:
    """Change the display name, the status or the metadata of an inbox.

    Metadata is merged: a null deletes its key, null as the whole deletes all.
    """
    asked = call.given
    values = asked.model_dump(include={"display_name", "status", "draft_policy"}, exclude_none=True)
    if asked.metadata is None and "metadata" in asked.model_fields_set:
        values["metadata"] = {}
    changed = await call.store.write(
        inboxes.change, call.inbox.id, call.now, values, asked.metadata
    )
    call.parts.addresses.forget()
    return inbox(changed)


async def delete(call: Call[Nothing]) -> None:
    """Delete an inbox with everything in it."""
    await call.parts.actions.delete_inbox(call.inbox.address)


_AT = At.ORG | At.POD
_ITEM = "/inboxes/{inbox_id}"
ROUTES = (
    Route("POST", "/inboxes", create, CreateInboxRequest, Inbox, "inbox_create", _AT),
    Route("GET", "/inboxes", listed, PageQuery, ListInboxesResponse, "inbox_read", _AT),
    Route(
        "GET", "/inboxes/search", search, SearchInboxesQuery, ListInboxesResponse, "inbox_read", _AT
    ),
    Route("GET", _ITEM, get, Nothing, Inbox, "inbox_read", _AT),
    Route("PATCH", _ITEM, update, UpdateInboxRequest, Inbox, "inbox_update", _AT),
    Route("DELETE", _ITEM, delete, Nothing, None, "inbox_delete", _AT),
)
