"""Example events: what a receiver of webhooks is shown before there is mail. Nothing is stored.

They are made as real ones are, of a message that never was, so they have the same fields.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ...models import Message
from ...store.announcements import Announcement, Subject
from ...store.conversations import Conversation
from ...store.domains import DomainRecord
from ...store.reach import HIDDEN_LABELS
from ...store.records import Shown
from ...tokens import encode, new_id, public_id
from ...values import Address, Direction, Envelope, EventType
from .schemas.events import RECEIVED, Event, domain_event, event, types_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...models import Actions

_ANN = Address("ann@example.com", "Ann Example")
_WORDS = "This is an example, sent to see whether this webhook takes events."
_NAME = "<example@example.com>"


def type_of(types: Sequence[str]) -> str:
    """Return the first of the types an endpoint wants that can happen here."""
    return next((name for name in types if types_named(name)), RECEIVED)


def example(name: str, inbox: str, now: datetime, actions: Actions) -> Event:
    """Return an event of a type that ``types_named`` knows, about a message of an address.

    Its id is new each time, and no place in the log: it cannot be given as a cursor.
    """
    told = _announcement(name, inbox, now)
    if told.type == EventType.DOMAIN_VERIFIED:
        made = domain_event(told, _domain(inbox.rpartition("@")[2], now))
    else:
        message = _message(told, actions)
        shown = Shown(_NAME, message, message.labels, (), "", now, now)
        made = event(told, Subject(shown, _thread(message)))
    return made.model_copy(update={"event_id": f"evt_example_{encode(new_id())}"})


def _announcement(name: str, inbox: str, now: datetime) -> Announcement:
    kind = types_named(name)[0]
    return Announcement(
        seq=0,
        type=kind,
        at=now,
        inbox_id=0,
        inbox=inbox,
        pod_id="",
        message_id=0,
        thread_id=None,
        labels=frozenset(HIDDEN_LABELS).intersection((name.rpartition(".")[2],)),
        recipient="" if kind == EventType.RECEIVED else _ANN.email,
        hard=kind == EventType.BOUNCED,
        reason_class="",
        reason="",
        data={"example": True},
    )


def _message(told: Announcement, actions: Actions) -> Message:
    inbox, now, came = told.inbox, told.at, told.type == EventType.RECEIVED
    ours, way = Address(inbox), ("received", "unread") if came else ("sent", "read")
    sender, to = (_ANN, ours) if came else (ours, _ANN)
    return Message(
        id=public_id("msg", 0),
        message_id=_NAME,
        direction=Direction.INBOUND if came else Direction.OUTBOUND,
        inbox=inbox,
        sender=sender,
        envelope=Envelope(sender.email, (to.email,)),
        received_at=now,
        actions=actions,
        to=(to,),
        date=now - timedelta(seconds=1),
        subject="Example",
        text=_WORDS,
        reply_text=_WORDS,
        visible_text=_WORDS,
        preview=_WORDS,
        state="parsed" if came else "sent",
        labels=told.labels.union(way),
        thread_id=public_id("thd", 0),
        thread_reason="new",
        size=len(_WORDS),
    )


def _thread(message: Message) -> Conversation:
    at = message.received_at
    return Conversation(
        id=0,
        inbox=message.inbox,
        labels=message.labels,
        last_at=at,
        received_at=at,
        sent_at=None,
        senders=[(message.sender.email, message.sender.name)],
        recipients=[(to.email, to.name) for to in message.to],
        subject=message.subject,
        preview=message.preview,
        files=(),
        last_message=_NAME,
        message_count=1,
        size=message.size,
        created_at=at,
        updated_at=at,
    )


def _domain(name: str, now: datetime) -> DomainRecord:
    return DomainRecord(
        id=name,
        pod_id=None,
        status="VERIFIED",
        feedback_enabled=True,
        inbound_enabled=True,
        subdomains_enabled=False,
        tracking_enabled=False,
        records=(),
        dkim_selector="",
        dkim_key="",
        verified_at=now,
        created_at=now,
        updated_at=now,
    )
