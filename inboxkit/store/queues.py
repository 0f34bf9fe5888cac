"""Which of the due jobs come next: in turn by queue, each queue's in the order they fell due.

An inbox is a queue of each step; of its Runs each handler's are one, so that those of a handler
that may not be called now are passed over. Both are walks over one index: a claim costs the same
however much is waiting.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    union_all,
)

from . import lanes
from .backlog import is_first
from .prepared import Ids, Prepared, among
from .tables import job

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Subquery

_QUEUES_A_CLAIM = 32
_FIRST, _LAST = -1, 2**63 - 1  # what every queue is above, and not above
_MARK = 2**16 - 1  # the bits of a queue that tell the handler
_DUE = and_(
    job.c.kind == bindparam("kind"), job.c.state == "ready", job.c.due_at <= bindparam("now")
)


def mark(handler: str) -> int:
    """Return what the queues of a handler have in common."""
    return int.from_bytes(blake2b(handler.encode(), digest_size=2).digest())


def of_handler(inbox_id: int, handler: str) -> int:
    """Return the queue of an inbox's Runs of one handler."""
    return (inbox_id << _MARK.bit_length()) & _LAST | mark(handler)


def _walk(
    name: str,
    after: ColumnElement[int],
    last: ColumnElement[int],
    *,
    but_full: bool = False,
) -> Select[Any]:
    """Walk from queue to queue (a loose scan), not over the backlog.

    The queues are those above ``after`` up to ``last`` that have a due job, as many as a claim
    serves; the full ones are stepped over.
    """
    here = job.c.queue <= last
    walk = (
        select(func.min(job.c.queue).label("queue"), literal(0).label("n"))
        .where(_DUE, job.c.queue > after, here)
        .cte(name, recursive=True)
    )
    is_full = among(walk.c.queue.op("&")(_MARK), "full")
    counted = walk.c.n + (case((is_full, 0), else_=1) if but_full else 1)
    following = select(func.min(job.c.queue)).where(_DUE, job.c.queue > walk.c.queue, here)
    more = walk.c.queue.is_not(None) & (counted < _QUEUES_A_CLAIM)
    walk = walk.union_all(select(following.scalar_subquery(), counted).where(more))
    found = select(walk.c.queue).where(walk.c.queue.is_not(None))
    return found.where(not_(among(walk.c.queue.op("&")(_MARK), "full"))) if but_full else found


def _due(queue: ColumnElement[int], most: Any, *columns: ColumnElement[Any]) -> Select[Any]:
    """Select a queue's due jobs, in the order of the index; of a lane only the first."""
    return (
        select(job.c.id, *columns)
        .where(_DUE, job.c.queue == queue, is_first())
        .order_by(job.c.due_at, job.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )


def in_turn(
    connection: Connection, kind: str, now: datetime, start: int, full: Collection[int]
) -> list[int]:
    """Return the queues with a due job that come next in turn after ``start``: only on SQLite."""
    walk = _walk_others if full else _walk_all
    rows = walk(connection, kind=kind, now=now, start=start, full=full)
    return [row["queue"] for row in rows]


def due_of(columns: Sequence[str]) -> Select[Any]:
    """Select the first ``share`` due jobs of each of ``queues``, ``most`` in all, for SQLite.

    It has no LATERAL. That each queue has its turn in the order given is how it joins: the left
    side first.
    """
    wanted = func.json_each(bindparam("queues", type_=Ids())).table_valued("value", name="wanted")
    found = job.alias("found")
    share, most = (bindparam(name, type_=Integer) for name in ("share", "most"))
    due_jobs = _due(wanted.c.value, share).correlate(wanted)
    joined = wanted.join(found, found.c.id.in_(due_jobs))
    return select(*(found.c[name] for name in columns)).select_from(joined).limit(most)


def picked(*, but_full: bool = False) -> Select[Any]:
    """Select all that a claim takes, at once: ``most`` jobs of ``kind``, in turn from ``start``.

    Only on PostgreSQL: of lanes that another transaction may be leasing from there is none.
    """
    walk, start = _walks(but_full=but_full)
    turned = (
        select(walk.c.queue)
        .order_by(walk.c.queue <= start, walk.c.queue)
        .limit(_QUEUES_A_CLAIM)
        .cte("turned")
    )
    most, number = bindparam("most", type_=Integer), func.greatest(func.count(), 1)
    share = select((most + number - 1) // number).select_from(turned).scalar_subquery()
    due_jobs = _due(turned.c.queue, share, job.c.lane).lateral("due")
    # Materialized: looked for more than once, it might lock others each time.
    chosen = select(due_jobs.c.id, due_jobs.c.lane).select_from(turned.join(due_jobs, true()))
    found = chosen.limit(most).cte("picked").prefix_with("MATERIALIZED")
    return select(found.c.id).where(or_(found.c.lane.is_(None), lanes.is_held(found.c.lane)))


def _walks(*, but_full: bool) -> tuple[Subquery, ColumnElement[int]]:
    """Return the queues with a due job from ``start`` on, then those before, and ``start``."""
    start, lowest = bindparam("start", type_=BigInteger), literal(_FIRST, BigInteger)
    ahead = _walk("ahead", start, literal(_LAST, BigInteger), but_full=but_full)
    behind = _walk("behind", lowest, start, but_full=but_full)
    return union_all(ahead, behind).subquery("walk"), start


def _prepared(*, but_full: bool) -> Prepared:
    # Not sorted: SQLite takes what is ahead first, and to set up a sort costs more than the walks.
    walk, _start = _walks(but_full=but_full)
    return Prepared(select(walk.c.queue).limit(_QUEUES_A_CLAIM), at_once=True)


_walk_all, _walk_others = _prepared(but_full=False), _prepared(but_full=True)
