"""Sends whose outcome nobody could find out, settled by a person or by the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from sqlalchemy import Connection, select, update

from ..errors import NotFound, SendError
from ..tokens import public_id
from ..values import EventType
from . import deliveries, jobs, sends
from .deliveries import Outcome
from .tables import delivery, job, message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .leased import Job
    from .transactions import Tx

Resolution: TypeAlias = Literal["sent", "retry"]


def unknown(connection: Connection, row_id: int) -> list[str]:
    """Return the recipients of a send of whom it is not known whether they got it."""
    mine = (delivery.c.message_id == row_id) & (delivery.c.state == "unknown")
    return list(connection.execute(select(delivery.c.recipient).where(mine)).scalars())


def resolve(
    tx: Tx,
    row_id: int,
    recipients: Sequence[str],
    how: str,
    *,
    now: datetime,
    held: Job | None = None,
) -> None:
    """Count a send as sent, or send it once more. ``held``: the job that does it.

    Raise SendError when nothing is unknown, or when another process is at it right now.
    """
    if not recipients:
        raise SendError(f"{public_id('msg', row_id)}: its outcome is known; there is nothing to do")
    if held is None:
        _check_free(tx, row_id)
    if how == "sent":
        _sent(tx, row_id, recipients, now, held)
    else:
        _retry(tx, row_id, recipients, now, held)


def by_hand(tx: Tx, row_id: int, how: Resolution, *, now: datetime) -> list[str]:
    """Settle a send whose outcome is unknown; return its recipients. Raise NotFound, SendError.

    Of two who do so at once the second is told what the first has left to do.
    """
    held = select(message.c.id).where(message.c.id == row_id).with_for_update()
    tx.connection.execute(held)
    if sends.outbound(tx.connection, row_id) is None:
        raise NotFound(f"no send {public_id('msg', row_id)}")
    recipients = unknown(tx.connection, row_id)
    resolve(tx, row_id, recipients, how, now=now)
    return recipients


def _check_free(tx: Tx, row_id: int) -> None:
    mine = (job.c.kind == "send") & (job.c.key == str(row_id))
    if (
        tx.connection.execute(select(job.c.state).where(mine).with_for_update()).scalar()
        == "leased"
    ):
        raise SendError(f"{public_id('msg', row_id)}: it is being asked about now; try again")


def _sent(tx: Tx, row_id: int, recipients: Sequence[str], now: datetime, held: Job | None) -> None:
    took = Outcome(type=EventType.ACCEPTED, at=now, reason="resolved as sent")
    deliveries.happened_to(tx, row_id, recipients, took, now=now)
    sends.note(tx, row_id, "")
    if held is not None:
        jobs.complete(tx, [held])
    else:
        jobs.cancel(tx, "send", [str(row_id)])


def _retry(tx: Tx, row_id: int, recipients: Sequence[str], now: datetime, held: Job | None) -> None:
    deliveries.requeue(tx, row_id, recipients, at=now)
    if held is not None:
        jobs.put_back(tx, held, due_at=now, error="", data={})
    mine = (job.c.kind == "send") & (job.c.key == str(row_id))
    again = update(job).where(mine).values(due_at=now, attempts=0, data={})
    if not tx.connection.execute(again).rowcount:
        inbox_id = select(message.c.inbox_id).where(message.c.id == row_id)
        owner = tx.connection.execute(inbox_id).scalar_one()
        jobs.put(tx, [jobs.new_job("send", row_id, inbox_id=owner, due_at=now)])
    tx.wake("send")
