"""Inboxes and their aliases: create, find, list, delete."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ..addresses import listed_form, written_forms
from ..errors import ConfigurationError, NotFound, StoreError
from ..tokens import new_id
from .api_tables import DEFAULT_POD
from .pages import Page, paged
from .prepared import Prepared, among
from .rows import columns
from .tables import alias, inbox, message
from .turn_numbers import numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from .reach import Reach
    from .transactions import Tx

PAUSED = "paused"  # the status of an inbox that neither sends nor receives
DELETING = "deleting"  # of one whose messages are being deleted: it takes no mail any more
_TRIES = 10
_WORD_STARTS = ("", "%.", "%@", "%-", "%+", "%\\_", "% ")  # of an address or a display name


@dataclass(frozen=True, slots=True)
class InboxRecord:
    """An inbox as it is stored; ``address`` is what users call it."""

    id: int
    address: str
    display_name: str
    metadata: Mapping[str, Any]
    client_id: str | None
    status: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    aliases: tuple[str, ...] = field(default=())
    pod_id: str = DEFAULT_POD
    draft_policy: str = "auto"  # or draft, deny: see pipeline/policies


class BeingDeleted(StoreError):
    """The address belongs to an inbox that goes away portion by portion; to be asked for again."""

    def __init__(self, found: InboxRecord) -> None:
        super().__init__(f"inbox {found.address} is being deleted; delete it again, or wait")
        self.inbox_id = found.id


class InboxGone(NotFound):
    """What is to be stored belongs to an inbox that has just been deleted: it never will be."""

    def __init__(self, address: str = "") -> None:
        super().__init__(f"the inbox was deleted meanwhile{address and ': '}{address}")


def normalize(address: str) -> str:
    """Return the form an address is kept in: trimmed, lower case, its domain in ASCII."""
    return listed_form(address.strip().strip("<>"))


def create(
    tx: Tx,
    address: str,
    *,
    now: datetime,
    display_name: str = "",
    metadata: Mapping[str, Any] | None = None,
    client_id: str | None = None,
    expires_at: datetime | None = None,
    aliases: Sequence[str] = (),
    pod_id: str = DEFAULT_POD,
    status: str = "active",
    row_id: int | None = None,
) -> InboxRecord:
    """Create the inbox, or return the one that has the address or the ``client_id`` already."""
    asked: dict[str, Any] = {"pod_id": pod_id, "display_name": display_name, "client_id": client_id}
    asked |= {"metadata": dict(metadata or {}), "status": status, "expires_at": expires_at}
    if row_id is not None:
        asked["id"] = row_id
    if any(find(tx.connection, name) is None for name in aliases):
        _take_turns(tx, address, *aliases)  # at once, or two would wait for each other
    for _ in range(_TRIES):  # meanwhile others may make it or delete it
        row_id = _held(tx, address, client_id, pod_id) or _insert(tx, address, now, asked)
        if row_id is not None:
            break
    else:
        raise StoreError(f"inbox {address}: others make and delete it all the time; try again")
    for name in aliases:
        _add_alias(tx, name, row_id)
    made = by_id(tx.connection, row_id)
    assert made is not None
    return made


def _held(tx: Tx, address: str, client_id: str | None, pod_id: str) -> int | None:
    """Return the id of the inbox that there is already, kept from being deleted."""
    found = find(tx.connection, address)
    if found is None and client_id is not None:
        found = find_client(tx.connection, client_id, pod_id)
    if found is not None and found.status == DELETING:
        raise BeingDeleted(found)
    return found.id if found is not None and hold(tx, found.id) else None


def hold(tx: Tx, inbox_id: int, *, alone: bool = False) -> bool:
    """Keep the inbox from being deleted until this transaction ends; False when it is gone.

    ``alone``: keep mail out as well, as before deleting it.
    """
    mine = select(inbox.c.id).where(inbox.c.id == inbox_id)
    kept = mine.with_for_update(read=not alone, key_share=not alone)
    return tx.connection.execute(kept).first() is not None


def _insert(tx: Tx, address: str, now: datetime, asked: Mapping[str, Any]) -> int | None:
    """Return the new row's id; None when another has got the address since we looked."""
    _take_turns(tx, address)
    if _by_alias.one(tx.connection, address=normalize(address)) is not None:
        return None
    row = {"id": new_id(), "address": normalize(address), "draft_policy": "auto", **asked}
    change = _INSERT[tx.connection.dialect.name](inbox).on_conflict_do_nothing()
    row |= {"created_at": now, "updated_at": now}
    done = tx.connection.execute(change, row, execution_options={"preserve_rowcount": True})
    return int(row["id"]) if done.rowcount == 1 else None


def _take_turns(tx: Tx, *names: str) -> None:
    """Let no other transaction give these addresses to an inbox until this one ends.

    One may be the address of an inbox or an alias: no unique index is over both.
    """
    tx.take_turns(numbered("address", map(normalize, names)))


_INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def keep(tx: Tx, wanted: InboxRecord) -> bool:
    """Store an inbox under the id that it was given, unless it is stored; False when its address
    belongs to another.
    """
    found = find(tx.connection, wanted.address)
    if found is None:
        names = ("id", "pod_id", "display_name", "client_id", "status", "expires_at")
        asked = {name: getattr(wanted, name) for name in names}
        asked["metadata"] = dict(wanted.metadata)
        if _insert(tx, wanted.address, wanted.created_at, asked) is None:
            found = find(tx.connection, wanted.address)
    return found is None or found.id == wanted.id


def _add_alias(tx: Tx, name: str, inbox_id: int) -> None:
    owner = find(tx.connection, name)
    if owner is None:
        _take_turns(tx, name)
        owner = find(tx.connection, name)
    if owner is not None and owner.id != inbox_id:
        raise ConfigurationError(f"alias {name}: already belongs to {owner.address}")
    if owner is None:
        tx.connection.execute(insert(alias), [{"address": normalize(name), "inbox_id": inbox_id}])


def find(connection: Connection, address: str) -> InboxRecord | None:
    """Return the inbox with exactly this address or alias."""
    for wanted in written_forms(normalize(address)):  # old rows may have either
        row = _by_address.one(connection, address=wanted)
        if row is None:
            row = _by_alias.one(connection, address=wanted)
        if row is not None:
            return _record(connection, row)
    return None


_by_address = Prepared(select(inbox).where(inbox.c.address == bindparam("address")))
_by_alias = Prepared(
    select(inbox)
    .join(alias, alias.c.inbox_id == inbox.c.id)
    .where(alias.c.address == bindparam("address"))
)
_aliases = Prepared(
    select(alias.c.address).where(alias.c.inbox_id == bindparam("inbox")).order_by(alias.c.address)
)


def find_tagged(connection: Connection, address: str) -> InboxRecord | None:
    """Return the inbox of an address, whatever plus-tags it has: ``ann+shop+news@...``."""
    return find(connection, address) or find_base(connection, address)


def find_base(connection: Connection, address: str) -> InboxRecord | None:
    """Return the inbox that an address is a plus-tag of, also when it is an inbox itself."""
    found = None
    name, _, domain = normalize(address).rpartition("@")
    while found is None and "+" in name:
        name = name.rpartition("+")[0]
        found = find(connection, f"{name}@{domain}")
    return found


def within(connection: Connection, reach: Reach, address: str) -> InboxRecord | None:
    """Return the inbox with this address or alias if it lies within reach."""
    found = find(connection, address)
    if found is None or not reach.holds(found.pod_id, found.id):
        return None
    return found


def listed(connection: Connection, reach: Reach, page: Page[int]) -> list[InboxRecord]:
    """Return a page of the inboxes within reach."""
    query = paged(select(inbox).where(reach.inboxes()), inbox.c.id, page)
    return [_record(connection, row) for row in connection.execute(query)]


def search(connection: Connection, reach: Reach, text: str, page: Page[int]) -> list[InboxRecord]:
    """Return a page of inboxes in whose address or name each word begins a word.

    An address that is exactly the text comes first.
    """
    exact = inbox.c.address == normalize(text)
    mine = select(inbox).where(reach.inboxes())
    words = mine.where(~exact, *(_begins(word) for word in text.lower().split()))
    rows: list[Row[Any]] = []
    if page.after is None:
        rows += connection.execute(mine.where(exact))
    rows += connection.execute(paged(words, inbox.c.id, page))
    return [_record(connection, row) for row in rows[: page.size + 1]]


def _begins(word: str) -> ColumnElement[bool]:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return or_(
        *(
            func.lower(column).like(f"{start}{escaped}%", escape="\\")
            for column in (inbox.c.address, inbox.c.display_name)
            for start in _WORD_STARTS
        )
    )


def count(connection: Connection, reach: Reach) -> int:
    """Return how many inboxes there are within reach."""
    query = select(func.count()).select_from(inbox).where(reach.inboxes())
    return connection.execute(query).scalar_one()


def find_client(
    connection: Connection, client_id: str, pod_id: str = DEFAULT_POD
) -> InboxRecord | None:
    """Return the inbox that was created under this client id in a pod."""
    mine = (inbox.c.client_id == client_id) & (inbox.c.pod_id == pod_id)
    row = connection.execute(select(inbox).where(mine)).first()
    return None if row is None else _record(connection, row)


def by_id(connection: Connection, inbox_id: int) -> InboxRecord | None:
    """Return the inbox with this row id."""
    row = _by_id.one(connection, number=inbox_id)
    return None if row is None else _record(connection, row)


_by_id = Prepared(select(inbox).where(inbox.c.id == bindparam("number")))


def _with_aliases() -> Select[*tuple[Any, ...]]:
    joined = inbox.outerjoin(alias, alias.c.inbox_id == inbox.c.id)
    wanted = select(inbox.c.id, inbox.c.address, alias.c.address.label("alias"))
    return wanted.select_from(joined).where(among(inbox.c.id)).order_by(alias.c.address)


_names = Prepared(_with_aliases())


def names(connection: Connection, ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
    """Return the address and then the aliases of each inbox, none for one that is gone."""
    found: dict[int, tuple[str, ...]] = dict.fromkeys(ids, ())
    for row in _names(connection, ids=list(found)):
        known = found[row["id"]] or (row["address"],)
        found[row["id"]] = known if row["alias"] is None else (*known, row["alias"])
    return found


def require(connection: Connection, address: str) -> InboxRecord:
    """Return the inbox; raise NotFound with the way out."""
    found = find(connection, address)
    if found is None:
        raise NotFound(f"no inbox {address}; make it with: inboxkit inbox create {address}")
    return found


def everything(connection: Connection) -> list[InboxRecord]:
    """Return all inboxes, oldest first."""
    return [_record(connection, row) for row in connection.execute(select(inbox).order_by("id"))]


def close(tx: Tx, inbox_id: int, now: datetime) -> None:
    """Let an inbox that is to be deleted take no more mail; its time is over, should that stop."""
    touch(tx, inbox_id, now, status=DELETING, expires_at=now)


def remove(tx: Tx, inbox_id: int) -> None:
    """Delete the inbox and its aliases; its messages are deleted by ``purge`` before."""
    tx.connection.execute(delete(alias).where(alias.c.inbox_id == inbox_id))
    tx.connection.execute(delete(inbox).where(inbox.c.id == inbox_id))


def addresses(connection: Connection, ids: Iterable[int]) -> Mapping[int, str]:
    """Return the addresses of inboxes by row id; those that are gone are left out."""
    query = select(inbox.c.id, inbox.c.address).where(inbox.c.id.in_(ids))
    return {row.id: row.address for row in connection.execute(query)}


def expired(connection: Connection, now: datetime) -> list[int]:
    """Return the inboxes whose time is over."""
    return list(connection.execute(select(inbox.c.id).where(inbox.c.expires_at <= now)).scalars())


def touch(tx: Tx, inbox_id: int, now: datetime, **values: Any) -> None:
    """Change columns of an inbox."""
    mine = inbox.c.id == inbox_id
    tx.connection.execute(update(inbox).where(mine).values(updated_at=now, **values))


def change(
    tx: Tx,
    inbox_id: int,
    now: datetime,
    values: Mapping[str, Any],
    metadata: Mapping[str, Any] | None,
) -> InboxRecord:
    """Change columns, and merge metadata: a value of None deletes its key."""
    mine = select(inbox.c.id).where(inbox.c.id == inbox_id)
    tx.connection.execute(mine.with_for_update(key_share=True))  # what is merged was read before
    known = by_id(tx.connection, inbox_id)
    if known is None or known.status == DELETING:
        raise InboxGone
    changed = dict(values)
    if metadata is not None:
        merged = {**known.metadata, **metadata}
        changed["metadata"] = {k: v for k, v in merged.items() if v is not None}
    touch(tx, inbox_id, now, **changed)
    made = by_id(tx.connection, inbox_id)
    assert made is not None
    return made


def _record(connection: Connection, row: Row[Any]) -> InboxRecord:
    return InboxRecord(
        id=row.id,
        address=row.address,
        display_name=row.display_name,
        metadata=columns(row)["metadata"],
        client_id=row.client_id,
        status=row.status,
        created_at=row.created_at,
        updated_at=row.updated_at,
        expires_at=row.expires_at,
        aliases=tuple(found.address for found in _aliases.rows(connection, inbox=row.id)),
        pod_id=row.pod_id,
        draft_policy=row.draft_policy,
    )


def of_message(connection: Connection, message_id: int | None) -> InboxRecord | None:
    """Return the inbox that a message is in."""
    if message_id is None:
        return None
    owner = select(message.c.inbox_id).where(message.c.id == message_id)
    row = connection.execute(select(inbox).where(inbox.c.id.in_(owner))).first()
    return None if row is None else _record(connection, row)
