"""What there is to do: how many jobs, whether one is due, when the next one is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, not_, or_, select

from .prepared import Prepared, among
from .tables import job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..clock import Clock

_EVER = datetime(1, 1, 1, tzinfo=UTC)


def is_first() -> ColumnElement[bool]:
    """Return what holds for a ready job that none of its lane holds up: an earlier or a leased one.

    A later one may be leased: ids of hosts whose clocks differ, or of transactions of PostgreSQL
    that commit later, come after it.
    """
    leased, earlier = job.alias("leased"), job.alias("earlier")
    busy = exists().where(  # unequal ids: else PostgreSQL would gather all leased ones first
        leased.c.lane == job.c.lane, leased.c.state == "leased", leased.c.id != job.c.id
    )
    behind = exists().where(
        earlier.c.lane == job.c.lane, earlier.c.state == "ready", earlier.c.id < job.c.id
    )
    return or_(job.c.lane.is_(None), not_(or_(behind, busy)))


def next_due(
    connection: Connection, kinds: Sequence[str], *, after: datetime | None = None
) -> datetime | None:
    """Return when the next waiting job of these kinds is due, of all or of those due later.

    One that must wait for another of its lane is not counted: the other's end wakes its step.
    """
    since = _EVER if after is None else after
    found = (_next_due.first(connection, kind=kind, after=since) for kind in kinds)
    return min((row["due_at"] for row in found if row is not None), default=None)


_next_due = Prepared(
    select(job.c.due_at)
    .where(
        job.c.kind == bindparam("kind"),
        job.c.state == "ready",
        job.c.due_at > bindparam("after"),
        is_first(),
    )
    .order_by(job.c.due_at)
    .limit(1)
)


def count(connection: Connection, kinds: Sequence[str]) -> int:
    """Return how many jobs of these kinds are there, waiting or leased."""
    query = select(func.count()).select_from(job).where(job.c.kind.in_(kinds))
    return connection.execute(query).scalar_one()


def are_left(connection: Connection, kinds: Sequence[str], clock: Clock) -> bool:
    """Whether a job of these kinds is leased or due; not one that waits for another of its lane.

    The clock is read after the jobs were: one that was put while they were looked for is due then.
    """
    held, due = _left.rows(connection, kinds=kinds)[0]
    return held > 0 or (due is not None and due <= clock.now())


_leased = job.c.state == "leased"
_left = Prepared(
    select(func.count().filter(_leased).label("held"), func.min(job.c.due_at).label("due")).where(
        among(job.c.kind, "kinds"), or_(_leased, is_first())
    )
)


def summary(connection: Connection) -> dict[str, int]:
    """Return how many jobs of each kind and state there are."""
    query = select(job.c.kind, job.c.state, func.count()).group_by(job.c.kind, job.c.state)
    return {f"{kind} {state}": number for kind, state, number in connection.execute(query)}
