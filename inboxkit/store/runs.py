"""Runs: one planned call of one handler, kept so that everybody can see what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select, update

from ..tokens import new_id
from . import jobs, queues
from .bulk import BulkInsert, Finder
from .prepared import BulkUpdate, Prepared, among
from .tables import message, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .transactions import Tx

STATES = ("pending", "retrying", "done", "failed", "rejected", "skipped", "withheld")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A match: this handler shall be called with this item of this message."""

    message_id: int
    thread_id: int | None
    inbox_id: int
    router: str
    handler: str
    kind: str
    item: str = ""
    lane: str | None = None
    record: bool = False  # its sends are shown, not sent
    withheld: str = ""  # why no handler was called; recorded, never run

    @property
    def key(self) -> str:
        return f"{self.message_id}|{self.handler}|{self.item}"


_insert = BulkInsert(run)
_OF_THREADS = "timer"  # the kind that wants no message: a thread outlives its first one
_kept = Finder(message.c.id, message.c.id, keep=True)
_known = Prepared(select(run.c.key).where(among(run.c.key, "keys")))


def insert_new(tx: Tx, found: Sequence[NewRun], now: datetime) -> list[int]:
    """Store Runs that are not there yet and queue them; return the new row ids.

    Of a message that was deleted meanwhile none is stored.
    """
    if not found:
        return []
    about = {f.message_id for f in found if f.kind != _OF_THREADS}
    kept = {row[0] for row in _kept(tx.connection, list(about))}
    known = {row.key for row in _known.rows(tx.connection, keys=[f.key for f in found])}
    there = (f for f in found if f.kind == _OF_THREADS or f.message_id in kept)
    fresh = [(new_id(), f) for f in there if f.key not in known]
    if not fresh:
        return []
    _insert(tx.connection, [_row(row_id, f, now) for row_id, f in fresh])
    jobs.put(
        tx,
        [
            jobs.new_job(
                "run",
                row_id,
                inbox_id=f.inbox_id,
                queue=queues.of_handler(f.inbox_id, f.handler),
                due_at=now,
                lane=f.lane,
                data={"record": True} if f.record else None,
            )
            for row_id, f in fresh
            if not f.withheld
        ],
    )
    return [row_id for row_id, _ in fresh]


def _row(row_id: int, found: NewRun, now: datetime) -> dict[str, Any]:
    return {
        "id": row_id,
        "key": found.key,
        "message_id": found.message_id,
        "thread_id": found.thread_id,
        "router": found.router,
        "handler": found.handler,
        "kind": found.kind,
        "item": found.item,
        "state": "withheld" if found.withheld else "pending",
        "attempts": 0,
        "error": found.withheld,
        "created_at": now,
        "finished_at": now if found.withheld else None,
    }


def by_id(connection: Connection, row_id: int) -> Row[Any] | None:
    """Return one Run."""
    return connection.execute(select(run).where(run.c.id == row_id)).first()


def by_ids(connection: Connection, row_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Return Runs; unknown ids are left out."""
    return _by_ids.rows(connection, ids=row_ids)


_by_ids = Prepared(select(run).where(among(run.c.id)))


@dataclass(frozen=True, slots=True)
class Ending:
    """How a Run ended: done, rejected or failed, and after how many attempts."""

    run_id: int
    state: str
    attempts: int
    error: str = ""


_end = BulkUpdate(run, "state", "attempts", "error", "finished_at")


def end(tx: Tx, endings: Sequence[Ending], now: datetime) -> None:
    """Record how Runs ended."""
    rows = [
        {
            "id": e.run_id,
            "state": e.state,
            "attempts": e.attempts,
            "error": e.error[:8_000],
            "finished_at": now,
        }
        for e in endings
    ]
    _end(tx.connection, rows)


def settle(
    tx: Tx, row_id: int, state: str, *, attempts: int, now: datetime, error: str = ""
) -> bool:
    """Record how a Run stands: done, retrying, failed, rejected or skipped.

    False when it is gone, as its message was deleted.
    """
    finished = None if state in ("pending", "retrying") else now
    values = {"state": state, "attempts": attempts, "error": error[:8_000], "finished_at": finished}
    mine = update(run).where(run.c.id == row_id).values(**values)
    return tx.connection.execute(mine).rowcount == 1


def skipped(connection: Connection, message_id: int, item: str) -> frozenset[str]:
    """Return the handlers that skipped this item of this message."""
    mine = (run.c.message_id == message_id) & (run.c.item == item) & (run.c.state == "skipped")
    return frozenset(connection.execute(select(run.c.handler).where(mine)).scalars())


def listed(
    connection: Connection, *, state: str = "", message_id: int | None = None, limit: int = 50
) -> Sequence[Row[Any]]:
    """Return Runs, newest first."""
    query = select(run).order_by(run.c.id.desc()).limit(limit)
    if state:
        query = query.where(run.c.state == state)
    if message_id is not None:
        query = query.where(run.c.message_id == message_id)
    return connection.execute(query).all()


def again(
    tx: Tx, row_ids: Sequence[int], now: datetime, *, send_again: bool = False, record: bool = False
) -> int:
    """Queue Runs once more, with the attempts counted anew; return how many.

    Those that are under way are left out. What a Run has sent before is not sent again, unless
    ``send_again``.
    """
    data = {"send_again": send_again, "record": record}
    rows = tx.connection.execute(select(run).where(run.c.id.in_(row_ids))).all()
    jobs.cancel(tx, "run", [str(row.id) for row in rows])
    free = [row for row in rows if not jobs.is_known(tx.connection, "run", str(row.id))]
    for row in free:
        queue = queues.of_handler(0, row.handler)
        jobs.put(tx, [jobs.new_job("run", row.id, inbox_id=0, queue=queue, due_at=now, data=data)])
        settle(tx, row.id, "pending", attempts=0, now=now)
    return len(free)
