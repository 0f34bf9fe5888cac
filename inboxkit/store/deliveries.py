"""What happened to a send: one life cycle for providers' events and for bounces that come by mail.

State only moves forward, whatever the order or repetition; hard bounces, complaints and
unsubscriptions suppress the address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..values import EventType
from . import events, sends, suppressions, threads
from .tables import event, message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .writer import Tx

_STATES = {
    EventType.ACCEPTED: "accepted",
    EventType.SENT: "sent",
    EventType.DELIVERED: "delivered",
    EventType.DEFERRED: "deferred",
    EventType.BOUNCED: "bounced",
    EventType.REJECTED: "rejected",
    EventType.FAILED: "failed",
    EventType.COMPLAINED: "complained",
    EventType.OPENED: "opened",
    EventType.CLICKED: "clicked",
    EventType.UNSUBSCRIBED: "unsubscribed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One thing that happened to a send, for one recipient or (``recipient`` "") for all."""

    type: EventType
    at: datetime
    recipient: str = ""
    hard: bool = False
    reason_class: str = ""
    reason: str = ""
    event_id: str = ""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


def happened(tx: Tx, message_id: int, outcome: Outcome, *, now: datetime) -> bool:
    """Log an outcome and act on it; False when this very outcome is logged already."""
    row = tx.connection.execute(select(message).where(message.c.id == message_id)).first()
    if row is None or _logged(tx, message_id, outcome):
        return False
    recipient = _recipient(row.rcpt_to, outcome.recipient)
    state = _STATES.get(outcome.type)
    if state == "bounced" and not outcome.hard:
        state = "deferred" if outcome.reason_class == "deferred" else "bounced"
    if state is not None:
        sends.advance(
            tx,
            message_id,
            state,
            at=now,
            recipient=recipient,
            reason_class=outcome.reason_class,
            reason=outcome.reason,
        )
    _suppress(tx, row, recipient, outcome, now)
    events.append(
        tx,
        outcome.type,
        at=now,
        inbox_id=row.inbox_id,
        message_id=message_id,
        thread_id=row.thread_id,
        recipient=recipient,
        hard=outcome.hard,
        reason_class=outcome.reason_class,
        reason=outcome.reason,
        data={**outcome.data, "happened_at": outcome.at.isoformat(), "id": outcome.event_id},
    )
    return True


def _logged(tx: Tx, message_id: int, outcome: Outcome) -> bool:
    if not outcome.event_id:
        return False
    mine = (event.c.message_id == message_id) & (event.c.type == str(outcome.type))
    found = tx.connection.execute(select(event.c.data).where(mine)).scalars()
    return any(data.get("id") == outcome.event_id for data in found)


def _recipient(recipients: list[str], named: str) -> str:
    """Return the recipient as we wrote it; the only one when the event names none of them."""
    for recipient in recipients:
        if recipient.lower() == named.lower():
            return recipient
    return recipients[0] if len(recipients) == 1 else named


def _suppress(tx: Tx, row: Any, recipient: str, outcome: Outcome, now: datetime) -> None:
    hard_bounce = outcome.type == EventType.BOUNCED and outcome.hard
    if hard_bounce and row.thread_id is not None:
        threads.stop_waiting(tx, row.thread_id)
    lasting = outcome.type in (EventType.COMPLAINED, EventType.UNSUBSCRIBED)
    if not recipient or not (hard_bounce or lasting):
        return
    domain = "" if hard_bounce else row.sender_email.rpartition("@")[2].lower()
    suppressions.add(
        tx,
        recipient,
        reason=str(outcome.type),
        now=now,
        domain=domain,
        detail=outcome.reason_class or outcome.reason,
    )
