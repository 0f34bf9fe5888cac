"""MailerSend: sending by v1/email, activity webhooks, and inbound routes.

Facts: MailerSend's API reference (email, webhooks, inbound, error codes) as of 2026; its Python
client 2.2.0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedFeature
from ..values import EventType
from . import body_hmac, payloads
from .addressing import Named, html, named, one_reply_to, people, person, subject, variables
from .answers import failure, json_object, lost, said
from .base import (
    Feature,
    HttpRequest,
    HttpResponse,
    InboundMail,
    ParseError,
    ProviderEvent,
    Refused,
    Retry,
    Sent,
    Transport,
    Unknown,
    Unverified,
    Verified,
    refuse_unsupported,
)
from .basic_auth import unsigned
from .event_facts import facts, severity
from .options import Options
from .parts import Most
from .submission import encoded
from .verdicts import stated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from ..values import File
    from .base import Outgoing, Response, SendOutcome, WebhookRequest

_API = "https://api.mailersend.com"
SIGNATURE = "Signature"
# signs the ping that a new webhook must answer before it has a secret (reference, "Webhooks")
TEST_SECRET = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"
ID_TAG = "inboxkit_id"  # the metadata that goes as a tag: there is no other way to get it back
_MOST_TO, _MOST_COPIES, _MOST_BULK = 50, 10, 500
_FURTHEST = timedelta(hours=72)
_PING_BYTES = 500
_FAULTS = {401: "credentials", 402: "account", 403: "account", 404: "settings"}
_CODES = {"MS42204": "account", "MS42207": "settings"}  # quota; sending domain not verified

_EVENTS = {
    "sent": EventType.SENT,
    "delivered": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "soft_bounced": EventType.BOUNCED,
    "hard_bounced": EventType.BOUNCED,
    "opened": EventType.OPENED,
    "opened_unique": EventType.OPENED,
    "clicked": EventType.CLICKED,
    "clicked_unique": EventType.CLICKED,
    "unsubscribed": EventType.UNSUBSCRIBED,
    "spam_complaint": EventType.COMPLAINED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailerSendConfig:
    """The account: its token, the secrets of its webhooks, and whether it may set headers."""

    api_key: str = field(repr=False)
    api_url: str = _API
    signing: body_hmac.Signing
    custom_headers: bool = False


class MailerSend:
    """MailerSend, both ways."""

    name = "mailersend"
    transport: Transport = "http"
    most = Most(to=_MOST_TO, cc=_MOST_COPIES, bcc=_MOST_COPIES, blind=_MOST_BULK)
    capabilities = frozenset(Feature) - {
        Feature.RAW_MIME,
        Feature.MESSAGE_ID,
        Feature.HEADERS,  # Enterprise accounts only: custom_headers
        Feature.METADATA,
        Feature.IDEMPOTENCY,
        Feature.LOOKUP,
        Feature.INBOUND_RAW,  # a text: bytes that are not UTF-8 are lost on the way
    }

    def configure(self, options: Mapping[str, str]) -> MailerSendConfig:
        """Check the settings.

        ``api_key`` must be there, and ``signing_secret`` (of the webhook) or ``inbound_secret``
        (of the inbound route), unless ``insecure`` says that anybody may post webhooks. Besides:
        ``api_url``, ``custom_headers`` (yes, for Enterprise accounts).
        """
        read = Options(self.name, options)
        config = MailerSendConfig(
            api_key=read.required("api_key"),
            api_url=read.url("api_url", _API).removesuffix("/v1"),
            signing=body_hmac.signing(read, SIGNATURE, ("signing_secret", "inbound_secret")),
            custom_headers=read.flag("custom_headers"),
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: MailerSendConfig, now: datetime) -> HttpRequest:
        """Return the request: one mail, or by bulk-email a mail for each of many recipients."""
        extra = {Feature.HEADERS} if config.custom_headers else set[Feature]()
        refuse_unsupported(self.name, message, self.capabilities | extra)
        mails = named(message)
        _check(message, mails, now)
        bodies = [{k: v for k, v in _payload(message, mail, now).items() if v} for mail in mails]
        path, body = ("email", bodies[0]) if len(bodies) == 1 else ("bulk-email", bodies)
        return HttpRequest(
            method="POST",
            url=f"{config.api_url}/v1/{path}",
            headers={
                "Authorization": f"Bearer {config.api_key}",
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
            body=json.dumps(body).encode(),
        )

    def parse_send(
        self, response: Response, message: Outgoing, config: MailerSendConfig
    ) -> SendOutcome:
        """Classify an answer; suppressed recipients are named in a success."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer, reason = json_object(response), _said(response)
        if 200 <= response.status < 300:
            suppressed = dict(_suppressed(answer))
            provider_id = payloads.text(response.header("x-message-id"))
            bulk = payloads.text(answer.get("bulk_email_id"))
            if provider_id or bulk:
                return Sent(provider_id or f"bulk:{bulk}", (), suppressed)
            return Refused(reason, "recipient") if suppressed else Unknown(reason)
        outcome = failure(response, reason, _FAULTS)
        code = next((c for c in _CODES if f"#{c}" in reason), "")
        return Refused(reason, _CODES[code]) if isinstance(outcome, Refused) and code else outcome

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; MailerSend has no idempotency keys."""
        return lost(request_sent, reason)

    def verify(
        self, request: WebhookRequest, config: MailerSendConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the HMAC over the raw body; there is no time in it, so an id is remembered."""
        refused = config.signing.refused(request)
        test = body_hmac.Signing(SIGNATURE, (TEST_SECRET,))
        if refused and (test.refused(request) or not _is_test(request)):
            return refused
        try:
            data = payloads.mapping(payloads.read_object(request.body).get("data"))
        except ParseError:
            return unsigned(request)
        event_id = payloads.text(data.get("id"))
        return Verified(event_id) if event_id else unsigned(request)

    def parse_events(
        self, request: WebhookRequest, config: MailerSendConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the event of a webhook; a test ping has none."""
        payload = payloads.read_object(request.body)
        name = payloads.text(payload.get("type"))
        if name in ("inbound.message", "webhook.test"):
            return ()
        if not name:
            raise ParseError("JSON without a type")
        return (_event(name, payload),)

    def parse_inbound(
        self, request: WebhookRequest, config: MailerSendConfig
    ) -> tuple[InboundMail, ...]:
        """Return the mail of an inbound route."""
        payload = payloads.read_object(request.body)
        if payload.get("type") != "inbound.message":
            return ()
        data = payloads.mapping(payload.get("data"))
        raw = data.get("raw")
        recipients = payloads.mapping(data.get("recipients")).get("rcptTo")
        rcpt_to = [payloads.text(r.get("email")) for r in payloads.objects(recipients)]
        if not isinstance(raw, str) or not any(rcpt_to):
            raise ParseError("inbound mail without its text or without a recipient")
        sender = payloads.text(payloads.mapping(data.get("sender")).get("email"), 1_000)
        return (
            InboundMail(
                raw=raw.encode("utf-8", "replace"),
                mail_from=sender.strip("<> "),
                rcpt_to=tuple(filter(None, rcpt_to)),
                event_id=payloads.text(data.get("id")),
                verdicts=stated(
                    spf=payloads.text(payloads.mapping(data.get("spf_check")).get("code")),
                    dkim="pass" if data.get("dkim_check") is True else "",
                ),
            ),
        )


def _check(message: Outgoing, mails: tuple[Named, ...], now: datetime) -> None:
    """Raise UnsupportedFeature for what is over MailerSend's limits."""
    for mail in mails:
        if len(mail.to) > _MOST_TO or max(len(mail.cc), len(mail.bcc)) > _MOST_COPIES:
            most = f"{_MOST_TO} recipients, {_MOST_COPIES} copies and {_MOST_COPIES} blind copies"
            raise UnsupportedFeature(f"mailersend takes {most}: {message.id}")
    if len(mails) > _MOST_BULK:
        raise UnsupportedFeature(f"mailersend takes {_MOST_BULK} mails at once: {message.id}")
    if message.send_at and message.send_at > now + _FURTHEST:
        raise UnsupportedFeature(f"mailersend schedules 72 hours ahead, {message.id} is due later")


def _payload(message: Outgoing, mail: Named, now: datetime) -> dict[str, Any]:
    reply_to = one_reply_to("mailersend", message)
    lower = {name.lower(): value for name, value in message.headers.items()}
    due = message.send_at if message.send_at and message.send_at > now else None
    return {
        "from": person(message.sender),
        **people(mail),
        "reply_to": person(reply_to) if reply_to else None,
        "subject": subject(message),
        "text": message.text,
        "html": html(message),
        "attachments": list(map(_file, message.attachments)),
        "tags": _tags(message),
        "personalization": personalization(message, mail),
        "template_id": message.template,
        "send_at": int(due.timestamp()) if due else None,
        # both without angle brackets
        "in_reply_to": lower.pop("in-reply-to", "").strip("<> "),
        "references": [one.strip("<>") for one in lower.pop("references", "").split()],
        "headers": [
            {"name": n, "value": v} for n, v in message.headers.items() if n.lower() in lower
        ],
        "settings": _settings(message),
        # in place of Auto-Submitted: programs that answer by themselves leave bulk mail alone
        "precedence_bulk": message.automatic,
    }


def _file(file: File) -> dict[str, str]:
    inline = {"disposition": "inline", "id": file.content_id}
    return {
        "filename": file.filename or "attachment.txt",
        "content": encoded(file.data),
        **(inline if file.content_id else {"disposition": "attachment"}),
    }


def _tags(message: Outgoing) -> list[str]:
    own = message.metadata.get(ID_TAG, "")
    return [*([message.tag] if message.tag else []), *([f"{ID_TAG}:{own}"] if own else [])]


def personalization(message: Outgoing, mail: Named) -> list[dict[str, Any]]:
    if not (message.variables or message.recipient_variables):
        return []
    own = variables(message, mail)
    return [{"email": email, "data": own} for email in mail.everybody]


def _settings(message: Outgoing) -> dict[str, bool]:
    switches = {"track_opens": message.track_opens, "track_clicks": message.track_clicks}
    return {name: on for name, on in switches.items() if on is not None}


def _said(response: HttpResponse) -> str:
    """Return the status, the message, and what is wrong with which field."""
    reason = said(response, "message")
    errors = payloads.mapping(json_object(response).get("errors"))
    words = [word for values in errors.values() for word in payloads.texts(values)]
    further = [word for word in words if word not in reason][:5]
    return " ".join([reason, *further])


def _suppressed(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for warning in payloads.objects(answer.get("warnings")):
        for recipient in payloads.objects(warning.get("recipients")):
            reasons = ", ".join(payloads.texts(recipient.get("reasons")))
            yield payloads.text(recipient.get("email")), f"suppressed: {reasons}"


def _is_test(request: WebhookRequest) -> bool:
    """Whether it is a ping; anybody can sign one, so it must not be large."""
    if len(request.body) > _PING_BYTES:
        return False
    try:
        return payloads.read_object(request.body).get("type") == "webhook.test"
    except ParseError:
        return False


def _event(name: str, payload: Mapping[str, Any]) -> ProviderEvent:
    data = payloads.mapping(payload.get("data"))
    at = payloads.instant(data.get("created_at")) or payloads.instant(payload.get("created_at"))
    if at is None:
        raise ParseError("an event without a time")
    activity = payloads.text(data.get("type")) or name.removeprefix("activity.")
    kind = _EVENTS.get(activity if name.startswith("activity.") else "", EventType.UNKNOWN)
    mail, morph = payloads.mapping(data.get("email")), payloads.mapping(data.get("morph"))
    reason = payloads.text(morph.get("reason")) or payloads.text(morph.get("readable_reason"))
    hard, reason_class = _severity(kind, reason, activity)
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=payloads.text(payloads.mapping(mail.get("recipient")).get("email")),
        provider_id=payloads.text(payloads.mapping(mail.get("message")).get("id")),
        hard=hard,
        reason_class=reason_class,
        reason=reason,
        event_id=payloads.text(data.get("id")),
        data=facts(
            name=name,
            **_tagged(payloads.texts(mail.get("tags"))),
            url=payloads.text(morph.get("url"), 2_000),
            ip=payloads.text(morph.get("ip")),
            user_agent=payloads.text(morph.get("user_agent")),
            payload=dict(payload) if kind is EventType.UNKNOWN else None,
        ),
    )


def _severity(kind: EventType, reason: str, activity: str) -> tuple[bool, str]:
    if kind not in (EventType.BOUNCED, EventType.DEFERRED):
        return False, ""
    return severity(reason, hard=activity == "hard_bounced")


def _tagged(tags: tuple[str, ...]) -> dict[str, Any]:
    """Return the tags, and apart from them what went as a tag in place of metadata."""
    ours = [tag.partition(":")[2] for tag in tags if tag.startswith(f"{ID_TAG}:")]
    others = [tag for tag in tags if not tag.startswith(f"{ID_TAG}:")]
    return {"metadata": {ID_TAG: ours[0]} if ours else {}, "tags": others}
