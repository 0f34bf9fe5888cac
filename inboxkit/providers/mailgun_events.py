"""What Mailgun tells of a message in its status webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..parsing import addresses
from ..parsing.reasons import judge
from ..values import EventType
from . import payloads
from .base import ProviderEvent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_EVENTS = {
    "accepted": EventType.ACCEPTED,
    "delivered": EventType.DELIVERED,
    "rejected": EventType.REJECTED,
    "opened": EventType.OPENED,
    "clicked": EventType.CLICKED,
    "unsubscribed": EventType.UNSUBSCRIBED,
    "complained": EventType.COMPLAINED,
}
# the vendor's reason of a failure where it says more than the server's words
# (names: stats API, mailgun-go#123; "suppress-…": not tried, as the address is on a list)
_REASONS = {
    "suppress-bounce": "suppressed",
    "suppress-unsubscribe": "suppressed",
    "suppress-complaint": "suppressed",
    "espblock": "blocked",
    "blacklisted": "blocked",
    "greylisted": "rate_limited",
    "old": "expired",
}


def recipients(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return whom an event is about; a rejected message has only its headers."""
    if recipient := payloads.text(data.get("recipient")):
        return (recipient,)
    message = payloads.mapping(data.get("message"))
    if "recipients" in message:
        return payloads.texts(message["recipients"])
    to = payloads.text(payloads.mapping(message.get("headers")).get("to"), 10_000)
    return tuple(address.email for address in addresses.parse(to))


def event(data: Mapping[str, Any], at: datetime, recipient: str, event_id: str) -> ProviderEvent:
    """Return an event for one recipient, normalized."""
    name = payloads.text(data.get("event"))
    headers = payloads.mapping(payloads.mapping(data.get("message")).get("headers"))
    message_id = payloads.message_id(headers.get("message-id"))
    kind, hard, reason_class, reason = _outcome(name, data)
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=recipient,
        provider_id=message_id,  # what the send answered with
        message_id=message_id,
        hard=hard,
        reason_class=reason_class,
        reason=reason,
        event_id=event_id,
        data=_details(name, data, kind),
    )


def _outcome(name: str, data: Mapping[str, Any]) -> tuple[EventType, bool, str, str]:
    """Return the type, whether the address is dead, the reason class and the reason."""
    delivery = payloads.mapping(data.get("delivery-status"))
    words = payloads.text(delivery.get("message")) or payloads.text(delivery.get("description"))
    if name != "failed":
        kind = _EVENTS.get(name, EventType.UNKNOWN)
        rejection = payloads.text(payloads.mapping(data.get("reject")).get("reason"))
        return kind, False, "policy" if kind is EventType.REJECTED else "", words or rejection
    vendor = payloads.text(data.get("reason"))
    code = payloads.text(delivery.get("code"))
    status = payloads.text(delivery.get("enhanced-code") or delivery.get("bounce-code"))
    verdict = judge(f"{code} {words}", status=status)
    reason_class = _REASONS.get(vendor, verdict.reason)
    if data.get("severity") == "temporary":
        return EventType.DEFERRED, False, reason_class, words
    if vendor in ("suppress-unsubscribe", "suppress-complaint"):
        return EventType.REJECTED, False, reason_class, words
    # permanent also means "gave up" or "blocked"; it is the address's fault when the server says
    # so, or when nothing else is said
    hard = reason_class in ("suppressed", "other") or (verdict.hard and vendor not in _REASONS)
    return EventType.BOUNCED, hard, reason_class, words


def _details(name: str, data: Mapping[str, Any], kind: EventType) -> dict[str, Any]:
    delivery = payloads.mapping(data.get("delivery-status"))
    details: dict[str, Any] = {
        "name": name,
        "metadata": payloads.mapping(data.get("user-variables")),
        "tags": list(payloads.texts(data.get("tags"))),
        "url": payloads.text(data.get("url"), 2_000),
        "ip": payloads.text(data.get("ip")),
        "user_agent": payloads.text(payloads.mapping(data.get("client-info")).get("user-agent")),
        "code": payloads.text(delivery.get("code")),
        "status": payloads.text(delivery.get("enhanced-code") or delivery.get("bounce-code")),
        "payload": data if kind is EventType.UNKNOWN else None,
    }
    return {key: value for key, value in details.items() if value}
