"""Lists: whom all inboxes, those of a pod, or one inbox may write to and hear from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...addresses import check_address, listed_form
from ...store import lists
from ...store.lists import ListKey
from .access import ORGANIZATION
from .envelope import ApiError, invalid
from .routing import EVERYWHERE, Route
from .schemas.lists import CreateListEntryRequest, ListEntry, ListListEntriesResponse, entry
from .schemas.wire import Nothing, PageQuery
from .targets import shown_inbox_id

if TYPE_CHECKING:
    from ...store.lists import EntryRecord
    from .call import Call

_DIRECTIONS, _TYPES = ("send", "receive", "reply"), ("allow", "block")


def _key(call: Call[Any]) -> ListKey:
    """Return the list of the path; raise ApiError 404."""
    direction, kind = call.name("direction"), call.name("type")
    if direction not in _DIRECTIONS or kind not in _TYPES:
        raise ApiError(
            "not_found",
            f"List not found: {direction[:50]}/{kind[:50]}",
            fix="use send, receive or reply, and allow or block",
        )
    named = call.named
    return ListKey(
        direction=direction,
        list_type=kind,
        pod_id=(call.reach.pod_id if named is None else named.pod_id) or "",
        inbox_id=call.reach.inbox_id or 0,
    )


def _shown(call: Call[Any], record: EntryRecord) -> ListEntry:
    inbox = call.named.address if call.named else call.who.key and call.who.key.inbox
    shown = shown_inbox_id(inbox) if inbox else None
    return entry(record, organization=ORGANIZATION, inbox=shown)


def _normal(written: str) -> str:
    """Return an entry as it is stored; raise ApiError for what is neither address nor domain."""
    text = written.strip().lower()
    try:
        address = check_address(text if "@" in text else f"postmaster@{text}").lower()
    except ValueError as error:
        raise invalid(f"is neither an address nor a domain: {error}", "entry") from None
    return address if "@" in text else address.rpartition("@")[2]


async def create(call: Call[CreateListEntryRequest]) -> ListEntry:
    """Add an address or a domain, which stands for those below it too.

    The narrowest of inbox, pod and organization that says anything decides. What comes from
    somebody who is blocked is kept and labelled ``blocked``; a send to one is refused.
    """
    name, reason = _normal(call.given.entry), call.given.reason or ""
    made = await call.store.write(lists.add, _key(call), name, reason=reason, now=call.now)
    return _shown(call, made)


async def listed(call: Call[PageQuery]) -> ListListEntriesResponse:
    """List entries in their order."""
    key = _key(call)
    kind = f"list-{key.direction}-{key.list_type}"
    page = call.by_id(kind, call.given.model_copy(update={"ascending": True}))
    found = await call.store.read_at_length(lists.listed, key, page)
    items, fields = call.cut(kind, page, found, lambda record: [record.entry])
    return ListListEntriesResponse(entries=[_shown(call, one) for one in items], **fields)


async def get(call: Call[Nothing]) -> ListEntry:
    """Return an entry."""
    found = await call.store.read(lists.find, _key(call), listed_form(call.name("entry")))
    if found is None:
        raise call.unknown("List entry", "entry")
    return _shown(call, found)


async def delete(call: Call[Nothing]) -> None:
    """Delete an entry."""
    if not await call.store.write(lists.remove, _key(call), listed_form(call.name("entry"))):
        raise call.unknown("List entry", "entry")


_LIST = "/lists/{direction}/{type}"
_ITEM = f"{_LIST}/{{entry}}"
_AT = EVERYWHERE
ROUTES: tuple[Route[Any], ...] = (
    Route("POST", _LIST, create, CreateListEntryRequest, ListEntry, "list_entry_create", _AT),
    Route("GET", _LIST, listed, PageQuery, ListListEntriesResponse, "list_entry_read", _AT),
    Route("GET", _ITEM, get, Nothing, ListEntry, "list_entry_read", _AT),
    Route("DELETE", _ITEM, delete, Nothing, None, "list_entry_delete", _AT),
)
