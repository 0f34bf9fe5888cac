"""The one job table: put, claim, complete, put back. A lease names a worker and a token.

Whoever completes a job proves with the token that it still holds it; no row changed means that
the lease was taken over, and the caller's transaction must be given up (``LeaseLost``).
"""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, bindparam, delete, not_, select, update

from ..tokens import new_id
from . import lanes, queues
from .backlog import is_first, next_due
from .bulk import BulkInsert, Finder
from .leased import Job
from .prepared import Prepared, among
from .tables import job

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.sql.dml import ReturningUpdate

    from .transactions import Tx


class LeaseLost(Exception):
    """The job is no longer ours: another worker took it over."""


def new_job(
    kind: str,
    key: str | int,
    *,
    inbox_id: int,
    due_at: datetime,
    queue: int | None = None,
    lane: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the row of a job that is ready at ``due_at``; ``put`` stores it.

    Jobs of one ``lane`` run one at a time in the order of their ids. Each inbox is one ``queue``,
    unless another is named; queues have their turn one after the other.
    """
    return {
        "id": new_id(),
        "kind": kind,
        "key": str(key),
        "inbox_id": inbox_id,
        "queue": inbox_id if queue is None else queue,
        "lane": lane,
        "state": "ready",
        "due_at": due_at,
        "attempts": 0,
        "worker_id": None,
        "token": None,
        "error": "",
        "data": dict(data or {}),
    }


_insert = BulkInsert(job)
_in_lanes = Finder(job.c.lane, job.c.lane, where="lane IS NOT NULL")
_NONE: Mapping[int, Mapping[str, Any]] = MappingProxyType({})
_FIELDS = tuple(field.name for field in fields(Job))


def put(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store jobs and wake whoever takes their kind, or lease them for steps that wait for them."""
    if not rows:
        return
    leased = lease_at_birth(tx, rows)
    _insert(tx.connection, [leased.get(row["id"], row) for row in rows])
    tx.leased += (born(row) for row in leased.values())
    tx.wake(*{row["kind"] for row in rows if row["id"] not in leased})


def put_new(tx: Tx, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store jobs of one kind but those whose key is there already; of several only the first."""
    wanted = {row["key"]: row for row in reversed(rows)}
    for found in _known(tx.connection, kind=kind, keys=list(wanted)) if wanted else ():
        del wanted[found["key"]]
    put(tx, list(reversed(wanted.values())))


_known = Prepared(
    select(job.c.key).where(job.c.kind == bindparam("kind"), among(job.c.key, "keys"))
)


def lease_at_birth(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> Mapping[int, Mapping[str, Any]]:
    """Return by id the rows, as leased, of those jobs that a step of this process waits for."""
    if tx.takers is None or not tx.takers.waits({row["kind"] for row in rows}):
        return _NONE
    wanted = tx.takers.reserve(_firsts(tx.connection, rows))
    token = _new_lease(tx)
    held = {"state": "leased", "worker_id": tx.takers.worker_id, "token": token, "attempts": 1}
    return {row["id"]: {**row, **held} for row in wanted}


def _firsts(
    connection: Connection, rows: Sequence[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of jobs that no other of their lane holds up."""
    free = lanes.hold(connection, {row["lane"] for row in rows if row["lane"] is not None})
    free -= {row[0] for row in _in_lanes(connection, list(free))}
    for row in rows:
        if row["lane"] is None:
            yield row
        elif row["lane"] in free:
            free.remove(row["lane"])
            yield row


def born(row: Mapping[str, Any]) -> Job:
    """Return the job of a row that was stored as leased."""
    return Job(**{name: row[name] for name in _FIELDS})


def take(
    tx: Tx,
    kind: str,
    *,
    worker: int,
    now: datetime,
    limit: int,
    start: int,
    full: Collection[int] = (),
) -> tuple[list[Job], datetime | None]:
    """Claim due jobs; with fewer than ``limit``, say when the next one is due."""
    taken = claim(tx, kind, worker=worker, now=now, limit=limit, start=start, full=full)
    if len(taken) == limit:
        return taken, None
    if full and taken:  # queues that are not full may have more than their share
        return taken, now
    return taken, next_due(tx.connection, [kind], after=now if full else None)


def claim(
    tx: Tx,
    kind: str,
    *,
    worker: int,
    now: datetime,
    limit: int,
    start: int,
    full: Collection[int] = (),
) -> list[Job]:
    """Lease at most ``limit`` due jobs, in turn by queue from the queue after ``start`` on.

    So a flood in one inbox does not starve another, however many have a flood. Queues of handlers
    that are ``full`` (see ``queues.mark``) are left out.
    """
    given: dict[str, Any] = {"kind": kind, "now": now, "start": start, "full": full}
    if tx.connection.dialect.name == "postgresql":
        given |= {"most": limit, "worker": worker, "lease": _new_lease(tx)}
        rows = (_lease_others if full else _lease_due)(tx.connection, **given)
        return _leased(_still_first(tx, rows))
    turned = queues.in_turn(tx.connection, **given)
    if not turned:
        return []
    given |= {"queues": turned, "share": -(-limit // len(turned)), "most": limit}
    found = _find_due(tx.connection, **given)
    return _lease(tx, found, worker) if found else []


_LEASED: dict[str, Any] = {
    "state": "leased",
    "worker_id": bindparam("worker"),
    "token": bindparam("lease"),
    "attempts": job.c.attempts + 1,
}


def _leasing(*, but_full: bool) -> ReturningUpdate[*tuple[Any, ...]]:
    picked = job.c.id.in_(queues.picked(but_full=but_full))
    columns = (job.c[name] for name in _FIELDS)
    return update(job).where(picked, job.c.state == "ready").values(_LEASED).returning(*columns)


# A whole claim as one statement of PostgreSQL, where each is a trip to the server. SQLite would
# return the rows of an UPDATE one by one, each after waiting for the GIL.
_lease_due, _lease_others = (Prepared(_leasing(but_full=full)) for full in (False, True))
_find_due = Prepared(queues.due_of(_FIELDS), at_once=True)
_lease_found = Prepared(update(job).where(among(job.c.id)).values(_LEASED))
_BACK = {"state": "ready", "worker_id": None, "token": None, "attempts": job.c.attempts - 1}
_leave = Prepared(
    update(job).where(among(job.c.id), not_(is_first())).values(_BACK).returning(job.c.id)
)


def _still_first(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Leave those of the jobs just leased that others of their lanes hold up, on PostgreSQL.

    Others may have been leased since the statement that found these began, but not since it ended,
    as it took their lanes: this one sees them.
    """
    in_lanes = [row["id"] for row in rows if row["lane"] is not None]
    left = {row["id"] for row in _leave(tx.connection, ids=in_lanes)} if in_lanes else set[int]()
    return (row for row in rows if row["id"] not in left)


def _lease(tx: Tx, found: Sequence[Mapping[str, Any]], worker: int) -> list[Job]:
    """Lease what this transaction has just found: SQLite has one writer at a time."""
    token = _new_lease(tx)
    ids = [row["id"] for row in found]
    _lease_found.number(tx.connection, ids=ids, worker=worker, lease=token)
    return _leased({**row, "token": token, "attempts": row["attempts"] + 1} for row in found)


def last_in_turn(taken: Sequence[Job], start: int) -> int:
    """Return the queue that a claim from ``start`` on ended with: the next one starts there."""
    return max((j.queue <= start, j.queue) for j in taken)[1]


def _new_lease(tx: Tx) -> int:
    token = new_id()
    tx.leases.add(token)
    return token


def _leased(rows: Iterable[Mapping[str, Any]]) -> list[Job]:
    return sorted((Job(**row) for row in rows), key=lambda j: j.id)


_take_out = Prepared(delete(job).where(among(job.c.id), job.c.token == bindparam("lease")))


def complete(tx: Tx, done: Sequence[Job]) -> None:
    """Take finished jobs out; raise LeaseLost when one of them is no longer ours."""
    for token in {j.token for j in done}:
        ids = [j.id for j in done if j.token == token]
        if _take_out.number(tx.connection, ids=ids, lease=token) != len(ids):
            raise LeaseLost(f"job {ids}: the lease was taken over")
    tx.wake("done", *({"run"} & _held_up(tx.connection, done)))


def _held_up(connection: Connection, done: Sequence[Job]) -> set[str]:
    """Return the kinds of finished jobs whose lanes may hold another, which is ready now.

    On PostgreSQL another transaction may be putting one that is not to be seen yet.
    """
    kinds = {j.lane: j.kind for j in done if j.lane is not None}
    if connection.dialect.name == "postgresql":
        return set(kinds.values())
    return {kinds[row[0]] for row in _in_lanes(connection, list(kinds))}


def put_back(
    tx: Tx,
    held: Job,
    *,
    due_at: datetime,
    error: str,
    data: Any = None,
    blameless: bool = False,
) -> None:
    """Make a leased job ready again at ``due_at``; raise LeaseLost when it is no longer ours.

    ``blameless``: the attempt does not count, as it was not the job that failed.
    """
    values: dict[str, Any] = {
        "state": "ready",
        "worker_id": None,
        "token": None,
        "due_at": due_at,
        "error": error[:2_000],
        "attempts": job.c.attempts - int(blameless),
    }
    if data is not None:
        values["data"] = data
    ours = and_(job.c.id == held.id, job.c.token == held.token)
    if tx.connection.execute(update(job).where(ours).values(**values)).rowcount != 1:
        raise LeaseLost(f"job {held.id}: the lease was taken over")
    tx.wake(held.kind, "done")


def leave_lane(tx: Tx, job_id: int) -> None:
    """Let the later jobs of a job's lane go on without it."""
    tx.connection.execute(update(job).where(job.c.id == job_id).values(lane=None))


def give_back(
    tx: Tx, held: Sequence[Job], *, due_at: datetime | None, error: str, blameless: bool = False
) -> int:
    """Make those of these jobs ready again that are still ours; return how many.

    Without ``due_at`` they keep their place in line. ``blameless``: the attempt does not count, as
    it was not the job that failed.
    """
    freed = 0
    values: dict[str, Any] = {
        "state": "ready",
        "worker_id": None,
        "token": None,
        "due_at": job.c.due_at if due_at is None else due_at,
        "error": error[:2_000],
        "attempts": job.c.attempts - int(blameless),
    }
    for token in {j.token for j in held}:
        ids = [j.id for j in held if j.token == token]
        ours = and_(job.c.id.in_(ids), job.c.token == token)
        freed += tx.connection.execute(update(job).where(ours).values(**values)).rowcount
    tx.wake("done", *{j.kind for j in held})
    return freed


def reschedule(tx: Tx, kind: str, key: str, due_at: datetime) -> bool:
    """Move a waiting job to another time; False when there is none."""
    ready = and_(job.c.kind == kind, job.c.key == key, job.c.state == "ready")
    moved = tx.connection.execute(update(job).where(ready).values(due_at=due_at)).rowcount
    tx.wake(kind)
    return bool(moved)


def cancel(tx: Tx, kind: str, keys: Sequence[str]) -> int:
    """Take jobs out that nobody has begun."""
    ready = and_(job.c.kind == kind, job.c.key.in_(keys), job.c.state == "ready")
    return tx.connection.execute(delete(job).where(ready)).rowcount


def cancel_prefix(tx: Tx, kind: str, prefix: str) -> int:
    """Take jobs out whose key begins so, unless somebody has begun them."""
    ready = and_(job.c.kind == kind, job.c.key.startswith(prefix), job.c.state == "ready")
    return tx.connection.execute(delete(job).where(ready)).rowcount


def is_known(connection: Connection, kind: str, key: str) -> bool:
    """Whether there is a job of this key, waiting or leased."""
    mine = and_(job.c.kind == kind, job.c.key == key)
    return connection.execute(select(job.c.id).where(mine)).first() is not None


def give_up(tx: Tx, worker: int, leases: Collection[int]) -> int:
    """Make jobs ready again that were leased under these tokens and given to nobody."""
    mine = and_(job.c.worker_id == worker, job.c.state == "leased", job.c.token.in_(leases))
    kinds = tx.connection.execute(update(job).where(mine).values(_BACK).returning(job.c.kind))
    freed = list(kinds.scalars())
    tx.wake(*freed)
    return len(freed)


def release(tx: Tx, workers: Sequence[int], *, but: Sequence[int] = ()) -> int:
    """Give the jobs of workers that are dead, or stop, back to whoever comes next."""
    held = and_(job.c.worker_id.in_(workers), job.c.state == "leased", job.c.id.not_in(but))
    freed = tx.connection.execute(
        update(job).where(held).values(state="ready", worker_id=None, token=None)
    ).rowcount
    if freed:
        kinds = tx.connection.execute(select(job.c.kind).where(job.c.state == "ready").distinct())
        tx.wake(*kinds.scalars())
    return freed
