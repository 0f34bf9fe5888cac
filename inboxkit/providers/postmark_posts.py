"""What Postmark posts: one event, or one mail, as a JSON object."""

from __future__ import annotations

from email.utils import formataddr
from typing import TYPE_CHECKING, Any

from ..values import EventType
from . import payloads
from .base import InboundMail, ParseError, ProviderEvent
from .event_facts import facts, severity
from .mime import Piece, rebuild
from .submission import decoded
from .verdicts import unanimous

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RECORDS = {
    "Delivery": EventType.DELIVERED,
    "SpamComplaint": EventType.COMPLAINED,
    "Open": EventType.OPENED,
    "Click": EventType.CLICKED,
}
# Types of the bounce API; None: what the server said decides.
# SpamNotification is a filter's word, not the reader's, so it is no complaint. What is missing
# here, as AutoResponder or ChallengeVerification, says nothing of the delivery.
_BOUNCES: Mapping[str, tuple[EventType, str | None]] = {
    "HardBounce": (EventType.BOUNCED, None),
    "SoftBounce": (EventType.BOUNCED, None),
    "Unknown": (EventType.BOUNCED, None),
    "SpamNotification": (EventType.BOUNCED, "content"),
    "VirusNotification": (EventType.BOUNCED, "content"),
    "Transient": (EventType.DEFERRED, None),
    "DnsError": (EventType.DEFERRED, "host_unknown"),
    "Blocked": (EventType.REJECTED, "blocked"),
    "DMARCPolicy": (EventType.REJECTED, "auth_failed"),
    "BadEmailAddress": (EventType.REJECTED, "user_unknown"),
    "ManuallyDeactivated": (EventType.REJECTED, "suppressed"),
    "Unconfirmed": (EventType.REJECTED, "suppressed"),
    "SMTPApiError": (EventType.FAILED, "other"),
    "TemplateRenderingFailed": (EventType.FAILED, "content"),
    "SpamComplaint": (EventType.COMPLAINED, ""),
    "Unsubscribe": (EventType.UNSUBSCRIBED, ""),
}
_SUPPRESSIONS = {
    "HardBounce": (EventType.BOUNCED, True),
    "SpamComplaint": (EventType.COMPLAINED, False),
    "ManualSuppression": (EventType.UNSUBSCRIBED, False),
}
_TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")


def is_mail(payload: Mapping[str, Any]) -> bool:
    """Whether a post brings a mail rather than an event."""
    record = payload.get("RecordType", "Inbound")
    return record == "Inbound" and ("FromFull" in payload or "OriginalRecipient" in payload)


def event(payload: Mapping[str, Any]) -> ProviderEvent:
    """Return the event of a status webhook; raise ParseError if it has no time."""
    at = next(filter(None, (payloads.instant(payload.get(name)) for name in _TIMES)), None)
    name = payloads.text(payload.get("RecordType"))
    if at is None or not name:
        raise ParseError("no RecordType or no time: neither an event nor a mail")
    words = payloads.text(payload.get("Details")) or payloads.text(payload.get("Description"))
    kind, hard, reason_class = _outcome(name, payload, words)
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=payloads.text(payload.get("Recipient")) or payloads.text(payload.get("Email")),
        provider_id=payloads.text(payload.get("MessageID")),
        hard=hard,
        reason_class=reason_class,
        reason=words,
        event_id=payloads.text(payload.get("ID")),  # bounces and complaints have one
        data=_details(name, payload, kind),
    )


def _outcome(name: str, payload: Mapping[str, Any], words: str) -> tuple[EventType, bool, str]:
    """Return the type, whether the address is dead, and the reason class."""
    if name == "SubscriptionChange":
        reason = payloads.text(payload.get("SuppressionReason"))
        lifted = payload.get("SuppressSending") is False
        kind, hard = _SUPPRESSIONS.get(reason, (EventType.UNKNOWN, False))
        return (EventType.UNKNOWN, False, "") if lifted else (kind, hard, "")
    if name != "Bounce":
        return _RECORDS.get(name, EventType.UNKNOWN), False, ""
    bounce = payloads.text(payload.get("Type"))
    kind, reason_class = _BOUNCES.get(bounce, (EventType.UNKNOWN, ""))
    if reason_class is not None:
        return kind, False, reason_class
    # Postmark has types of its own for blocks and policies, yet the server's words decide
    return kind, *severity(words, hard=bounce == "HardBounce")


def _details(name: str, payload: Mapping[str, Any], kind: EventType) -> dict[str, Any]:
    return facts(
        name=name if name != "Bounce" else f"Bounce {payloads.text(payload.get('Type'))}",
        metadata=payloads.mapping(payload.get("Metadata")),
        tags=list(payloads.texts(payload.get("Tag"))),
        url=payloads.text(payload.get("OriginalLink"), 2_000),
        ip=payloads.text(payloads.mapping(payload.get("Geo")).get("IP")),
        user_agent=payloads.text(payload.get("UserAgent")),
        payload=payload if kind is EventType.UNKNOWN else None,
    )


def mail(payload: Mapping[str, Any]) -> InboundMail:
    """Return the mail of an inbound post; raise ParseError if an attachment cannot be read."""
    headers = list(_headers(payload))
    sender = payloads.text(payloads.mapping(payload.get("FromFull")).get("Email"))
    # Postmark puts Return-Path first; further down the mail itself claims it
    if headers and headers[0][0].lower() == "return-path":
        sender = headers.pop(0)[1].strip(" <>")
    raw = payload.get("RawEmail")
    # RawEmail is text: where bytes outside UTF-8 were lost, the fields still have the words
    whole = isinstance(raw, str) and "\ufffd" not in raw
    return InboundMail(
        raw=str(raw).encode() if whole else _rebuilt(payload, headers),
        mail_from=payloads.text(sender),
        rcpt_to=_recipients(payload),
        by_header=not payload.get("OriginalRecipient"),
        event_id=payloads.text(payload.get("MessageID")),  # a UUID, not the mail's Message-ID
    )


def verdicts(payload: Mapping[str, Any]) -> dict[str, str]:
    """Return what Postmark found of SPF; only with Return-Path is the envelope's sender known."""
    headers = list(_headers(payload))
    if not headers or headers[0][0].lower() != "return-path":
        return {}
    return unanimous(headers, {"received-spf": "spf"})


def _headers(payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for header in payloads.objects(payload.get("Headers")):
        name, value = header.get("Name"), header.get("Value")
        if isinstance(name, str) and isinstance(value, str):
            yield name, value


def _recipients(payload: Mapping[str, Any]) -> tuple[str, ...]:
    if recipient := payloads.text(payload.get("OriginalRecipient")):
        return (recipient,)
    listed = (payloads.objects(payload.get(name)) for name in ("ToFull", "CcFull", "BccFull"))
    found = (payloads.text(item.get("Email")) for items in listed for item in items)
    return tuple(dict.fromkeys(filter(None, found)))


def _rebuilt(payload: Mapping[str, Any], headers: list[tuple[str, str]]) -> bytes:
    """Put the mail together again; the fields that Postmark takes out of the headers come first."""
    there = {name.lower() for name, _ in headers}
    fields = {
        "From": "From",
        "To": "To",
        "Cc": "Cc",
        "Subject": "Subject",
        "Date": "Date",
        "Reply-To": "ReplyTo",
    }
    people = {"From": _sender(payload)}  # the field From has the address alone
    taken = [
        (n, people.get(n) or _text(payload, field))
        for n, field in fields.items()
        if n.lower() not in there
    ]
    bodies = [("text/plain", _text(payload, "TextBody")), ("text/html", _text(payload, "HtmlBody"))]
    return rebuild(
        [*(field for field in taken if field[1]), *headers],
        [Piece(kind, body.encode()) for kind, body in bodies if body],
        [_file(item) for item in payloads.objects(payload.get("Attachments"))],
    )


def _sender(payload: Mapping[str, Any]) -> str:
    full = payloads.mapping(payload.get("FromFull"))
    name, email = payloads.text(full.get("Name")), payloads.text(full.get("Email"))
    return formataddr((name, email)) if name and email else ""


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) else ""


def _file(item: Mapping[str, Any]) -> Piece:
    try:
        # the dashboard's test post has Data where real ones have Content
        data = decoded(item.get("Content") or item.get("Data") or "")
    except ValueError:
        raise ParseError("an attachment that is no base64") from None
    names = ("ContentType", "Name", "ContentID")
    kind, name, content_id = (payloads.text(item.get(key)) for key in names)
    return Piece(kind, data, name, content_id)
