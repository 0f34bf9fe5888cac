"""Runs as callers of the API see them: within their reach, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from . import jobs
from .pages import Page, paged
from .tables import content, inbox, label, message, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .reach import Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A Run with the address of its inbox."""

    id: int
    message_id: int
    inbox: str
    thread_id: int | None
    router: str
    handler: str
    kind: str
    item: str
    state: str
    attempts: int
    error: str
    created_at: datetime
    finished_at: datetime | None


def listed(
    connection: Connection,
    reach: Reach,
    page: Page[int],
    *,
    state: str = "",
    handler: str = "",
    message_id: int | None = None,
) -> list[RunRecord]:
    """Return a page of the Runs within reach."""
    query = _within(reach)
    if state:
        query = query.where(run.c.state == state)
    if handler:
        query = query.where(run.c.handler == handler)
    if message_id is not None:
        query = query.where(run.c.message_id == message_id)
    found = connection.execute(paged(query, run.c.id, page)).mappings()
    return [RunRecord(**dict(row)) for row in found]


def find(connection: Connection, reach: Reach, run_id: int) -> RunRecord | None:
    """Return a Run within reach."""
    row = connection.execute(_within(reach).where(run.c.id == run_id)).mappings().first()
    return None if row is None else RunRecord(**dict(row))


def failed(connection: Connection, reach: Reach, handler: str, *, limit: int) -> Sequence[int]:
    """Return Runs within reach that were given up, the oldest first."""
    query = _within(reach).where(run.c.state == "failed")
    if handler:
        query = query.where(run.c.handler == handler)
    return [row.id for row in connection.execute(query.order_by(run.c.id).limit(limit))]


def kind_reason(connection: Connection, message_id: int) -> str:
    """Return why a message was taken for what it is."""
    query = select(content.c.kind_reason).where(content.c.message_id == message_id)
    return connection.execute(query).scalar() or ""


def is_planned(connection: Connection, message_id: int) -> bool:
    """Whether handlers have been looked for already; not before a process has some loaded."""
    return not jobs.is_known(connection, "plan", str(message_id))


def _within(reach: Reach) -> Any:
    columns = [run.c[name] for name in RunRecord.__slots__ if name != "inbox"]
    query = (
        select(*columns, inbox.c.address.label("inbox"))
        .join(message, message.c.id == run.c.message_id)
        .join(inbox, inbox.c.id == message.c.inbox_id)
        .where(reach.owns(message.c.inbox_id))
    )
    if reach.forbidden:
        unseen = select(label.c.message_id).where(label.c.label.in_(reach.forbidden))
        query = query.where(run.c.message_id.not_in(unseen))
    return query
