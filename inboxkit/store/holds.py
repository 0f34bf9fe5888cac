"""What a restored copy would do once more is held back, for a person to decide.

The database that it was copied from went on: what waited then was sent and handled there, perhaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, or_, select, update

from ..values import EventType
from . import deliveries, drafts, messages, runs, sends
from .deliveries import Outcome
from .tables import job, message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from .transactions import Tx

LABEL = "held"
_WHY = "held back after a restore: it may have been done where this copy was made"


@dataclass(frozen=True, slots=True)
class Held:
    """How much was held back."""

    sends: int
    runs: int
    messages: int
    drafts: int
    reminders: int


def hold(tx: Tx, now: datetime) -> Held:
    """Hold back what would be sent or handled now; what is scheduled for later stays.

    Sends become ``unknown``, Runs and drafts ``failed``; messages that no handler has had are
    labelled, and read in silence. For a database on which nobody is at work.
    """
    return Held(
        messages=_messages(tx, now),
        runs=_runs(tx, now),
        sends=_sends(tx, now),  # after the others: handlers are told what is unknown now
        drafts=_drafts(tx, now),
        reminders=len(_taken_out(tx, and_(job.c.kind == "timer", job.c.due_at <= now))),
    )


def _taken_out(tx: Tx, which: ColumnElement[bool]) -> Sequence[Row[Any, Any]]:
    """Delete jobs, whoever held them; return the key and the attempts of each."""
    gone = delete(job).where(which).returning(job.c.key, job.c.attempts)
    return tx.connection.execute(gone).all()


def _sends(tx: Tx, now: datetime) -> int:
    waiting = select(job.c.key, job.c.due_at).where(job.c.kind == "send")
    due = {int(row.key): row.due_at <= now for row in tx.connection.execute(waiting)}
    scheduled = select(message.c.id).where(message.c.state == "scheduled")
    later = {row_id for row_id in tx.connection.execute(scheduled).scalars() if not due.get(row_id)}
    held = sorted(due.keys() - later)
    outcome = Outcome(type=EventType.SEND_UNKNOWN, at=now, reason=_WHY)
    for row_id in held:
        _taken_out(tx, and_(job.c.kind == "send", job.c.key == str(row_id)))
        recipients = list(deliveries.pending(tx.connection, row_id))
        sends.note(tx, row_id, _WHY)
        deliveries.happened_to(tx, row_id, recipients, outcome, now=now)
    return len(held)


def _runs(tx: Tx, now: datetime) -> int:
    held = _taken_out(tx, job.c.kind == "run")
    for row in held:
        runs.settle(tx, int(row.key), "failed", attempts=row.attempts, now=now, error=_WHY)
    return len(held)


def _messages(tx: Tx, now: datetime) -> int:
    """Let what waits to be read be read and not be handled, and forget what waits for handlers.

    What starts reminders is no such thing: its key begins with ``sent:``.
    """
    unread = select(job.c.id, job.c.key, job.c.data).where(job.c.kind == "read")
    reading = tx.connection.execute(unread).all()
    for row in reading:
        quiet = update(job).where(job.c.id == row.id).values(data={**row.data, "silent": True})
        tx.connection.execute(quiet)
    planned = _taken_out(
        tx,
        and_(job.c.kind == "plan", or_(job.c.key.startswith("event:"), ~job.c.key.contains(":"))),
    )
    about = {int(row.key) for row in (*reading, *planned) if row.key.isdigit()}
    for row_id in sorted(about):
        messages.set_labels(tx, row_id, add=[LABEL], remove=[], now=now)
    return len(about)


def _drafts(tx: Tx, now: datetime) -> int:
    held = _taken_out(tx, and_(job.c.kind == drafts.KIND, job.c.due_at <= now))
    for row in held:
        known = drafts.by_id(tx.connection, int(row.key))
        if known is not None:
            drafts.fail(tx, known, _WHY, now)
    return len(held)
