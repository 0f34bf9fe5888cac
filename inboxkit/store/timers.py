"""Durable timers of ``on_no_reply``: one job for each waiting thread and handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, select, update

from . import jobs
from .prepared import Prepared
from .succession import CAME_AFTER
from .tables import job, message, thread

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from .leased import Job
    from .transactions import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTimer:
    """Call a handler with a thread at a time, unless somebody answers before."""

    thread_id: int
    inbox_id: int
    router: str
    handler: str
    message_id: int
    due_at: datetime
    count: int = 1
    before: Collection[str] = ()  # what the send has cited


def start(tx: Tx, wanted: Sequence[NewTimer]) -> None:
    """Start timers; a thread that waits already keeps waiting from the newest send."""
    for timer in wanted:
        key = f"{timer.thread_id}:{timer.handler}"
        if _answered(tx.connection, timer):
            continue
        if jobs.reschedule(tx, "timer", key, timer.due_at) or _moved(tx, key, timer):
            continue
        data = {
            "thread": timer.thread_id,
            "router": timer.router,
            "handler": timer.handler,
            "message": timer.message_id,
            "count": timer.count,
        }
        row = jobs.new_job("timer", key, inbox_id=timer.inbox_id, due_at=timer.due_at, data=data)
        jobs.put(tx, [row])


def _answered(connection: Connection, timer: NewTimer) -> bool:
    """Whether the thread has stopped waiting, or a person wrote after the send."""
    waiting = select(thread.c.waiting_since).where(thread.c.id == timer.thread_id)
    if connection.execute(waiting).scalar() is None:
        return True
    answer = {"thread": timer.thread_id, "sent": timer.message_id, "before": timer.before}
    return _answer.one(connection, **answer) is not None


_answer = Prepared(
    select(message.c.id)
    .where(
        message.c.thread_id == bindparam("thread"),
        CAME_AFTER,
        message.c.direction == "inbound",
        message.c.kind == "human",
        message.c.participant,
    )
    .limit(1)
)


def _moved(tx: Tx, key: str, timer: NewTimer) -> bool:
    """Move the timer of a thread, though it is about to fire; False when there is none."""
    mine = select(job.c.id, job.c.data).where(job.c.kind == "timer", job.c.key == key)
    held = tx.connection.execute(mine.with_for_update()).first()
    if held is None:
        return False
    values = {"due_at": timer.due_at, "data": {**held.data, "message": timer.message_id}}
    tx.connection.execute(update(job).where(job.c.id == held.id).values(**values))
    return True


def put_back(tx: Tx, held: Job) -> bool:
    """Put a leased timer back that a newer send has moved since; False when it is to fire."""
    mine = select(job.c.due_at).where(job.c.id == held.id, job.c.token == held.token)
    due_at = tx.connection.execute(mine.with_for_update()).scalar()
    if due_at is None or due_at == held.due_at:
        return False
    jobs.put_back(tx, held, due_at=due_at, error="", blameless=True)
    return True
