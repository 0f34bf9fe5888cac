"""Attempts: the log of every post to an endpoint, good or bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, String, case, cast, delete, func, insert, select

from ..tokens import new_id
from .api_tables import attempt
from .pages import Page, paged
from .tables import event, job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .transactions import Tx

_MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt: ``status`` of the answer, 0 when there was none; ``type`` of the event.

    ``next_at`` is when the event is tried again, None when it is not.
    """

    id: int = 0
    endpoint_id: int
    event_seq: int
    number: int
    status: int
    error: str
    milliseconds: int
    at: datetime
    type: str | None = None
    next_at: datetime | None = None

    @property
    def is_good(self) -> bool:
        """Whether the endpoint took the event."""
        return 200 <= self.status < 300


def add(tx: Tx, made: AttemptRecord) -> None:
    """Keep an attempt."""
    row = {name: getattr(made, name) for name in _COLUMNS} | {"id": new_id()}
    tx.connection.execute(insert(attempt), [row | {"error": made.error[:_MOST_CHARACTERS]}])


_COLUMNS = tuple(column.name for column in attempt.c)


def listed(
    connection: Connection,
    endpoint_id: int,
    page: Page[int],
    *,
    event_seq: int | None = None,
    failed: bool = False,
) -> list[AttemptRecord]:
    """Return a page of an endpoint's attempts; ``failed``: only those that did not succeed."""
    key = cast(attempt.c.endpoint_id, String) + ":" + cast(attempt.c.event_seq, String)
    waits = (job.c.kind == "post") & (job.c.key == key)
    query = (
        select(attempt, event.c.type, job.c.due_at.label("next_at"))
        .outerjoin(event, event.c.seq == attempt.c.event_seq)
        .outerjoin(job, waits)
        .where(attempt.c.endpoint_id == endpoint_id)
    )
    if event_seq is not None:
        query = query.where(attempt.c.event_seq == event_seq)
    if failed:
        query = query.where(~attempt.c.status.between(200, 299))
    found = connection.execute(paged(query, attempt.c.id, page)).mappings()
    return [AttemptRecord(**dict(row)) for row in found]


def lost(connection: Connection, endpoint_id: int, since: datetime, *, limit: int) -> Sequence[int]:
    """Return the events since a moment that an endpoint never took, in order."""
    good = func.max(case((attempt.c.status.between(200, 299), 1), else_=0))
    query = (
        select(attempt.c.event_seq)
        .where(attempt.c.endpoint_id == endpoint_id, attempt.c.at >= since)
        .group_by(attempt.c.event_seq)
        .having(good == 0)
        .order_by(attempt.c.event_seq)
        .limit(limit)
    )
    return connection.execute(query).scalars().all()


def forget(tx: Tx, before: datetime) -> int:
    """Delete attempts that were made before a moment; return how many."""
    return tx.connection.execute(delete(attempt).where(attempt.c.at < before)).rowcount
