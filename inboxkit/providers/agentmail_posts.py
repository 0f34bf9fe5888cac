"""What AgentMail posts, and the received mail that its posts describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ..parsing import addresses
from ..values import EventType
from . import parsed_mail, payloads, svix
from .base import FetchPlan, InboundMail, ParseError, ProviderEvent
from .event_facts import facts, severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .agentmail import AgentMailConfig
    from .base import HttpResponse, WebhookRequest

_PLACE, _BYTES = "place", "bytes"
_DOWNLOADS = (".agentmail.to", ".agentmail.eu", ".cloudfront.net")  # "CloudFront signed URL"
_RECEIVED = "message.received"  # also .spam, .blocked and .unauthenticated, if subscribed to
_SPAM = f"{_RECEIVED}.spam"
_SECURITY = "message.security"
_EVENTS = {
    "message.sent": (EventType.SENT, "send"),
    "message.delivered": (EventType.DELIVERED, "delivery"),
    "message.bounced": (EventType.BOUNCED, "bounce"),
    "message.complained": (EventType.COMPLAINED, "complaint"),
    "message.rejected": (EventType.REJECTED, "reject"),
    "message.opened": (EventType.OPENED, "open"),
}
# of Amazon SES, whose words AgentMail passes on
_SUB_TYPES = {
    "Suppressed": "suppressed",
    "OnAccountSuppressionList": "suppressed",
    "MailboxFull": "mailbox_full",
    "MessageTooLarge": "too_large",
    "ContentRejected": "content",
    "AttachmentRejected": "content",
    "NoEmail": "user_unknown",
}


def events(request: WebhookRequest) -> tuple[ProviderEvent, ...]:
    """Return the events of a post; () for received mail and for what is not about a send."""
    payload = payloads.read_object(request.body)
    name = payloads.text(payload.get("event_type"))
    if not name:
        raise ParseError("no event_type: no event of AgentMail's")
    if name.startswith((_RECEIVED, _SECURITY)) or not name.startswith("message."):
        return ()
    kind, key = _EVENTS.get(name, (EventType.UNKNOWN, ""))
    about = payloads.mapping(payload.get(key)) if key else _details_of(payload)
    at = payloads.instant(about.get("timestamp"))
    if at is None:
        raise ParseError(f"{name} without a timestamp")
    event_id = payloads.text(payload.get("event_id")) or svix.event_id(request)
    message_id = payloads.message_id(about.get("message_id"))
    return tuple(
        ProviderEvent(
            type=kind,
            at=at,
            recipient=recipient,
            provider_id=message_id,
            message_id=message_id,
            hard=hard,
            reason_class=reason_class,
            reason=payloads.text(about.get("reason")) or payloads.text(about.get("sub_type")),
            event_id=event_id,
            data=facts(name=name, status=status, payload=None if key else payload),
        )
        for recipient, status, hard, reason_class in _recipients(kind, about)
    )


def _details_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object of an event of unknown name: the first that has a timestamp."""
    found = (payloads.mapping(value) for value in payload.values())
    return next((value for value in found if "timestamp" in value), dict[str, Any]())


def _recipients(kind: EventType, about: Mapping[str, Any]) -> Iterator[tuple[str, str, bool, str]]:
    """Yield address, RFC 3463 status, whether it is dead, and the reason class.

    Rejections and opens name nobody.
    """
    values = about.get("recipients")
    found = payloads.objects(values) or [{"address": text} for text in payloads.texts(values)]
    for item in found or [dict[str, Any]()]:
        status = payloads.text(item.get("status"))
        parsed = addresses.parse(payloads.text(item.get("address")))
        email = parsed[0].email if parsed else ""
        if kind is not EventType.BOUNCED:
            yield email, status, False, "policy" if kind is EventType.REJECTED else ""
            continue
        known = _SUB_TYPES.get(payloads.text(about.get("sub_type")), "")
        permanent = about.get("type") == "Permanent"
        hard, reason_class = severity("", hard=permanent, known=known, status=status)
        yield email, status, hard, reason_class


def announced(request: WebhookRequest, config: AgentMailConfig) -> tuple[FetchPlan, ...]:
    """Return how to get at a received mail; () for every other post."""
    payload = payloads.read_object(request.body)
    name = payloads.text(payload.get("event_type"))
    if not name.startswith(_RECEIVED):
        return ()
    message = payloads.mapping(payload.get("message"))
    is_spam = name == _SPAM or "spam" in payloads.texts(message.get("labels"))
    inbox, message_id = (payloads.text(message.get(k), 998) for k in ("inbox_id", "message_id"))
    if not inbox.strip(".") or not message_id.strip("."):  # ".." would be another path
        raise ParseError("message.received without inbox_id or message_id")
    return (
        FetchPlan(
            url=config.url(inbox, f"messages/{quote(message_id, safe='')}/raw"),
            hosts=(_host(config),),  # the key goes nowhere else
            then=_PLACE,
            headers=config.headers,
            data={
                "mail_from": _sender(message),
                "rcpt_to": (inbox,),
                "event_id": payloads.text(payload.get("event_id")) or svix.event_id(request),
                "spam": is_spam,
            },
        ),
    )


def fetched(
    plan: FetchPlan, response: HttpResponse, config: AgentMailConfig
) -> InboundMail | FetchPlan:
    """Return where the bytes of a mail are, or the mail."""
    if plan.then == _BYTES:
        return InboundMail(raw=response.body, **plan.data)
    url = payloads.text(payloads.read_object(response.body).get("download_url"), 8_000)
    if not url:
        raise ParseError("the raw form of a mail without a download_url")
    hosts = (*_DOWNLOADS, _host(config))
    return FetchPlan(url=url, hosts=hosts, then=_BYTES, data=plan.data)


def _host(config: AgentMailConfig) -> str:
    return urlsplit(config.api_url).hostname or ""


def _sender(message: Mapping[str, Any]) -> str:
    """Return the envelope's sender: Return-Path if it is there, "" for a bounce, else From."""
    headers = parsed_mail.header_pairs(message.get("headers"))
    return_path = parsed_mail.header(headers, "return-path")
    if return_path is not None:
        return payloads.text(return_path.strip(" <>"))
    sender = message.get("from")
    older = next(iter(payloads.objects(sender)), payloads.mapping(sender))  # as objects
    found = addresses.parse(payloads.text(sender) or payloads.text(older.get("email")))
    return found[0].email if found else ""
