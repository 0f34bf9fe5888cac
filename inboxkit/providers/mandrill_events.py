"""What Mandrill posts: a form whose one field is a batch of events, mail that came in among them.

Facts: Mailchimp's developer pages on webhooks, and its help page on the format of message events.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from ..parsing.reasons import judge
from ..values import EventType
from . import forms, payloads
from .base import InboundMail, ParseError, ProviderEvent
from .event_facts import every, facts, readable, severity
from .verdicts import stated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import WebhookRequest

_REPORT = re.compile(rb"^content-type:\s{0,80}multipart/report", re.IGNORECASE | re.MULTILINE)
_SUPPRESSED = ("hard-bounce", "soft-bounce", "spam", "unsub", "custom")
_EVENTS = {
    "send": EventType.SENT,
    "delivered": EventType.DELIVERED,
    "deferral": EventType.DEFERRED,
    "hard_bounce": EventType.BOUNCED,
    "soft_bounce": EventType.BOUNCED,
    "reject": EventType.REJECTED,
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
    "spam": EventType.COMPLAINED,
    "unsub": EventType.UNSUBSCRIBED,
}
_BOUNCES = {
    "bad_mailbox": "user_unknown",
    "invalid_domain": "host_unknown",
    "mailbox_full": "mailbox_full",
}


def events(request: WebhookRequest) -> tuple[ProviderEvent, ...]:
    """Return the events of a post; raise ParseError."""
    batch = _batch(request)
    _, unread = readable((item for item in batch if _name(item) == "inbound"), _mail)
    return (*every((item for item in batch if _name(item) != "inbound"), _event), *unread)


def mails(request: WebhookRequest) -> tuple[InboundMail, ...]:
    """Return the mail of a post; raise ParseError."""
    return tuple(readable((i for i in _batch(request) if _name(i) == "inbound"), _mail)[0])


def _batch(request: WebhookRequest) -> tuple[dict[str, Any], ...]:
    form = forms.read(request.header("content-type"), request.body)
    if "mandrill_events" not in form:
        raise ParseError("a form without mandrill_events")
    items = payloads.read(form.all("mandrill_events")[0].data)
    if not isinstance(items, list):
        raise ParseError("mandrill_events is not a list")
    return payloads.objects(cast("list[object]", items))


def _name(item: Mapping[str, Any]) -> str:
    return payloads.text(item.get("event")) or payloads.text(item.get("type"))  # sync: type


def _event(item: Mapping[str, Any]) -> ProviderEvent:
    name, msg = _name(item), payloads.mapping(item.get("msg"))
    denied = payloads.mapping(item.get("reject"))  # of a change to the deny list
    at = payloads.moment(item.get("ts")) or payloads.moment(msg.get("ts"))
    if at is None:
        raise ParseError(f"an event {name!r} without a time")
    id_ = payloads.text(item.get("_id")) or payloads.text(msg.get("_id"))
    kind = _EVENTS.get(name, EventType.UNKNOWN)
    hard, reason_class, reason = _verdict(name, msg)
    url = payloads.text(item.get("url"), 2_000)
    recipient = payloads.text(msg.get("email")) or payloads.text(denied.get("email"))
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=recipient,
        provider_id=id_,
        hard=hard,
        reason_class=reason_class,
        reason=reason,
        # there is no id of an event; _id is that of the message to this recipient
        event_id=f"{name}:{id_}:{at.timestamp():.0f}:{url}"[:500] if id_ else "",
        data=_details(name, item, msg, kind),
    )


def _verdict(name: str, msg: Mapping[str, Any]) -> tuple[bool, str, str]:
    """Return whether the address is dead, the reason class and the reason."""
    if name == "reject":
        reject = payloads.mapping(msg.get("reject"))
        why = payloads.text(reject.get("reason")) or payloads.text(msg.get("reject"))
        return False, "suppressed" if why in _SUPPRESSED else "policy", why
    if _EVENTS.get(name) not in (EventType.BOUNCED, EventType.DEFERRED):
        return False, "", ""
    words, described = _diagnostic(msg), payloads.text(msg.get("bounce_description"))
    is_hard = name == "hard_bounce"
    hard, reason_class = severity(words, hard=is_hard, known=_BOUNCES.get(described, ""))
    return hard, reason_class, words or described


def _diagnostic(msg: Mapping[str, Any]) -> str:
    tries = payloads.objects(msg.get("smtp_events"))
    return payloads.text(msg.get("diag")) or "".join(
        payloads.text(last.get("diag")) for last in tries[-1:]
    )


def _details(
    name: str, item: Mapping[str, Any], msg: Mapping[str, Any], kind: EventType
) -> dict[str, Any]:
    return facts(
        name=name,
        metadata=payloads.mapping(msg.get("metadata")),
        tags=list(payloads.texts(msg.get("tags"))),
        url=payloads.text(item.get("url"), 2_000),
        ip=payloads.text(item.get("ip")),
        user_agent=payloads.text(item.get("user_agent")),
        status=judge(_diagnostic(msg)).status,
        payload=item if kind is EventType.UNKNOWN else None,
    )


def _mail(item: Mapping[str, Any]) -> InboundMail:
    msg = payloads.mapping(item.get("msg"))
    raw = msg.get("raw_msg")
    if not isinstance(raw, str):
        raise ParseError("an inbound event without raw_msg")
    data = raw.encode("utf-8", "replace")
    # the envelope's sender is not told; a report had none (RFC 3464 section 2)
    is_report = _REPORT.search(data.partition(b"\r\n\r\n")[0][:65_536])
    sender = "" if is_report else payloads.text(msg.get("from_email"))
    dkim = payloads.mapping(msg.get("dkim"))
    return InboundMail(
        raw=data,
        mail_from=sender,
        rcpt_to=payloads.texts(msg.get("email")),
        # SPF is about an envelope that is not told, and would vouch for nobody
        verdicts=stated(dkim="pass" if dkim.get("valid") is True else ""),
    )
