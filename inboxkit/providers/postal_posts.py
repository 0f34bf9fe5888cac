"""What Postal posts: a status event, or a mail that an HTTP endpoint of it took in.

Facts: Postal's source (delivery.rb, message.rb, tracking_middleware.rb, http_sender.rb).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from ..parsing.reasons import judge
from ..values import EventType
from . import forms, payloads
from .base import InboundMail, ParseError, ProviderEvent
from .event_facts import facts, severity
from .mime import Piece, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .base import WebhookRequest

_EVENTS = {
    "MessageSent": EventType.DELIVERED,
    "MessageDelayed": EventType.DEFERRED,
    "MessageDeliveryFailed": EventType.BOUNCED,
    "MessageBounced": EventType.BOUNCED,
    "MessageHeld": EventType.ACCEPTED,
    "MessageLinkClicked": EventType.CLICKED,
    "MessageLoaded": EventType.OPENED,
}
_HEADERS = {
    "from": "From",
    "to": "To",
    "cc": "Cc",
    "reply_to": "Reply-To",
    "subject": "Subject",
    "date": "Date",
    "message_id": "Message-ID",
    "in_reply_to": "In-Reply-To",
    "references": "References",
    "auto_submitted": "Auto-Submitted",
}
_LONGEST = 100_000  # characters of one header


def events(request: WebhookRequest) -> tuple[ProviderEvent, ...]:
    """Return the event of a post; raise ParseError."""
    post = _read(request)
    if _is_mail(post):
        return ()
    payload = payloads.mapping(post.get("payload"))
    about = payloads.mapping(payload.get("message") or payload.get("original_message"))
    if about.get("direction") == "incoming":
        return ()  # a mail of somebody else's that Postal could not hand to us
    return (_event(post, payload, about),)


def mails(request: WebhookRequest) -> tuple[InboundMail, ...]:
    """Return the mail of a post; raise ParseError."""
    post = _read(request)
    if not _is_mail(post):
        return ()
    id_ = payloads.text(post.get("id"))
    return (
        InboundMail(
            raw=_raw(post) if "message" in post else _rebuilt(post),
            mail_from=payloads.text(post.get("mail_from"), 1_000).strip("<> "),
            rcpt_to=payloads.texts(post.get("rcpt_to")),
            event_id=id_,
        ),
    )


def _read(request: WebhookRequest) -> dict[str, Any]:
    """Return a post, of an endpoint that sends JSON or one that sends a form."""
    content_type = request.header("content-type")
    if not forms.is_form(content_type):
        return payloads.read_object(request.body)
    form = forms.read(content_type, request.body)
    post: dict[str, Any] = {field.name: field.text for field in form.fields}
    if "rcpt_to" in post and "message" not in post:
        raise ParseError("a mail as a form of its parts: choose RawMessage or JSON in Postal")
    return post | {"base64": post.get("base64") == "true"}


def _is_mail(post: Mapping[str, Any]) -> bool:
    return "rcpt_to" in post and "payload" not in post


def _event(
    post: Mapping[str, Any], payload: Mapping[str, Any], about: Mapping[str, Any]
) -> ProviderEvent:
    name = payloads.text(post.get("event"))
    at = payloads.moment(post.get("timestamp"))
    if at is None:
        raise ParseError(f"an event {name!r} without a time")
    message_id = payloads.message_id(about.get("message_id"))
    kind, hard, reason_class, reason = _outcome(name, payload)
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=payloads.text(about.get("to")),
        provider_id=message_id,  # what the send answered with; id and token are of one recipient
        message_id=message_id,
        hard=hard,
        reason_class=reason_class,
        reason=reason,
        event_id=payloads.text(post.get("uuid")),
        data=facts(
            name=name,
            tags=list(payloads.texts(about.get("tag"))),
            url=payloads.text(payload.get("url"), 2_000),
            ip=payloads.text(payload.get("ip_address")),
            user_agent=payloads.text(payload.get("user_agent")),
            status=judge(payloads.text(payload.get("output"))).status,
            payload=post if kind is EventType.UNKNOWN else None,
        ),
    )


def _outcome(name: str, payload: Mapping[str, Any]) -> tuple[EventType, bool, str, str]:
    """Return the type, whether the address is dead, the reason class and the reason."""
    kind = _EVENTS.get(name, EventType.UNKNOWN)
    said, details = payloads.text(payload.get("output")), payloads.text(payload.get("details"))
    if kind is EventType.ACCEPTED:
        if "suppression list" in details:  # held, and dropped after a week
            return EventType.REJECTED, False, "suppressed", details
        return kind, False, "", details
    if kind not in (EventType.BOUNCED, EventType.DEFERRED):
        return kind, False, "", ""
    # without the server's words (a bounce by mail, a block by Postal) the address may well be alive
    is_hard = kind is EventType.BOUNCED and bool(said)
    hard, reason_class = severity(said or details, hard=is_hard)
    return kind, hard, reason_class, said or details


def _raw(post: Mapping[str, Any]) -> bytes:
    message = post.get("message")
    if not isinstance(message, str):
        raise ParseError("a mail without its text")
    return _decoded(message) if post.get("base64") is True else message.encode("utf-8", "replace")


def _rebuilt(post: Mapping[str, Any]) -> bytes:
    bodies = [
        Piece(kind, str(post[key]).encode("utf-8", "replace"))
        for key, kind in (("plain_body", "text/plain"), ("html_body", "text/html"))
        if post.get(key)
    ]
    files = [
        Piece(
            payloads.text(given.get("content_type")),
            _decoded(given.get("data")),
            payloads.text(given.get("filename")),
        )
        for given in payloads.objects(post.get("attachments"))
    ]
    return rebuild(list(_headers(post)), bodies, files)


def _headers(post: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, name in _HEADERS.items():
        value: object = post.get(key)
        text = value if isinstance(value, str) else ", ".join(payloads.texts(value))
        if name == "Message-ID":
            text = payloads.message_id(value)
        if text:
            yield name, text[:_LONGEST]


def _decoded(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "!")
    except (binascii.Error, ValueError):
        raise ParseError("a mail that is not in base64") from None
