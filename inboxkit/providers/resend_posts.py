"""What Resend posts, and the received mail that its posts only name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote, urlsplit

from ..parsing import addresses
from ..values import EventType
from . import parsed_mail, payloads, resend_tags, svix
from .base import FetchPlan, InboundMail, ParseError, ProviderEvent
from .event_facts import facts, severity
from .mime import Piece, rebuild

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import HttpResponse, WebhookRequest

DESCRIPTION, BYTES = "description", "bytes"
_DOWNLOADS = (".resend.com", ".cloudfront.net")  # "signed CloudFront URL", no key goes there
_RECEIVED = "email.received"
_EVENTS = {
    "email.sent": EventType.SENT,
    "email.scheduled": EventType.ACCEPTED,
    "email.delivered": EventType.DELIVERED,
    "email.delivery_delayed": EventType.DEFERRED,
    "email.complained": EventType.COMPLAINED,
    "email.bounced": EventType.BOUNCED,
    "email.opened": EventType.OPENED,
    "email.clicked": EventType.CLICKED,
    "email.failed": EventType.FAILED,
    "email.suppressed": EventType.REJECTED,
}
# of Amazon SES, whose words Resend passes on
_SUB_TYPES = {
    "MailboxFull": "mailbox_full",
    "MessageTooLarge": "too_large",
    "ContentRejected": "content",
    "AttachmentRejected": "content",
    "NoEmail": "user_unknown",
}
_NOT_TRIED = ("Suppressed", "OnAccountSuppressionList")


class _Known(TypedDict):
    """What is known of a mail before its bytes."""

    event_id: str
    rcpt_to: tuple[str, ...]
    by_header: bool
    mail_from: str


def events(request: WebhookRequest) -> tuple[ProviderEvent, ...]:
    """Return the event of a post; () for received mail and for what is not about a mail."""
    payload = payloads.read_object(request.body)
    name, data = payloads.text(payload.get("type")), payloads.mapping(payload.get("data"))
    if name == _RECEIVED or (name and not name.startswith("email.")):
        return ()
    at = payloads.instant(payload.get("created_at"))  # data.created_at is when it was sent
    if not name or at is None:
        raise ParseError("neither type nor created_at: no event of Resend's")
    tags = resend_tags.read(data.get("tags"))
    kind, hard, reason_class, reason = _outcome(name, data)
    recipient = _recipient(data, tags)
    return (
        ProviderEvent(
            type=kind,
            at=at,
            recipient=recipient,
            provider_id=payloads.text(data.get("email_id")),
            message_id=payloads.message_id(data.get("message_id")),
            hard=hard and bool(recipient),
            reason_class=reason_class,
            reason=reason,
            event_id=svix.event_id(request),
            data=_details(name, kind, data, tags),
        ),
    )


def detail(name: str) -> str:
    """Return the name of the object that tells more of an event: ``bounce``, ``failed``."""
    short = name.removeprefix("email.")
    return {"bounced": "bounce", "clicked": "click"}.get(short, short)


def _recipient(data: Mapping[str, Any], tags: dict[str, str]) -> str:
    """Return whom an event is about; "" when the mail went to several.

    Resend then has an event for each, and none says whose it is: ``to`` is that of the mail.
    """
    found = [a.email for to in payloads.texts(data.get("to")) for a in addresses.parse(to)]
    return found[0] if len(found) == 1 and resend_tags.MANY not in tags else ""


def _outcome(name: str, data: Mapping[str, Any]) -> tuple[EventType, bool, str, str]:
    """Return the type, whether the address is dead, the reason class and the reason."""
    kind = _EVENTS.get(name, EventType.UNKNOWN)
    about = payloads.mapping(data.get(detail(name)))
    words = payloads.text(about.get("message")) or payloads.text(about.get("reason"))
    if kind is not EventType.BOUNCED:
        return kind, False, "suppressed" if kind is EventType.REJECTED else "", words
    sub_type = payloads.text(about.get("subType"))
    if sub_type in _NOT_TRIED:
        return EventType.REJECTED, False, "suppressed", words
    server = " ".join(payloads.texts(about.get("diagnosticCode")))
    permanent = about.get("type") == "Permanent"
    hard, reason_class = severity(
        f"{server} {words}", hard=permanent, known=_SUB_TYPES.get(sub_type, "")
    )
    return kind, hard, reason_class, server or words


def _details(
    name: str, kind: EventType, data: Mapping[str, Any], tags: dict[str, str]
) -> dict[str, Any]:
    click = payloads.mapping(data.get("click"))
    return facts(
        name=name,
        metadata=resend_tags.metadata(tags),
        tags=[tag] if (tag := resend_tags.tag(tags)) else [],
        url=payloads.text(click.get("link"), 2_000),
        ip=payloads.text(click.get("ipAddress")),
        user_agent=payloads.text(click.get("userAgent")),
        payload=data if kind is EventType.UNKNOWN else None,
    )


def announced(
    request: WebhookRequest, api_url: str, headers: Mapping[str, str]
) -> tuple[FetchPlan, ...]:
    """Return how to get at a received mail; () for every other post."""
    payload = payloads.read_object(request.body)
    if payload.get("type") != _RECEIVED:
        return ()
    data = payloads.mapping(payload.get("data"))
    email_id = payloads.text(data.get("email_id"))
    if not email_id.strip("."):  # ".." would be another path
        raise ParseError("email.received without an email_id")
    return (
        FetchPlan(
            url=f"{api_url}/emails/receiving/{quote(email_id, safe='')}?html_format=cid",
            hosts=(urlsplit(api_url).hostname or "",),  # the key goes nowhere else
            then=DESCRIPTION,
            headers=headers,
            data={"event_id": svix.event_id(request), "received": data},
        ),
    )


def described(plan: FetchPlan, response: HttpResponse, api_url: str) -> InboundMail | FetchPlan:
    """Return where the bytes of a mail are, or the mail itself if only its fields are left."""
    answer = payloads.read_object(response.body)
    headers = list(parsed_mail.header_pairs(answer.get("headers")))
    sent_by = _sender(parsed_mail.header(headers, "return-path"), answer)
    known = _Known(
        event_id=plan.data["event_id"],
        rcpt_to=_recipients(answer) or _recipients(plan.data["received"]),
        by_header=not payloads.texts(answer.get("received_for")),
        mail_from=sent_by,
    )
    url = payloads.text(payloads.mapping(answer.get("raw")).get("download_url"), 8_000)
    if url:
        hosts = (*_DOWNLOADS, urlsplit(api_url).hostname or "")
        return FetchPlan(url=url, hosts=hosts, then=BYTES, data={**known})
    if payloads.objects(answer.get("attachments")):
        raise ParseError("the raw form of a mail with attachments is not there")
    return InboundMail(raw=_rebuilt(headers, answer), **known)


def mail(plan: FetchPlan, raw: bytes) -> InboundMail:
    """Return the mail whose bytes were fetched."""
    return InboundMail(raw=raw, **plan.data)


def _recipients(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return for whom a mail was received; To is what it says of itself."""
    named = payloads.texts(data.get("received_for")) or payloads.texts(data.get("to"))
    return tuple(dict.fromkeys(a.email for one in named for a in addresses.parse(one)))


def _sender(return_path: str | None, data: Mapping[str, Any]) -> str:
    """Return the envelope's sender: Return-Path if it is there, "" for a bounce, else From."""
    if return_path is not None:
        return payloads.text(return_path.strip(" <>"))
    found = addresses.parse(payloads.text(data.get("from")))
    return found[0].email if found else ""


def _rebuilt(headers: list[tuple[str, str]], data: Mapping[str, Any]) -> bytes:
    there = {name.lower() for name, _ in headers}
    fields = {
        "From": payloads.text(data.get("from")),
        "To": ", ".join(payloads.texts(data.get("to"))),
        "Cc": ", ".join(payloads.texts(data.get("cc"))),
        "Subject": payloads.text(data.get("subject"), 2_000),
        "Message-ID": payloads.message_id(data.get("message_id")),
    }
    missing = [(n, v) for n, v in fields.items() if v and n.lower() not in there]
    bodies = [("text/plain", data.get("text")), ("text/html", data.get("html"))]
    return rebuild(
        [*missing, *headers],
        [Piece(kind, parsed_mail.body(value)) for kind, value in bodies if value],
        [],
    )
