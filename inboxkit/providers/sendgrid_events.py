"""SendGrid's events, one for one recipient each.

Facts: Twilio SendGrid, "Event Webhook Reference" (delivery and engagement events).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..values import EventType
from . import payloads
from .base import ParseError, ProviderEvent
from .event_facts import facts, severity
from .sendgrid_requests import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENTS = {
    "processed": EventType.ACCEPTED,
    "deferred": EventType.DEFERRED,
    "delivered": EventType.DELIVERED,
    "bounce": EventType.BOUNCED,
    "blocked": EventType.BOUNCED,
    "dropped": EventType.REJECTED,
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
    "spamreport": EventType.COMPLAINED,
    "unsubscribe": EventType.UNSUBSCRIBED,
    "group_unsubscribe": EventType.UNSUBSCRIBED,
}
_CLASSES = {  # bounce_classification
    "Content": "content",
    "Frequency or Volume Too High": "rate_limited",
    "Reputation": "blocked",
}
_SUPPRESSED = ("bounced address", "unsubscribed address", "spam reporting address")


def event(told: Mapping[str, Any]) -> ProviderEvent:
    """Return an event; raise ParseError for one without a time."""
    name, at = payloads.text(told.get("event")), payloads.moment(told.get("timestamp"))
    if at is None:
        raise ParseError("an event without a timestamp")
    kind = _EVENTS.get(name, EventType.UNKNOWN)
    words = payloads.text(told.get("reason")) or payloads.text(told.get("response"))
    hard, reason_class = _class(kind, told, words)
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=payloads.text(told.get("email")),
        # X-Message-Id of the answer, a full stop, and which server worked on it
        provider_id=payloads.text(told.get("sg_message_id")).partition(".")[0],
        message_id=payloads.message_id(told.get("smtp-id")),
        hard=hard,
        reason_class=reason_class,
        reason=words,
        event_id=payloads.text(told.get("sg_event_id")),
        data=facts(
            name=name,
            metadata=_metadata(told),
            tags=list(payloads.texts(told.get("category"))),
            url=payloads.text(told.get("url"), 2_000),
            ip=payloads.text(told.get("ip")),
            user_agent=payloads.text(told.get("useragent")),
            status=payloads.text(told.get("status")),
            payload=dict(told) if kind is EventType.UNKNOWN else None,
        ),
    )


def _class(kind: EventType, told: Mapping[str, Any], words: str) -> tuple[bool, str]:
    """Return whether the address is dead, and the reason class."""
    if kind is EventType.REJECTED:
        return False, "suppressed" if words.lower() in _SUPPRESSED else "policy"
    if kind not in (EventType.BOUNCED, EventType.DEFERRED):
        return False, ""
    hard = told.get("event") == "bounce" and told.get("type") != "blocked"
    known = _CLASSES.get(payloads.text(told.get("bounce_classification")), "")
    return severity(words, hard=hard, known=known, status=payloads.text(told.get("status")))


def _metadata(told: Mapping[str, Any]) -> dict[str, str]:
    ours = {name: value for name, value in told.items() if name.startswith(OURS)}
    return {n.removeprefix(OURS): v for n, v in ours.items() if isinstance(v, str)}
