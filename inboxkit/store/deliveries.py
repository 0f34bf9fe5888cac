"""How far a send has come with each recipient: one life cycle for what the outbox does, for
providers' events and for bounces that come by mail.

State only moves forward, whatever the order or repetition; hard bounces, complaints and
unsubscriptions suppress the address.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select, update

from ..values import EventType
from . import events, suppressions, threads
from .tables import delivery, event, message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from .transactions import Tx


@dataclass(frozen=True, slots=True)
class State:
    """One state of a delivery, and the event that brings it about.

    While it is ``pending`` the provider has not taken it, so far as we know: only then may the
    outbox set it back. ``lost`` means that the recipient does not get the message.
    """

    name: str
    event: EventType | None = None
    pending: bool = False
    lost: bool = False


# From early to late: an event moves a delivery down this table, never up.
STATES = (
    State("scheduled", pending=True),
    State("queued", pending=True),
    State("sending", pending=True),
    State("unknown", EventType.SEND_UNKNOWN, pending=True),
    State("accepted", EventType.ACCEPTED),
    State("deferred", EventType.DEFERRED),
    State("sent", EventType.SENT),
    State("delivered", EventType.DELIVERED),
    State("opened", EventType.OPENED),
    State("clicked", EventType.CLICKED),
    State("failed", EventType.FAILED, lost=True),
    State("rejected", EventType.REJECTED, lost=True),
    State("bounced", EventType.BOUNCED, lost=True),
    State("unsubscribed", EventType.UNSUBSCRIBED),
    State("complained", EventType.COMPLAINED),
)
_RANK = {state.name: rank for rank, state in enumerate(STATES)}
_OF_EVENT = {state.event: state for state in STATES if state.event is not None}
PENDING = tuple(state.name for state in STATES if state.pending)
_LOST = frozenset(state.name for state in STATES if state.lost)
_LASTING = (EventType.COMPLAINED, EventType.UNSUBSCRIBED)

# Built once: every send asks these, and to build a statement costs as much as to run it.
_OF_SEND = delivery.c.message_id == bindparam("send")
_SELECT_STATES = select(delivery.c.state).where(_OF_SEND)
_SELECT_PENDING = select(delivery.c.recipient, delivery.c.state).where(
    _OF_SEND, delivery.c.state.in_(PENDING)
)
_SELECT_SEND = (
    select(
        message.c.id,
        message.c.inbox_id,
        message.c.thread_id,
        message.c.rcpt_to,
        message.c.sender_email,
    )
    .where(message.c.id == bindparam("send"))
    .with_for_update()  # the same outcome may be told to two processes at once
)
_SELECT_LOGGED = select(event.c.data).where(
    event.c.message_id == bindparam("send"),
    event.c.type == bindparam("type"),
    event.c.recipient == bindparam("recipient"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One thing that happened to a send, for one recipient or for ``everybody``.

    With neither it is logged and moves nobody: some vendors do not say whom of several it is about.
    What is not ``believed`` suppresses nobody; what has a ``scope`` does so for it only.
    """

    type: EventType
    at: datetime
    recipient: str = ""
    everybody: bool = False
    hard: bool = False
    reason_class: str = ""
    reason: str = ""
    event_id: str = ""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    believed: bool = True
    scope: str = ""


def pending(connection: Connection, message_id: int) -> dict[str, str]:
    """Return the recipients whom no provider has taken the send for yet, and their states."""
    rows = connection.execute(_SELECT_PENDING, {"send": message_id})
    return {row.recipient: row.state for row in rows}


def requeue(tx: Tx, message_id: int, recipients: Sequence[str], *, at: datetime) -> None:
    """Take the send back from a provider that certainly did not send it.

    What a provider has taken meanwhile stays as it is.
    """
    tx.connection.execute(_SELECT_SEND, {"send": message_id})  # events move it too
    tx.connection.execute(
        update(delivery)
        .where(
            delivery.c.message_id == message_id,
            delivery.c.recipient.in_(recipients),
            delivery.c.state.in_(PENDING),
        )
        .values(state="queued", updated_at=at)
    )
    _set_state(tx, message_id, at)


def happened_to(
    tx: Tx, message_id: int, recipients: Sequence[str], outcome: Outcome, *, now: datetime
) -> None:
    """Log one outcome for these recipients: as one event when they are all there are."""
    query = select(message.c.rcpt_to).where(message.c.id == message_id)
    everybody: list[str] = tx.connection.execute(query).scalar() or []
    if set(recipients) == set(everybody):
        happened(tx, message_id, replace(outcome, everybody=True), now=now)
        return
    for recipient in recipients:
        happened(tx, message_id, replace(outcome, recipient=recipient), now=now)


def happened(tx: Tx, message_id: int, outcome: Outcome, *, now: datetime) -> bool:
    """Log an outcome and act on it; False when this very outcome is logged already."""
    row = tx.connection.execute(_SELECT_SEND, {"send": message_id}).first()
    if row is None:
        return False
    recipient = _recipient(row.rcpt_to, outcome.recipient)
    if recipient or outcome.everybody:
        _advance(tx, message_id, recipient, outcome, now)
    if _is_logged(tx, message_id, recipient, outcome):
        return False
    _act(tx, row, recipient, outcome, now)
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


def _is_logged(tx: Tx, message_id: int, recipient: str, outcome: Outcome) -> bool:
    """A provider takes a send once for each recipient, whoever tells of it, we or an event."""
    about = {"send": message_id, "type": str(outcome.type), "recipient": recipient}
    found = tx.connection.execute(_SELECT_LOGGED, about).scalars().all()
    if outcome.type == EventType.ACCEPTED:
        return bool(found)
    return any(outcome.event_id and data.get("id") == outcome.event_id for data in found)


def _recipient(recipients: list[str], named: str) -> str:
    """Return the recipient as we wrote it; the only one when the event names none of them."""
    for recipient in recipients:
        if recipient.lower() == named.lower():
            return recipient
    return recipients[0] if len(recipients) == 1 else named


def _advance(tx: Tx, message_id: int, recipient: str, outcome: Outcome, now: datetime) -> None:
    state = _OF_EVENT.get(outcome.type)
    if state is None:
        return
    earlier = [s.name for s in STATES[: _RANK[state.name]]]
    mine = (delivery.c.message_id == message_id) & delivery.c.state.in_(earlier)
    if recipient:
        mine &= delivery.c.recipient == recipient
    values = {
        "state": state.name,
        "reason_class": outcome.reason_class,
        "reason": outcome.reason[:2_000],
        "updated_at": now,
    }
    if tx.connection.execute(update(delivery).where(mine).values(**values)).rowcount:
        _set_state(tx, message_id, now)


def _states(connection: Connection, message_id: int) -> set[str]:
    return set(connection.execute(_SELECT_STATES, {"send": message_id}).scalars())


def furthest(states: AbstractSet[str]) -> str:
    """Return how far a send is: as the furthest of those who get it, lost when nobody does."""
    return max(states - _LOST or states, key=_rank, default="")


def _rank(state: str) -> int:
    """Return the place of a state; one that only a newer release knows comes before all."""
    return _RANK.get(state, -1)


def _set_state(tx: Tx, message_id: int, at: datetime) -> None:
    if reached := furthest(_states(tx.connection, message_id)):
        values = {"state": reached, "updated_at": at}
        tx.connection.execute(update(message).where(message.c.id == message_id).values(**values))


def _act(tx: Tx, row: Any, recipient: str, outcome: Outcome, now: datetime) -> None:
    """Suppress who must not be written to again, and wait no more for who cannot answer.

    Only a recipient of the send is suppressed: whoever forges a report could name anybody.
    """
    hard_bounce = outcome.type == EventType.BOUNCED and outcome.hard
    if hard_bounce and row.thread_id is not None and _states(tx.connection, row.id) <= _LOST:
        threads.stop_waiting(tx, row.thread_id)
    if recipient not in row.rcpt_to or not (hard_bounce or outcome.type in _LASTING):
        return
    if not outcome.believed:
        return
    domain = "" if hard_bounce else row.sender_email.rpartition("@")[2].lower()
    suppressions.add(
        tx,
        recipient,
        reason=str(outcome.type),
        now=now,
        domain=outcome.scope or domain,
        detail=outcome.reason_class or outcome.reason,
    )
