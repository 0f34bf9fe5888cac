"""SendGrid (Twilio): sending by v3 mail/send, the Event Webhook, and mail by Inbound Parse.

Facts: Twilio SendGrid API reference (mail send), "Getting Started with the Event Webhook Security
Features", "Securing your Inbound Parse webhooks".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, cast

from ..errors import UnsupportedFeature
from . import forms, payloads, sendgrid_events, sendgrid_parse, sendgrid_requests
from .answers import failure, json_object, lost, said, until
from .base import (
    Feature,
    HttpRequest,
    HttpResponse,
    ParseError,
    Refused,
    Retry,
    Sent,
    Transport,
    Unknown,
    Unverified,
    Verified,
    refuse_unsupported,
)
from .basic_auth import Login, login, unsigned
from .event_facts import every
from .options import Options
from .parts import Most
from .public_keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .base import (
        InboundMail,
        Outgoing,
        ProviderEvent,
        Response,
        SendOutcome,
        WebhookRequest,
    )

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_REGIONS = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
_MOST_RECIPIENTS = 1000
_FURTHEST = timedelta(hours=72)
_WINDOW = 302_400  # s: Inbound Parse tries for 3 days, maybe with its first timestamp
# Inbound Parse tries again after a 5xx only: a key of ours that is wrong is to lose no mail
_UNVERIFIED = 503
_FAULTS = {401: "credentials", 403: "account", 404: "settings", 405: "settings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendgridConfig:
    """The account: its key, and by what webhooks are known to be SendGrid's."""

    api_key: str = field(repr=False)
    api_url: str = _REGIONS["global"]
    verification_key: PublicKey | None = None  # of the Event Webhook
    parse_key: PublicKey | None = None  # of the security policy of Inbound Parse
    login: Login | None = None
    insecure: bool = False
    window: timedelta = timedelta(seconds=_WINDOW)
    sandbox: bool = False


class Sendgrid:
    """SendGrid, both ways."""

    name = "sendgrid"
    transport: Transport = "http"
    most = Most(everybody=_MOST_RECIPIENTS, blind=_MOST_RECIPIENTS)
    capabilities = frozenset(Feature) - {
        Feature.RAW_MIME,
        Feature.MESSAGE_ID,  # replaced; the new one is told by events
        Feature.IDEMPOTENCY,
        Feature.LOOKUP,
    }

    def configure(self, options: Mapping[str, str]) -> SendgridConfig:
        """Check the settings.

        ``api_key`` must be there. Webhooks need ``verification_key`` (events) and ``parse_key``
        (mail), or ``webhook_password`` (with ``webhook_user``) for what is not signed; without
        any of them ``insecure`` must be yes. Besides: ``region`` (global, eu) or ``api_url``,
        ``window`` (s, at most 3.5 days), ``sandbox`` (yes, no).
        """
        read = Options(self.name, options)
        region = read.choice("region", tuple(_REGIONS), "global")
        keys = {name: _key(read, name) for name in ("verification_key", "parse_key")}
        insecure = read.flag("insecure")
        password = read.text("webhook_password")
        if not (any(keys.values()) or insecure or password):
            raise read.error("verification_key", "is missing, and there is no webhook_password")
        read.text("webhook_user")
        config = SendgridConfig(
            api_key=read.required("api_key"),
            api_url=read.url("api_url", _REGIONS[region]),
            verification_key=keys["verification_key"],
            parse_key=keys["parse_key"],
            login=login(read) if password else None,
            insecure=insecure,
            window=timedelta(seconds=read.number("window", _WINDOW, least=1, most=302_400)),
            sandbox=read.flag("sandbox"),
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: SendgridConfig, now: datetime) -> HttpRequest:
        """Return the request; everybody of the envelope is in one of its personalizations."""
        refuse_unsupported(self.name, message, self.capabilities)
        if len(message.rcpt_to) > _MOST_RECIPIENTS:
            raise UnsupportedFeature(f"sendgrid takes {_MOST_RECIPIENTS} recipients: {message.id}")
        if message.send_at and message.send_at > now + _FURTHEST:
            raise UnsupportedFeature(f"sendgrid schedules 72 h ahead, {message.id} is due later")
        asked = sendgrid_requests.written(message, sandbox=config.sandbox)
        return HttpRequest(
            method="POST",
            url=f"{config.api_url}/v3/mail/send",
            headers={
                "Authorization": f"Bearer {config.api_key}",
                "Content-Type": "application/json",
            },
            body=json.dumps(asked).encode(),
        )

    def parse_send(
        self, response: Response, message: Outgoing, config: SendgridConfig
    ) -> SendOutcome:
        """Classify an answer. Replies cite the id of a 202 with a host that only events tell."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        provider_id = payloads.text(response.header("x-message-id"))
        if response.status == 202 and provider_id:
            return Sent(provider_id, (f"<{provider_id}@",))
        if response.status == 200 and config.sandbox:  # checked, and sent to nobody
            return Sent()
        reason = _reason(response)
        if 200 <= response.status < 300:
            return Unknown(reason)
        if response.status == 403 and "Sender Identity" in reason:
            return Refused(reason, "settings")
        outcome = failure(response, reason, _FAULTS)
        if isinstance(outcome, Retry) and outcome.after is None:
            return Retry(_reset(response), reason)
        return outcome

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; SendGrid has no idempotency keys."""
        return lost(request_sent, reason)

    def verify(
        self, request: WebhookRequest, config: SendgridConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the signature over timestamp and body, with the key of events or of mail.

        What has no key is known by user and password; with neither it is
        answered with 503, so that SendGrid tries again and nothing is lost until one is set.
        """
        is_mail = forms.is_form(request.header("content-type"))
        key = config.parse_key if is_mail else config.verification_key
        if key:
            return _signed(request, key, config, now)
        if config.login:
            return config.login.verify(request, refusal=_UNVERIFIED)
        if config.insecure:
            return unsigned(request)
        missing = "parse_key" if is_mail else "verification_key"
        return Unverified(f"provider sendgrid: {missing} is not set", _UNVERIFIED)

    def parse_events(
        self, request: WebhookRequest, config: SendgridConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the events of a post, which holds many."""
        if forms.is_form(request.header("content-type")):
            return ()
        posted: object = payloads.read(request.body)
        if not isinstance(posted, list):
            raise ParseError("not an array of events")
        return every(payloads.objects(cast("object", posted)), sendgrid_events.event)

    def parse_inbound(
        self, request: WebhookRequest, config: SendgridConfig
    ) -> tuple[InboundMail, ...]:
        """Return the mail of Inbound Parse: its bytes if they are posted raw, else rebuilt."""
        content_type = request.header("content-type")
        if not forms.is_form(content_type):
            return ()
        return (sendgrid_parse.mail(forms.read(content_type, request.body)),)


def signed_bytes(timestamp: str, body: bytes) -> bytes:
    """Return what is under a signature."""
    return timestamp.encode("utf-8", "replace") + body


def _key(read: Options, name: str) -> PublicKey | None:
    text = read.text(name)
    try:
        return PublicKey.read(text) if text else None
    except ValueError as error:
        raise read.error(name, f"is {error}") from None


def _signed(
    request: WebhookRequest, key: PublicKey, config: SendgridConfig, now: datetime
) -> Verified | Unverified:
    timestamp, signature = request.header(TIMESTAMP), request.header(SIGNATURE)
    if not key.verify(signature, signed_bytes(timestamp, request.body)):
        return Unverified("wrong signature" if signature else "not signed", _UNVERIFIED)
    at = payloads.moment(timestamp)
    if at is None or abs(now - at) > config.window:
        reason = f"signed outside the window of {config.window}: check the clock"
        return Unverified(reason, _UNVERIFIED)
    return unsigned(request)


def _reason(response: HttpResponse) -> str:
    """Return the status and every complaint, with the field it is about."""
    complaints = [
        ": ".join(filter(None, (payloads.text(e.get("field")), payloads.text(e.get("message")))))
        for e in payloads.objects(json_object(response).get("errors"))
    ]
    return (
        f"{response.status} {'; '.join(complaints)[:500]}"
        if any(complaints)
        else (said(response, "message"))
    )


def _reset(response: HttpResponse) -> timedelta | None:
    at = payloads.moment(response.header("x-ratelimit-reset"))
    return until(format_datetime(at), response) if at else None
