"""Lists of whom to write to and hear from, on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from .wire import Line, Listed, Name, Request, Stamp, Wire

if TYPE_CHECKING:
    from ....store.lists import EntryRecord


class CreateListEntryRequest(Request):
    """An address or a domain, and why."""

    entry: Annotated[Line, Field(min_length=1, max_length=320)]
    reason: Name | None = None


class ListEntry(Wire):
    """An entry; with the pod and the inbox it is for, if it is not for all."""

    entry: str
    organization_id: str
    reason: str | None = None
    direction: str
    list_type: str
    entry_type: str
    pod_id: str | None = None
    inbox_id: str | None = None
    created_at: Stamp


class ListListEntriesResponse(Listed):
    """A page of a list, in the order of the entries."""

    entries: Sequence[ListEntry]


def entry(record: EntryRecord, *, organization: str, inbox: str | None) -> ListEntry:
    """Return an entry for the wire."""
    return ListEntry(
        entry=record.entry,
        organization_id=organization,
        reason=record.reason or None,
        direction=record.direction,
        list_type=record.list_type,
        entry_type=record.entry_type,
        pod_id=record.pod_id or None,
        inbox_id=inbox if record.inbox_id else None,
        created_at=record.created_at,
    )
