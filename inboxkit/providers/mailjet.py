"""Mailjet: sending by v3.1/send, the Event API, and inbound mail by the Parse API.

Facts: Mailjet's API documentation (Send API v3.1, Event API, Parse API, message resource) as of
2026; symfony#44000 (header names that are refused).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from ..errors import UnsupportedFeature
from ..values import EventType
from . import basic_auth, batches, mailjet_inbound, payloads
from .addressing import Named, html, named, one_reply_to, subject, template_number, variables
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
from .batches import Batch
from .event_facts import digest, every, facts, severity
from .options import Options
from .parts import Most
from .submission import encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from ..values import Address, File
    from .base import Outgoing, Response, SendOutcome, WebhookRequest

_API = "https://api.mailjet.com"
_MOST = 50  # recipients of a mail, and mails in a request
MESSAGE_ID = "inboxkit_message_id"  # in the payload, which events and answered mail bring back
_SWITCH = {None: "", True: "enabled", False: "disabled"}
_FAULTS = {401: "credentials", 403: "account", 404: "settings", 405: "settings"}
# "cannot be customized using the Headers collection" (guide "Adding email headers")
FORBIDDEN = frozenset(
    "from sender subject to cc bcc return-path delivered-to dkim-signature domainkey-status "
    "received-spf authentication-results received x-mailjet-prio x-mailjet-debug user-agent "
    "x-mailer x-feedback-id x-csa-complaints message-id date reply-to x-mailjet-campaign "
    "x-mj-customid x-mj-eventpayload x-mailjet-deduplicatecampaign x-mj-templateid".split()
)

_EVENTS = {
    "sent": EventType.DELIVERED,  # "the destination SMTP server has accepted the message"
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
    "bounce": EventType.BOUNCED,
    "blocked": EventType.REJECTED,
    "spam": EventType.COMPLAINED,
    "unsub": EventType.UNSUBSCRIBED,
}
# Event API, "Possible values for errors"
_ERRORS = {
    "user unknown": "user_unknown",
    "mailbox inactive": "suspended",
    "quota exceeded": "mailbox_full",
    "blacklisted": "suppressed",
    "spam reporter": "suppressed",
    "preblocked": "suppressed",
    "invalid domain": "host_unknown",
    "no mail host": "host_unknown",
    "typofix": "host_unknown",
    "relay/access denied": "relay_denied",
    "greylisted": "rate_limited",
    "sender blocked": "blocked",
    "content blocked": "content",
    "policy issue": "policy",
    "duplicate in campaign": "policy",
    "system issue": "system",
    "protocol issue": "system",
    "connection issue": "network",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailjetConfig:
    """The account: its keys, the login of its webhooks, and whether mail is only checked."""

    login: basic_auth.Login
    api_url: str = _API
    webhook_login: basic_auth.Login | None = None
    sandbox: bool = False


class Mailjet:
    """Mailjet, both ways."""

    name = "mailjet"
    transport: Transport = "http"
    most = Most(everybody=_MOST, blind=_MOST)
    batch = Batch(_MOST)
    capabilities = frozenset(Feature) - {
        Feature.RAW_MIME,
        Feature.MESSAGE_ID,
        Feature.SCHEDULING,
        Feature.IDEMPOTENCY,
        Feature.INBOUND_RAW,
        Feature.SIGNATURES,
    }

    def configure(self, options: Mapping[str, str]) -> MailjetConfig:
        """Check the settings.

        ``api_key``, ``secret_key`` and ``webhook_password`` (with ``webhook_user``) must be there,
        the last unless ``insecure`` says that anybody may post webhooks. Besides: ``api_url``,
        ``sandbox`` (yes: mail is checked and dropped).
        """
        read = Options(self.name, options)
        config = MailjetConfig(
            login=basic_auth.Login(read.required("api_key"), read.required("secret_key")),
            api_url=read.url("api_url", _API),
            webhook_login=basic_auth.login(read),
            sandbox=read.flag("sandbox"),
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: MailjetConfig, now: datetime) -> HttpRequest:
        """Return the request; the recipients see a Message-ID of Mailjet's that nobody tells us."""
        refuse_unsupported(self.name, message, self.capabilities)
        mails = named(message)
        if len(mails) > _MOST or any(len(mail.everybody) > _MOST for mail in mails):
            raise UnsupportedFeature(f"mailjet takes {_MOST} recipients: {message.id}")
        common = {key: value for key, value in _common(message).items() if value}
        entries = [json.dumps({**_people(message, mail), **common}).encode() for mail in mails]
        return self.build_batch(entries, config)

    def batch_entry(self, message: Outgoing, config: MailjetConfig) -> bytes:
        """Return a message as one of several."""
        refuse_unsupported(self.name, message, self.capabilities)
        common = {key: value for key, value in _common(message).items() if value}
        return json.dumps({**_people(message, named(message)[0]), **common}).encode()

    def build_batch(self, entries: Sequence[bytes], config: MailjetConfig) -> HttpRequest:
        """Return the request that sends several messages."""
        switch = b', "SandboxMode": true' if config.sandbox else b""
        return HttpRequest(
            method="POST",
            url=f"{config.api_url}/v3.1/send",
            headers={
                "Authorization": config.login.authorization,
                "Content-Type": "application/json",
            },
            body=b'{"Messages": [%s]%s}' % (b", ".join(entries), switch),
        )

    def parse_batch(
        self, response: HttpResponse, messages: Sequence[Outgoing], config: MailjetConfig
    ) -> Sequence[SendOutcome] | None:
        """Classify the answer, which has one for each message, in their order."""
        results = payloads.objects(json_object(response).get("Messages"))
        answers = [{"Messages": [result]} for result in results]
        return batches.outcomes(self, response, answers, messages, config)

    def parse_send(
        self, response: Response, message: Outgoing, config: MailjetConfig
    ) -> SendOutcome:
        """Classify an answer; some of the mails may be taken while others are not."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        results = payloads.objects(json_object(response).get("Messages"))
        reason = said(response, "ErrorMessage", "ErrorIdentifier")
        ids = [i for result in results for i in _ids(result)]
        errors = [_errors(result) for result in results]
        if ids:
            return Sent(ids[0], (), _refused(message, errors))
        if response.status == 200 and config.sandbox and results and not any(errors):
            return Sent()
        if any(errors) and response.status in range(200, 500):
            reason = f"{response.status} {'; '.join(filter(None, errors))}"
            return failure(response, reason, _FAULTS) if response.status != 200 else Refused(reason)
        return failure(response, reason, _FAULTS)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; Mailjet documents no idempotency keys."""
        return lost(request_sent, reason)

    def build_lookup(self, message: Outgoing, config: MailjetConfig, now: datetime) -> HttpRequest:
        """Ask for the messages that carry our key."""
        query = urlencode({"CustomID": message.idempotency_key, "Limit": "1"})
        headers = {"Authorization": config.login.authorization}
        url = f"{config.api_url}/v3/REST/message?{query}"
        return HttpRequest(method="GET", url=url, headers=headers)

    def parse_lookup(
        self, response: HttpResponse, message: Outgoing, config: MailjetConfig
    ) -> Sent | Retry | Unknown:
        """Sent when there is one; none proves nothing, as messages take time to appear."""
        for found in payloads.objects(json_object(response).get("Data")):
            if response.status == 200 and payloads.text(found.get("ID")):
                return Sent(payloads.text(found.get("ID")))
        return Unknown(f"{response.status} no message of this key")

    def verify(
        self, request: WebhookRequest, config: MailjetConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the user and password of the webhook's URL; nothing is signed."""
        if config.webhook_login is None:
            return basic_auth.unsigned(request)
        return config.webhook_login.verify(request)

    def parse_events(
        self, request: WebhookRequest, config: MailjetConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the event of a webhook, or the events of a grouped one."""
        payload = payloads.read(request.body)
        if mailjet_inbound.is_mail(payload):
            return ()
        items = cast("list[object]", payload) if isinstance(payload, list) else [payload]
        return every(map(payloads.mapping, items), _event)

    def parse_inbound(
        self, request: WebhookRequest, config: MailjetConfig
    ) -> tuple[InboundMail, ...]:
        """Return the mail of a parse route, put together from its pieces."""
        payload = payloads.read(request.body)
        if not mailjet_inbound.is_mail(payload):
            return ()
        data = payloads.mapping(payload)
        original = payloads.message_id(_payload_of(data).get(MESSAGE_ID))
        return (mailjet_inbound.mail(data, original),)


def _people(message: Outgoing, mail: Named) -> dict[str, Any]:
    people = {"To": mail.to, "Cc": mail.cc, "Bcc": mail.bcc}
    own = {name: list(map(_person, some)) for name, some in people.items() if some}
    merged = variables(message, mail) if message.recipient_variables else dict(message.variables)
    return {**own, "Variables": merged} if merged else own


def _common(message: Outgoing) -> dict[str, Any]:
    reply_to = one_reply_to("mailjet", message)
    return {
        "From": _person(message.sender),
        "ReplyTo": _person(reply_to) if reply_to else None,
        "Subject": subject(message),
        "TextPart": message.text,
        "HTMLPart": html(message),
        "Headers": _headers(message),
        "Attachments": [_file(f) for f in message.attachments if not f.content_id],
        "InlinedAttachments": [_file(f) for f in message.attachments if f.content_id],
        "CustomID": message.idempotency_key,
        "EventPayload": json.dumps({**message.metadata, MESSAGE_ID: message.message_id}),
        "CustomCampaign": message.tag,
        "TrackOpens": _SWITCH[message.track_opens],
        "TrackClicks": _SWITCH[message.track_clicks],
        "TemplateID": template_number("mailjet", message),
        "TemplateLanguage": bool(
            message.template or message.variables or message.recipient_variables
        ),
    }


def _person(address: Address) -> dict[str, str]:
    return {"Email": address.email, **({"Name": address.name} if address.name else {})}


def _headers(message: Outgoing) -> dict[str, str]:
    for name in message.headers:
        if name.lower() in FORBIDDEN:
            raise UnsupportedFeature(f"mailjet sets header {name} itself: {message.id}")
    return dict(message.headers)


def _file(file: File) -> dict[str, str]:
    return {
        "ContentType": file.content_type or "application/octet-stream",
        "Filename": file.filename or "attachment",
        "Base64Content": encoded(file.data),
        **({"ContentID": file.content_id} if file.content_id else {}),
    }


def _ids(result: Mapping[str, Any]) -> list[str]:
    """Return the ids of a mail that was taken, one for each recipient."""
    people = [p for name in ("To", "Cc", "Bcc") for p in payloads.objects(result.get(name))]
    taken = people if result.get("Status") == "success" else []
    found = [payloads.text(p.get("MessageID")) for p in taken]
    return [one for one in found if one not in ("", "0")]  # 0: the sandbox dropped it


def _errors(result: Mapping[str, Any]) -> str:
    if result.get("Status") == "success":
        return ""
    errors = payloads.objects(result.get("Errors"))
    words = [
        f"{payloads.text(e.get('ErrorCode'))} {payloads.text(e.get('ErrorMessage'))}".strip()
        for e in errors
    ]
    return "; ".join(words) or "error"


def _refused(message: Outgoing, errors: Iterable[str]) -> dict[str, str]:
    """Return the recipients of the mails that were not taken, with the reason."""
    answered = zip(named(message), errors, strict=False)
    return {recipient: why for mail, why in answered if why for recipient in mail.everybody}


def _event(data: Mapping[str, Any]) -> ProviderEvent:
    name, at = payloads.text(data.get("event")), payloads.moment(data.get("time"))
    if not name or at is None:
        raise ParseError("neither inbound mail nor an event with a time")
    kind, hard, reason_class = _outcome(name, data)
    sent_along = _payload_of(data)
    recipient, url = payloads.text(data.get("email")), payloads.text(data.get("url"), 2_000)
    provider_id = payloads.text(data.get("MessageID")) or payloads.text(data.get("mj_message_id"))
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=recipient,
        provider_id="" if provider_id == "0" else provider_id,
        message_id=payloads.message_id(sent_along.pop(MESSAGE_ID, "")),
        hard=hard,
        reason_class=reason_class,
        reason=payloads.text(data.get("comment")) or payloads.text(data.get("error")),
        event_id=digest(name, provider_id, recipient, str(int(at.timestamp())), url),
        data=facts(
            name=name,
            metadata=sent_along,
            tags=list(payloads.texts(data.get("customcampaign"))),
            url=url,
            ip=payloads.text(data.get("ip")),
            user_agent=payloads.text(data.get("agent")),
            payload=data if kind is EventType.UNKNOWN else None,
        ),
    )


def _outcome(name: str, data: Mapping[str, Any]) -> tuple[EventType, bool, str]:
    """Return the type, whether the address is dead, and the reason class."""
    kind = _EVENTS.get(name, EventType.UNKNOWN)
    if kind not in (EventType.BOUNCED, EventType.REJECTED):
        return kind, False, ""
    error, is_hard = payloads.text(data.get("error")), data.get("hard_bounce") is True
    hard, reason_class = severity(
        f"{error} {payloads.text(data.get('comment'))}", hard=is_hard, known=_ERRORS.get(error, "")
    )
    if kind is EventType.BOUNCED and error == "greylisted" and not is_hard:
        return EventType.DEFERRED, False, reason_class  # "Delivery will be re-attempted."
    return kind, hard, reason_class


def _payload_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata that was sent along with a message; {} for what others sent along."""
    text = data.get("Payload")
    try:
        found = payloads.read_object(text) if isinstance(text, str) and text else {}
    except ParseError:
        return {}
    return {name: payloads.text(value, 2_000) for name, value in found.items()}
