"""The event log: append, read after a cursor. Waits, streams and handlers all read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    bindparam,
    func,
    insert,
    select,
    true,
)

from ..tokens import public_id, row_id
from ..values import EventType
from . import jobs
from .prepared import Prepared, among
from .tables import event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .transactions import Tx

# These come with every message; handlers for them are planned with the message itself.
UNPLANNED = frozenset({EventType.RECEIVED, EventType.QUEUED})


def append(
    tx: Tx,
    kind: EventType,
    *,
    at: datetime,
    inbox_id: int,
    message_id: int,
    thread_id: int | None = None,
    recipient: str = "",
    hard: bool = False,
    reason_class: str = "",
    reason: str = "",
    data: Mapping[str, Any] | None = None,
) -> int:
    """Add an entry, plan its handlers, and return its place in the log."""
    row = {
        "type": str(kind),
        "at": at,
        "inbox_id": inbox_id,
        "message_id": message_id,
        "thread_id": thread_id,
        "recipient": recipient,
        "hard": hard,
        "reason_class": reason_class,
        "reason": reason[:2_000],
        "data": dict(data or {}),
    }
    query = insert(event).values(row).returning(event.c.seq)
    seq = int(tx.connection.execute(query).scalar_one())
    tx.wake("event")
    if kind not in UNPLANNED:
        jobs.put(tx, [jobs.new_job("plan", f"event:{seq}", inbox_id=inbox_id, due_at=at)])
    return seq


def cursor_id(seq: int) -> str:
    """Return the public id of a place in the log."""
    return public_id("evt", seq)


def cursor_seq(cursor: str) -> int:
    """Return the place that a public id names; raise ValueError for another kind of id."""
    return row_id("evt", cursor)


def last(connection: Connection) -> int:
    """Return the end of the log, 0 when it is empty."""
    return _last[connection.dialect.name].rows(connection)[0].seq or 0


def after(connection: Connection, seq: int, *, limit: int = 500) -> Sequence[Row[Any]]:
    """Return the entries after a place, in order; none that another could still come before."""
    return _after[connection.dialect.name].rows(connection, seq=seq, most=limit)


def _settled(dialect: str) -> ColumnElement[bool]:
    """Return what holds for entries that no open transaction can put another one before.

    On SQLite, with one writer at a time, that is all. On PostgreSQL the number begins with that of
    the transaction, and the horizon is the oldest that is still open.
    """
    if dialect == "sqlite":
        return true()
    return event.c.seq < func.inboxkit_event_horizon()


_after = {
    dialect: Prepared(
        select(event)
        .where(event.c.seq > bindparam("seq"), _settled(dialect))
        .order_by(event.c.seq)
        .limit(bindparam("most", type_=Integer))
    )
    for dialect in ("sqlite", "postgresql")
}
_last = {
    dialect: Prepared(select(func.max(event.c.seq).label("seq")).where(_settled(dialect)))
    for dialect in ("sqlite", "postgresql")
}
_by_seq = Prepared(select(event).where(event.c.seq == bindparam("seq")))
_by_seqs = Prepared(select(event).where(among(event.c.seq)))


def by_seq(connection: Connection, seq: int) -> Row[Any] | None:
    """Return one entry."""
    found: Row[Any] | None = _by_seq.one(connection, seq=seq)
    return found


def by_seqs(connection: Connection, seqs: Sequence[int]) -> list[Row[Any]]:
    """Return the entries of these places that are still there."""
    return _by_seqs.rows(connection, ids=seqs)


def of_message(connection: Connection, message_id: int) -> Sequence[Row[Any]]:
    """Return what happened to a message, in order."""
    query = select(event).where(event.c.message_id == message_id).order_by(event.c.seq)
    return connection.execute(query).all()
