"""Amazon SES's events: what a notification tells of each recipient.

Facts: Amazon SES developer guide, "Contents of event data that Amazon SES publishes to Amazon
SNS" (events of a configuration set) and "Amazon SNS notification contents" (of an identity).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, cast

from ..values import EventType
from . import payloads
from .base import ParseError, ProviderEvent
from .event_facts import facts, severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from .sns import Notification

TAG = "inboxkit-tag"
_ENCODED = "b64_"
_PLAIN = re.compile(r"[\w-]{1,256}", re.ASCII)
_MOST_CHARACTERS = 256
_MOST_TAGS = 49  # besides our own; SES documents 50 for a message

# name: type, the object that tells of it, and its list of recipients
_EVENTS: Mapping[str, tuple[EventType, str, str]] = {
    "Send": (EventType.ACCEPTED, "send", ""),
    "Delivery": (EventType.DELIVERED, "delivery", "recipients"),
    "Bounce": (EventType.BOUNCED, "bounce", "bouncedRecipients"),
    "Complaint": (EventType.COMPLAINED, "complaint", "complainedRecipients"),
    "Reject": (EventType.REJECTED, "reject", ""),
    "Open": (EventType.OPENED, "open", ""),
    "Click": (EventType.CLICKED, "click", ""),
    "Rendering Failure": (EventType.FAILED, "failure", ""),
    "DeliveryDelay": (EventType.DEFERRED, "deliveryDelay", "delayedRecipients"),
    "Subscription": (EventType.UNSUBSCRIBED, "subscription", ""),
}
_READER = (EventType.OPENED, EventType.CLICKED, EventType.UNSUBSCRIBED)
_SUPPRESSED = ("Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient")
_SUBTYPES = {
    "NoEmail": "user_unknown",
    "MailboxFull": "mailbox_full",
    "MessageTooLarge": "too_large",
    "ContentRejected": "content",
    "AttachmentRejected": "content",
}


def email_tags(tag: str, metadata: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tag and metadata as message tags, which events bring back and nobody else sees.

    What SES's alphabet lacks is encoded; what is too long even for that is left out.
    """
    named = [(_encoded(name), _encoded(value)) for name, value in metadata.items()]
    short = [(n, v) for n, v in named if max(len(n), len(v)) <= _MOST_CHARACTERS]
    own = [(TAG, _encoded(tag))] if tag and len(_encoded(tag)) <= _MOST_CHARACTERS else []
    return [{"Name": name, "Value": value} for name, value in own + short[-_MOST_TAGS:]]


def read_tags(pairs: Iterable[tuple[str, str]]) -> tuple[list[str], dict[str, str]]:
    """Return the tags and the metadata that ``email_tags`` wrote."""
    decoded = [
        (_decoded(name), _decoded(value)) for name, value in pairs if not name.startswith("ses:")
    ]
    return [v for n, v in decoded if n == TAG], {n: v for n, v in decoded if n != TAG}


def told(note: Notification) -> dict[str, Any]:
    """Return what SES published; {} for what it says when a topic is set up; raise ParseError."""
    if note.type == "UnsubscribeConfirmation":  # else mail and events would stop without a word
        topic = note.topic.arn.rpartition(":")[2]
        raise ParseError(f"the topic {topic} posts here no more: subscribe it again, or remove it")
    if note.type != "Notification" or note.message.startswith("Successfully validated SNS topic"):
        return {}
    return payloads.read_object(note.message)


def events(note: Notification, told: Mapping[str, Any]) -> Iterator[ProviderEvent]:
    """Yield the events of a notification, one for each recipient it names."""
    name = payloads.text(told.get("eventType")) or payloads.text(told.get("notificationType"))
    if not name:
        raise ParseError("neither an eventType nor a notificationType")
    kind, key, people = _EVENTS.get(name, (EventType.UNKNOWN, "", ""))
    about = payloads.mapping(told.get(key))
    at = payloads.instant(about.get("timestamp")) or note.published_at
    if at is None:
        raise ParseError("an event without a timestamp")
    for person in _people(kind, about.get(people), told):
        yield _event(name, _refined(kind, about), person, about, told, at, note.id)


def _people(kind: EventType, named: object, told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if isinstance(named, list) and named:
        for item in cast("list[object]", named):
            yield {"emailAddress": item} if isinstance(item, str) else payloads.mapping(item)
        return
    everybody = payloads.texts(payloads.mapping(told.get("mail")).get("destination"))
    # SES does not say who of several opened it
    known = everybody if len(everybody) == 1 or kind not in _READER else ()
    yield from ({"emailAddress": address} for address in known or ("",))


def _refined(kind: EventType, about: Mapping[str, Any]) -> EventType:
    if kind is EventType.BOUNCED and about.get("bounceSubType") in _SUPPRESSED:
        return EventType.REJECTED
    if kind is EventType.COMPLAINED and about.get("complaintFeedbackType") == "not-spam":
        return EventType.UNKNOWN
    if kind is EventType.UNSUBSCRIBED:
        chosen = payloads.mapping(about.get("newTopicPreferences"))
        topics = payloads.objects(chosen.get("topicSubscriptionStatus"))
        states = [topic.get("subscriptionStatus") for topic in topics]
        return (
            kind
            if chosen.get("unsubscribeAll") is True or "OptOut" in states
            else (EventType.UNKNOWN)
        )
    return kind


def _event(
    name: str,
    kind: EventType,
    person: Mapping[str, Any],
    about: Mapping[str, Any],
    told: Mapping[str, Any],
    at: datetime,
    event_id: str,
) -> ProviderEvent:
    mail = payloads.mapping(told.get("mail"))
    provider_id = payloads.text(mail.get("messageId"))
    reason = _reason(person, about)
    hard, reason_class = _class(kind, person, about, reason)
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=payloads.text(person.get("emailAddress")),
        provider_id=provider_id,
        message_id=f"<{provider_id}@" if provider_id else "",
        hard=hard,
        reason_class=reason_class,
        reason=reason,
        event_id=event_id,
        data=_details(name, kind, person, about, told),
    )


def _reason(person: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    said: tuple[object, ...] = (
        person.get("diagnosticCode"),
        about.get("smtpResponse"),
        about.get("reason"),
        about.get("errorMessage"),
        about.get("complaintFeedbackType"),
        about.get("bounceSubType") or about.get("delayType"),
    )
    return next((text for text in map(payloads.text, said) if text), "")


def _class(
    kind: EventType, person: Mapping[str, Any], about: Mapping[str, Any], reason: str
) -> tuple[bool, str]:
    """Return whether the address is dead, and the reason class."""
    if kind is EventType.REJECTED:
        return False, "suppressed" if "bounceSubType" in about else "content"
    if kind is EventType.FAILED:
        return False, "content"
    if kind not in (EventType.BOUNCED, EventType.DEFERRED):
        return False, ""
    subtype = payloads.text(about.get("bounceSubType"))
    permanent = kind is EventType.BOUNCED and about.get("bounceType") == "Permanent"
    status = payloads.text(person.get("status"))
    return severity(reason, hard=permanent, known=_SUBTYPES.get(subtype, ""), status=status)


def _details(
    name: str,
    kind: EventType,
    person: Mapping[str, Any],
    about: Mapping[str, Any],
    told: Mapping[str, Any],
) -> dict[str, Any]:
    tags, metadata = read_tags(_pairs(payloads.mapping(told.get("mail")).get("tags")))
    return facts(
        name=name,
        metadata=metadata,
        tags=tags,
        url=payloads.text(about.get("link"), 2_000),
        ip=payloads.text(about.get("ipAddress")),
        user_agent=payloads.text(about.get("userAgent")),
        status=payloads.text(person.get("status")),
        payload=dict(told) if kind is EventType.UNKNOWN else None,
    )


def _pairs(tags: object) -> Iterator[tuple[str, str]]:
    """Yield each tag; SES gives every name a list of values."""
    for name, values in payloads.mapping(tags).items():
        listed = cast("list[object]", values) if isinstance(values, list) else [values]
        yield from ((name, value) for value in listed if isinstance(value, str))


def _encoded(text: str) -> str:
    if _PLAIN.fullmatch(text) and not text.startswith(_ENCODED):
        return text
    return _ENCODED + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(text: str) -> str:
    if not text.startswith(_ENCODED):
        return text
    data = text.removeprefix(_ENCODED).encode("ascii", "replace")
    try:
        decoded = base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4)).decode()
        return decoded.replace("\0", "\ufffd")
    except (binascii.Error, UnicodeDecodeError):
        return text
