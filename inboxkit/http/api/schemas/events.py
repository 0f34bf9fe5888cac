"""Events on the wire: AgentMail's types with AgentMail's fields, and beside them types of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from ....store.events import cursor_id
from ....tokens import public_id
from ....values import EventType
from ..targets import shown_inbox_id, shown_message_id
from .domains import Domain, domain
from .messages import Message, message, people
from .threads import ThreadItem, fields
from .wire import Request, Stamp, Text, Wire, Words

if TYPE_CHECKING:
    from ....store.announcements import Announcement, Subject
    from ....store.domains import DomainRecord
    from ....store.records import Shown

_MOST_WAIT_SECONDS = 60
RECEIVED = "message.received"
_VARIANTS = ("spam", "blocked", "unauthenticated")
# By what happened; those of AgentMail first.
_AGENTMAIL = {
    EventType.RECEIVED: RECEIVED,
    EventType.ACCEPTED: "message.sent",
    EventType.DELIVERED: "message.delivered",
    EventType.BOUNCED: "message.bounced",
    EventType.COMPLAINED: "message.complained",
    EventType.REJECTED: "message.rejected",
    EventType.FAILED: "message.rejected",
    EventType.OPENED: "message.opened",
    EventType.DOMAIN_VERIFIED: "domain.verified",
}
_OURS = {
    EventType.QUEUED: "message.queued",
    EventType.SENT: "message.relayed",
    EventType.DEFERRED: "message.deferred",
    EventType.CLICKED: "message.clicked",
    EventType.UNSUBSCRIBED: "message.unsubscribed",
    EventType.SEND_UNKNOWN: "message.send_unknown",
    EventType.UNKNOWN: "message.unknown",
    EventType.HANDLER_FAILED: "handler.failed",
    EventType.LOOP_STOPPED: "loop.stopped",
    EventType.WEBHOOK_DISABLED: "webhook.disabled",
}
_NAMES = {str(kind): name for kind, name in (*_AGENTMAIL.items(), *_OURS.items())}
_OF_VARIANTS = tuple(f"{RECEIVED}.{label}" for label in _VARIANTS)
# What whoever names no type is told of: what AgentMail's clients know, without what lists hide.
USUAL = frozenset(_AGENTMAIL.values())
WITHOUT_MESSAGE = frozenset((_AGENTMAIL[EventType.DOMAIN_VERIFIED],))
# A client of AgentMail may name these; here they never happen.
_NEVER = (
    *(f"message.security.{name}" for name in ("completed", "review", "override")),
    *(
        f"calendar.event.{name}"
        for name in ("created", "updated", "deleted", "responded", "starting", "ending")
    ),
)
TYPES = frozenset((*_NAMES.values(), *_OF_VARIANTS, *_NEVER))


def name_of(told: Announcement) -> str:
    """Return the type of an event as programs outside know it."""
    name = names_of_type(told.type)
    variant = next((label for label in _VARIANTS if label in told.labels), "")
    return f"{name}.{variant}" if name == RECEIVED and variant else name


def names_of_type(kind: str) -> str:
    """Return the name outside of a kind of entry, as far as that does not depend on labels."""
    return _NAMES.get(kind, "message.unknown")  # of a newer version that shares the database


def types_named(name: str) -> list[str]:
    """Return the kinds of entries in the log that have this name outside."""
    base = RECEIVED if name in _OF_VARIANTS else name
    return [kind for kind, wire in _NAMES.items() if wire == base]


def _known(types: Sequence[str]) -> Sequence[str]:
    unknown = sorted(set(types) - TYPES)
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)[:200]}; known: {', '.join(sorted(TYPES))}")
    return tuple(dict.fromkeys(types))


def _known_one(name: str) -> str:
    return _known([name])[0]


def _empty_if_null(value: Any) -> Any:
    return [] if value is None else value  # a list, as JSON has it


EventTypes = Annotated[
    Words, Field(max_length=100), AfterValidator(_known), BeforeValidator(_empty_if_null)
]
KnownType = Annotated[Text, AfterValidator(_known_one)]
Ids = Annotated[Words, Field(max_length=100), BeforeValidator(_empty_if_null)]


class EventsQuery(Request):
    """Which events: those after a cursor, of these types (all when none is named) and inboxes.

    ``after`` is an ``event_id`` or a ``cursor`` of an answer, ``start`` for the beginning of the
    log; without it only what happens from now on counts. ``wait`` is how many seconds to wait for
    the first event. ``brief`` leaves out what they are about: ``inboxkit`` names it.
    """

    after: Text | None = None
    wait: float = Field(default=0, ge=0, le=_MOST_WAIT_SECONDS)
    limit: int = Field(default=100, ge=1, le=500)
    event_types: EventTypes = ()
    inbox_ids: Ids = ()
    brief: bool = False


class Subscribe(Request):
    """What a socket wants to be told of. ``after`` is ours: begin after that event."""

    type: Literal["subscribe"]
    event_types: EventTypes = ()
    inbox_ids: Ids = ()
    pod_ids: Ids = ()
    after: Text | None = None


class Place(Wire):
    """Where in the log a client stands; give it back as ``after``."""

    cursor: str


class Subscribed(Wire):
    """What a socket will be told of."""

    type: Literal["subscribed"] = "subscribed"
    event_types: Sequence[str] | None = None
    inbox_ids: Sequence[str] | None = None
    pod_ids: Sequence[str] | None = None
    inboxkit: Place


class SocketError(Wire):
    """Why a socket's frame was refused; the socket stays open, subscribed as before."""

    type: Literal["error"] = "error"
    name: str
    message: str


class Bounced(Wire):
    """A recipient that an event is about."""

    address: str
    status: str


class About(Wire):
    """What an event says beside its type; which fields are there depends on that."""

    inbox_id: str
    thread_id: str
    message_id: str
    timestamp: Stamp
    type: str | None = None
    sub_type: str | None = None
    reason: str | None = None
    recipients: Sequence[str | Bounced] | None = None


class Facts(Wire):
    """What inboxkit knows of an event beside AgentMail's fields.

    ``id`` is that of the message. ``truncated`` names what was left out of a payload that would
    have been too long; the whole message is at ``url``.
    """

    id: str | None = None
    type: str
    at: Stamp
    recipient: str | None = None
    hard: bool | None = None
    reason_class: str | None = None
    reason: str | None = None
    data: Mapping[str, Any] | None = None
    truncated: Sequence[str] | None = None
    url: str | None = None


class Event(Wire):
    """One event. Beside the envelope it has one object, named after what happened."""

    type: Literal["event"] = "event"
    event_type: str
    event_id: str
    message: Message | None = None
    thread: ThreadItem | None = None
    send: About | None = None
    delivery: About | None = None
    bounce: About | None = None
    complaint: About | None = None
    reject: About | None = None
    open: About | None = None
    domain: Domain | None = None
    event: About | None = None
    inboxkit: Facts


class ListEventsResponse(Wire):
    """Events in order; ``cursor`` is where to go on, also when there are none."""

    count: int
    limit: int
    cursor: str
    events: Sequence[Event]


_OBJECTS = {
    "message.sent": "send",
    "message.delivered": "delivery",
    "message.bounced": "bounce",
    "message.complained": "complaint",
    "message.rejected": "reject",
    "message.opened": "open",
}


def brief(told: Announcement) -> Event:
    """Return an event for the wire, without what it is about."""
    return Event(**_envelope(told))


def event(told: Announcement, subject: Subject) -> Event:
    """Return an event for the wire."""
    name, said = name_of(told), _envelope(told)
    if told.type == EventType.RECEIVED and subject.thread is not None:
        thread = ThreadItem(**fields(subject.thread))
        return Event(**said, message=message(subject.message), thread=thread)
    said[_OBJECTS.get(name, "event")] = about(told, subject.message)
    return Event(**said)


def domain_event(told: Announcement, record: DomainRecord) -> Event:
    """Return an event about a domain for the wire."""
    return Event(**_envelope(told), domain=domain(record))


def _envelope(told: Announcement) -> dict[str, Any]:
    return {
        "event_type": name_of(told),
        "event_id": cursor_id(told.seq),
        "inboxkit": _facts(told),
    }


def _facts(told: Announcement) -> Facts:
    return Facts(
        id=public_id("msg", told.message_id) if told.message_id else None,
        type=told.type,
        at=told.at,
        recipient=told.recipient or None,
        hard=told.hard or None,
        reason_class=told.reason_class or None,
        reason=told.reason or None,
        data=told.data or None,
    )


def about(told: Announcement, found: Shown) -> About:
    """Return what an event says of its message."""
    common: dict[str, Any] = {
        "inbox_id": shown_inbox_id(told.inbox),
        "thread_id": found.message.thread_id
        if told.thread_id is None
        else public_id("thd", told.thread_id),
        "message_id": shown_message_id(found.name),
        "timestamp": told.at,
    }
    to = [told.recipient] if told.recipient else people(found.message.to)
    return About(**common | _details(told, to))


def _details(told: Announcement, to: Sequence[str]) -> dict[str, Any]:
    match told.type:
        case EventType.ACCEPTED | EventType.DELIVERED:
            return {"recipients": to}
        case EventType.BOUNCED:
            status = str(told.data.get("status") or ("5.0.0" if told.hard else "4.0.0"))
            return {
                "type": "Permanent" if told.hard else "Transient",
                "sub_type": told.reason_class or "General",
                "recipients": [Bounced(address=one, status=status) for one in to],
            }
        case EventType.COMPLAINED:
            return {"type": "abuse", "sub_type": told.reason_class, "recipients": to}
        case EventType.REJECTED | EventType.FAILED:
            return {"reason": told.reason or told.reason_class or "refused"}
        case EventType.OPENED:
            return {}
        case _:
            return {"recipients": to, "reason": told.reason or None}


_LONG = ("html", "extracted_html", "text", "extracted_text")


def payload(said: Event, most_bytes: int) -> bytes:
    """Return the JSON of an event, in at most ``most_bytes`` as far as that can be.

    What is left out of a longer one is named in ``inboxkit.truncated``; nothing is cut.
    """
    whole = said.dumped()
    if len(whole) <= most_bytes or said.message is None:
        return whole
    left_out: list[str] = []
    for name in (*_LONG, "headers"):
        if getattr(said.message, name) is None:
            continue
        left_out.append(name)
        shortened = _shortened(said, left_out).dumped()
        if len(shortened) <= most_bytes:
            return shortened
    return _shortened(said, left_out).dumped()


def _shortened(said: Event, names: Sequence[str]) -> Event:
    assert said.message is not None
    message = said.message.model_copy(update=dict.fromkeys(names))
    if "text" in names:
        less = {"visible_text": None, "signature": None}
        message = message.model_copy(update={"inboxkit": message.inboxkit.model_copy(update=less)})
    where = f"/v0/inboxes/{message.inbox_id}/messages/{message.inboxkit.id}"
    told = said.inboxkit.model_copy(update={"truncated": tuple(names), "url": where})
    return said.model_copy(update={"message": message, "inboxkit": told})


def frame(text: str) -> Any:
    """Return the JSON of a socket's frame, without what is null; raise ValueError."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return {k: v for k, v in found.items() if v is not None}  # pyright: ignore[reportUnknownVariableType] - JSON
