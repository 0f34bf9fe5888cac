"""Lists: whom an inbox may write to and hear from. Kept for all, for a pod, or for one inbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    delete,
    insert,
    literal,
    select,
    tuple_,
)

from ..tokens import new_id
from . import claims
from .api_tables import list_entry
from .pages import Page, paged
from .prepared import Prepared, among
from .tables import inbox

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from .transactions import Tx

ORGANIZATION: tuple[str, int] = ("", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKey:
    """Which list: a direction (send, receive, reply), a type (allow, block), and its scope.

    ``pod_id`` "" is the list for all; ``inbox_id`` 0 is a list for more than one inbox.
    """

    direction: str
    list_type: str
    pod_id: str = ""
    inbox_id: int = 0

    def held(self) -> Any:
        """Return what holds for the entries of this list."""
        c = list_entry.c
        return and_(
            c.direction == self.direction,
            c.list_type == self.list_type,
            c.pod_id == self.pod_id,
            c.inbox_id == self.inbox_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """An entry as it is stored: an address or a domain, in lower case."""

    entry: str
    entry_type: str
    reason: str
    direction: str
    list_type: str
    pod_id: str
    inbox_id: int
    created_at: datetime

    @property
    def scope(self) -> tuple[str, int]:
        """The pod and the inbox that it is for."""
        return self.pod_id, self.inbox_id


def add(tx: Tx, key: ListKey, entry: str, *, reason: str, now: datetime) -> EntryRecord:
    """Add an entry, or return the one that is there already.

    Raise NotFound when the inbox or the pod that the list is of was deleted meanwhile.
    """
    claims.hold_owner(tx, pod_id=key.pod_id or None, inbox_id=key.inbox_id or None)
    known = find(tx.connection, key, entry)
    if known is not None:
        return known
    made = EntryRecord(
        entry=entry,
        entry_type="email" if "@" in entry else "domain",
        reason=reason,
        direction=key.direction,
        list_type=key.list_type,
        pod_id=key.pod_id,
        inbox_id=key.inbox_id,
        created_at=now,
    )
    row = {name: getattr(made, name) for name in EntryRecord.__slots__}
    tx.connection.execute(insert(list_entry), [row | {"id": new_id()}])
    return made


def find(connection: Connection, key: ListKey, entry: str) -> EntryRecord | None:
    """Return the entry of a list."""
    query = select(list_entry).where(key.held(), list_entry.c.entry == entry)
    row = connection.execute(query).first()
    return None if row is None else _record(row)


def listed(connection: Connection, key: ListKey, page: Page[str]) -> list[EntryRecord]:
    """Return a page of a list, in the order of the entries."""
    query = paged(select(list_entry).where(key.held()), list_entry.c.entry, page)
    return [_record(row) for row in connection.execute(query)]


def remove(tx: Tx, key: ListKey, entry: str) -> bool:
    """Delete an entry; False when there is none."""
    gone = delete(list_entry).where(key.held(), list_entry.c.entry == entry)
    return bool(tx.connection.execute(gone).rowcount)


def remove_all(tx: Tx, inbox_id: int) -> None:
    """Delete the lists of an inbox that is deleted."""
    tx.connection.execute(delete(list_entry).where(list_entry.c.inbox_id == inbox_id))


def any_of(connection: Connection, directions: Sequence[str]) -> bool:
    """Whether there is any entry for one of these directions."""
    return _any_of.one(connection, directions=directions) is not None


_any_of = Prepared(
    select(list_entry.c.entry).where(among(list_entry.c.direction, "directions")).limit(1)
)


def pods(connection: Connection, inbox_ids: Collection[int]) -> dict[int, str]:
    """Return which pod each inbox is in."""
    query = select(inbox.c.id, inbox.c.pod_id).where(inbox.c.id.in_(inbox_ids))
    return {row.id: row.pod_id for row in connection.execute(query)}


def matching(
    connection: Connection,
    direction: str,
    scopes: Collection[tuple[str, int]],
    names: Collection[str],
) -> list[EntryRecord]:
    """Return the entries of these scopes that are one of these addresses and domains."""
    c = list_entry.c
    query = select(list_entry).where(
        c.direction == direction, c.entry.in_(names), tuple_(c.pod_id, c.inbox_id).in_(scopes)
    )
    return [_record(row) for row in connection.execute(query)]


def allowing(
    connection: Connection, direction: str, scopes: Collection[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Return those of these scopes that have a list of whom they allow."""
    found: set[tuple[str, int]] = set()
    for pod_id, inbox_id in scopes:  # each is one look into an index
        key = ListKey(direction=direction, list_type="allow", pod_id=pod_id, inbox_id=inbox_id)
        query = select(literal(1)).select_from(list_entry).where(key.held()).limit(1)
        if connection.execute(query).first() is not None:
            found.add((pod_id, inbox_id))
    return found


def _record(row: Row[Any]) -> EntryRecord:
    return EntryRecord(**{name: getattr(row, name) for name in EntryRecord.__slots__})
