"""What SparkPost posts: batches of events, and mail that its relay took in.

Facts: its event definitions, its table of bounce classes, and the relay webhooks page.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, cast

from ..parsing.reasons import judge
from ..values import EventType
from . import payloads
from .base import InboundMail, ParseError, ProviderEvent
from .event_facts import every, facts, readable, severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .base import WebhookRequest

_RELAY = "relay_message"
_EVENTS = {
    "injection": EventType.ACCEPTED,
    "delivery": EventType.DELIVERED,
    "delay": EventType.DEFERRED,
    "bounce": EventType.BOUNCED,
    "out_of_band": EventType.BOUNCED,
    "policy_rejection": EventType.REJECTED,
    "generation_rejection": EventType.REJECTED,
    "generation_failure": EventType.FAILED,
    "spam_complaint": EventType.COMPLAINED,
    "open": EventType.OPENED,
    "initial_open": EventType.OPENED,
    "amp_open": EventType.OPENED,
    "amp_initial_open": EventType.OPENED,
    "click": EventType.CLICKED,
    "amp_click": EventType.CLICKED,
    "list_unsubscribe": EventType.UNSUBSCRIBED,
    "link_unsubscribe": EventType.UNSUBSCRIBED,
}
# bounce classes that say more than the server's words; 1, 20, 40 and 70 do not
_REASONS = {
    "10": "user_unknown",
    "21": "host_unknown",
    "22": "mailbox_full",
    "23": "too_large",
    "24": "expired",
    "25": "policy",
    "26": "suppressed",
    "30": "user_unknown",
    "50": "blocked",
    "51": "blocked",
    "52": "spam",
    "53": "content",
    "54": "policy",
}
_HARD = ("10", "30")
# a bounce of these classes is none: SparkPost's own policy, and answers of machines
_NO_BOUNCE = {
    "25": EventType.REJECTED,
    "26": EventType.REJECTED,
    "60": EventType.UNKNOWN,
    "80": EventType.UNKNOWN,
    "90": EventType.UNSUBSCRIBED,
    "100": EventType.UNKNOWN,
}


def events(request: WebhookRequest) -> tuple[ProviderEvent, ...]:
    """Return the events of a post; raise ParseError."""
    batch = tuple(_batch(request))
    _, unread = readable((event for kind, event in batch if kind == _RELAY), _mail)
    return (*every((event for kind, event in batch if kind != _RELAY), _event), *unread)


def mails(request: WebhookRequest) -> tuple[InboundMail, ...]:
    """Return the mail of a post; raise ParseError."""
    mail = (event for kind, event in _batch(request) if kind == _RELAY)
    return tuple(readable(mail, _mail)[0])


def _batch(request: WebhookRequest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield class and content of each event; a ping has neither."""
    items = payloads.read(request.body)
    if not isinstance(items, list):
        raise ParseError("not a list of events")
    for item in cast("list[object]", items):
        msys = payloads.mapping(item).get("msys")
        if not isinstance(msys, dict):
            raise ParseError("an event without msys")
        for kind, event in payloads.mapping(cast("object", msys)).items():
            yield kind, payloads.mapping(event)


def _event(event: Mapping[str, Any]) -> ProviderEvent:
    name = payloads.text(event.get("type"))
    at = payloads.moment(event.get("timestamp")) or payloads.instant(event.get("timestamp"))
    if at is None:
        raise ParseError(f"an event {name!r} without a time")
    kind, hard, reason_class, reason = _outcome(name, event)
    return ProviderEvent(
        type=kind,
        at=at,
        # rcpt_to is in lower case
        recipient=payloads.text(event.get("raw_rcpt_to") or event.get("rcpt_to")),
        provider_id=payloads.text(event.get("transmission_id")),
        hard=hard,
        reason_class=reason_class,
        reason=reason,
        event_id=payloads.text(event.get("event_id")),
        data=_details(name, event, kind),
    )


def _outcome(name: str, event: Mapping[str, Any]) -> tuple[EventType, bool, str, str]:
    """Return the type, whether the address is dead, the reason class and the reason."""
    kind = _EVENTS.get(name, EventType.UNKNOWN)
    words = payloads.text(event.get("raw_reason") or event.get("reason"))
    bounce_class = payloads.text(event.get("bounce_class"))
    known = _REASONS.get(bounce_class, "")
    if kind is EventType.BOUNCED:
        kind = _NO_BOUNCE.get(bounce_class, kind)
    if kind in (EventType.BOUNCED, EventType.DEFERRED):
        is_hard = kind is EventType.BOUNCED and bounce_class in _HARD
        hard, reason_class = severity(words, hard=is_hard, known=known)
        return kind, hard, reason_class, words
    if kind in (EventType.REJECTED, EventType.FAILED):
        was_suppressed = bounce_class == "26" or "suppress" in words.lower()
        return kind, False, "suppressed" if was_suppressed else "policy", words
    return kind, False, "", words


def _details(name: str, event: Mapping[str, Any], kind: EventType) -> dict[str, Any]:
    words = payloads.text(event.get("raw_reason") or event.get("reason"))
    return facts(
        name=name,
        metadata=payloads.mapping(event.get("rcpt_meta")),
        tags=list(payloads.texts(event.get("campaign_id"))),
        url=payloads.text(event.get("target_link_url"), 2_000),
        ip=payloads.text(event.get("ip_address")),
        user_agent=payloads.text(event.get("user_agent")),
        code=payloads.text(event.get("error_code")),
        status=judge(words).status,
        payload=event if kind is EventType.UNKNOWN else None,
    )


def _mail(event: Mapping[str, Any]) -> InboundMail:
    content = payloads.mapping(event.get("content"))
    raw = content.get("email_rfc822")
    if not isinstance(raw, str):
        raise ParseError("a relayed mail without email_rfc822")
    try:
        # one byte that is not UTF-8, and the whole of it is in base64
        is_base64 = content.get("email_rfc822_is_base64") is True
        data = base64.b64decode(raw) if is_base64 else raw.encode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise ParseError("email_rfc822 is not base64") from None
    return InboundMail(
        raw=data,
        mail_from=payloads.text(event.get("msg_from"), 1_000).strip("<> "),
        rcpt_to=payloads.texts(event.get("rcpt_to")),
    )
