"""The one job table: put, claim, complete, put back. A lease names a worker and a token.

Whoever completes a job proves with the token that it still holds it; no row changed means that
the lease was taken over, and the caller's transaction must be given up (``LeaseLost``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    true,
    update,
)

from ..tokens import new_id
from .backlog import is_first, next_due
from .bulk import BulkInsert, Finder
from .prepared import Prepared, among
from .tables import job

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.sql.dml import ReturningUpdate

    from .writer import Tx

_INBOXES_A_CLAIM = 32


class LeaseLost(Exception):
    """The job is no longer ours: another worker took it over."""


@dataclass(frozen=True, slots=True)
class Job:
    """A leased piece of work."""

    id: int
    kind: str
    key: str
    inbox_id: int
    due_at: datetime
    attempts: int
    token: int
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lane: str | None = None


def new_job(
    kind: str,
    key: str | int,
    *,
    inbox_id: int,
    due_at: datetime,
    lane: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the row of a job that is ready at ``due_at``; ``put`` stores it.

    Jobs of one ``lane`` run one at a time in the order of their ids.
    """
    return {
        "id": new_id(),
        "kind": kind,
        "key": str(key),
        "inbox_id": inbox_id,
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
    lanes = {row["lane"] for row in rows if row["lane"] is not None}
    taken = {row[0] for row in _in_lanes(connection, list(lanes))} if lanes else set[str]()
    for row in rows:
        if row["lane"] is None:
            yield row
        elif row["lane"] not in taken:
            taken.add(row["lane"])
            yield row


def born(row: Mapping[str, Any]) -> Job:
    """Return the job of a row that was stored as leased."""
    return Job(**{name: row[name] for name in _FIELDS})


def take(
    tx: Tx, kind: str, *, worker: int, now: datetime, limit: int, start: int
) -> tuple[list[Job], datetime | None]:
    """Claim due jobs; with fewer than ``limit``, say when the next one is due."""
    taken = claim(tx, kind, worker=worker, now=now, limit=limit, start=start)
    return taken, next_due(tx.connection, [kind]) if len(taken) < limit else None


def claim(tx: Tx, kind: str, *, worker: int, now: datetime, limit: int, start: int) -> list[Job]:
    """Lease at most ``limit`` due jobs, in turn by inbox from the inbox after ``start`` on.

    So a flood in one inbox does not starve another.
    """
    if tx.connection.dialect.name == "postgresql":
        given = {"kind": kind, "now": now, "most": limit, "start": start, "worker": worker}
        return _leased(_lease_due(tx.connection, lease=_new_lease(tx), **given))
    inboxes = _due_inboxes(tx.connection, kind, now, start)
    if not inboxes:
        return []
    share = -(-limit // len(inboxes))
    ids: list[int] = []
    for inbox_id in inboxes:
        if len(ids) < limit:
            ids += _due_ids(tx.connection, kind, inbox_id, now, min(share, limit - len(ids)))
    return _lease(tx, ids, worker) if ids else []


def _due_inboxes(connection: Connection, kind: str, now: datetime, start: int) -> list[int]:
    """Walk the index from inbox to inbox (a loose scan), not over the backlog."""
    rows = _walk_inboxes(connection, kind=kind, now=now)
    found = [row["inbox_id"] for row in rows if row["inbox_id"] is not None]
    turned = [i for i in found if i > start] + [i for i in found if i <= start]
    return turned[:_INBOXES_A_CLAIM]


def _walk() -> CTE:
    """Return the inboxes with a due job, as many as are looked at; NULL may be the last."""
    walk = (
        select(func.min(job.c.inbox_id).label("inbox_id"), literal(1).label("n"))
        .where(_DUE)
        .cte("walk", recursive=True)
    )
    following = (
        select(func.min(job.c.inbox_id)).where(_DUE, job.c.inbox_id > walk.c.inbox_id)
    ).scalar_subquery()
    more = walk.c.inbox_id.is_not(None) & (walk.c.n < _INBOXES_A_CLAIM * 8)
    return walk.union_all(select(following, walk.c.n + 1).where(more))


def _due_of_an_inbox() -> Select[Any]:
    """Select an inbox's due jobs; of a lane only the first."""
    return (
        select(job.c.id)
        .where(_DUE, job.c.inbox_id == bindparam("inbox"), is_first())
        .order_by(job.c.id)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    )


_DUE = and_(
    job.c.kind == bindparam("kind"), job.c.state == "ready", job.c.due_at <= bindparam("now")
)
_walk_inboxes = Prepared(select(_walk().c.inbox_id))
_due_jobs = Prepared(_due_of_an_inbox())


def _due_ids(
    connection: Connection, kind: str, inbox_id: int, now: datetime, limit: int
) -> list[int]:
    rows = _due_jobs(connection, kind=kind, now=now, inbox=inbox_id, most=limit)
    return [row["id"] for row in rows]


_COLUMNS = (
    job.c.id,
    job.c.kind,
    job.c.key,
    job.c.inbox_id,
    job.c.due_at,
    job.c.attempts,
    job.c.token,
    job.c.data,
    job.c.lane,
)


def _leasing(chosen: ColumnElement[bool]) -> ReturningUpdate[*tuple[Any, ...]]:
    values: dict[str, Any] = {
        "state": "leased",
        "worker_id": bindparam("worker"),
        "token": bindparam("lease"),
        "attempts": job.c.attempts + 1,
    }
    return update(job).where(chosen, job.c.state == "ready").values(values).returning(*_COLUMNS)


def _leasing_due() -> ReturningUpdate[*tuple[Any, ...]]:
    """Return a whole claim as one statement of PostgreSQL, where each is a trip to the server."""
    walk = _walk()
    turned = (
        select(walk.c.inbox_id)
        .where(walk.c.inbox_id.is_not(None))
        .order_by(walk.c.inbox_id <= bindparam("start"), walk.c.inbox_id)
        .limit(_INBOXES_A_CLAIM)
        .cte("turned")
    )
    most, number = bindparam("most", type_=Integer), func.greatest(func.count(), 1)
    share = select((most + number - 1) // number).select_from(turned).scalar_subquery()
    due = (
        select(job.c.id)
        .where(_DUE, job.c.inbox_id == turned.c.inbox_id, is_first())
        .order_by(job.c.id)
        .limit(share)
        .with_for_update(skip_locked=True)
        .lateral("due")
    )
    # Materialized: looked for more than once, it might lock others each time.
    picked = select(due.c.id).select_from(turned.join(due, true())).limit(most).cte("picked")
    return _leasing(job.c.id.in_(select(picked.prefix_with("MATERIALIZED").c.id)))


_lease_all = Prepared(_leasing(among(job.c.id)))
_lease_due = Prepared(_leasing_due())


def _lease(tx: Tx, ids: Sequence[int], worker: int) -> list[Job]:
    return _leased(_lease_all(tx.connection, ids=ids, worker=worker, lease=_new_lease(tx)))


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
    lanes = {j.lane: j.kind for j in done if j.lane is not None}
    if connection.dialect.name == "postgresql":
        return set(lanes.values())
    return {lanes[row[0]] for row in _in_lanes(connection, list(lanes))}


def put_back(tx: Tx, held: Job, *, due_at: datetime, error: str, data: Any = None) -> None:
    """Make a leased job ready again at ``due_at``; raise LeaseLost when it is no longer ours."""
    values: dict[str, Any] = {
        "state": "ready",
        "worker_id": None,
        "token": None,
        "due_at": due_at,
        "error": error[:2_000],
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
    tx: Tx, held: Sequence[Job], *, due_at: datetime, error: str, blameless: bool = False
) -> int:
    """Make those of these jobs ready again that are still ours; return how many.

    ``blameless``: the attempt does not count, as it was not the job that failed.
    """
    freed = 0
    values: dict[str, Any] = {
        "state": "ready",
        "worker_id": None,
        "token": None,
        "due_at": due_at,
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
    ready = {"state": "ready", "worker_id": None, "token": None, "attempts": job.c.attempts - 1}
    kinds = tx.connection.execute(update(job).where(mine).values(**ready).returning(job.c.kind))
    freed = list(kinds.scalars())
    tx.wake(*freed)
    return len(freed)


def release(tx: Tx, workers: Sequence[int]) -> int:
    """Give the jobs of dead workers back to whoever comes next."""
    held = and_(job.c.worker_id.in_(workers), job.c.state == "leased")
    freed = tx.connection.execute(
        update(job).where(held).values(state="ready", worker_id=None, token=None)
    ).rowcount
    if freed:
        kinds = tx.connection.execute(select(job.c.kind).where(job.c.state == "ready").distinct())
        tx.wake(*kinds.scalars())
    return freed
