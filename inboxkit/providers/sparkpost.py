"""SparkPost (Bird): sending by transmissions, event webhooks, and mail by relay webhooks.

Facts: developers.sparkpost.com (transmissions, webhooks, relay webhooks, error table).
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from email.header import Header
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedFeature
from . import basic_auth, payloads, seven_bit, sparkpost_events
from .answers import failure, json_object, lost, said
from .base import (
    Feature,
    HttpRequest,
    HttpResponse,
    Refused,
    Retry,
    Sent,
    Transport,
    Unknown,
    Unverified,
    Verified,
    refuse_unsupported,
)
from .options import Options
from .recipients import written

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
    from .basic_auth import Login

_REGIONS = {"us": "https://api.sparkpost.com/api/v1", "eu": "https://api.eu.sparkpost.com/api/v1"}
_FURTHEST = timedelta(days=3)  # "cannot be more than 3 days in the future"
_TAG_BYTES = 64  # campaign_id
_OVER_LIMIT = 420  # "exceeded your daily, monthly, or sandbox sending limit"
_FAULTS = {401: "credentials", 403: "account", 404: "settings"}
_BAD_DOMAIN = "7001"  # "Unconfigured or unverified sending domain."
_FIELD_END = re.compile(r"\r\n(?![ \t])")  # a folded line begins with a space (RFC 5322 2.2.3)
_LACKING = (Feature.IDEMPOTENCY, Feature.LOOKUP, Feature.SIGNATURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkPostConfig:
    """The account: its key, and by what its webhooks are known."""

    api_key: str = field(repr=False)
    api_url: str = _REGIONS["us"]
    login: Login | None = None
    webhook_token: str = field(default="", repr=False)
    subaccount: str = ""
    return_path: str = ""
    transactional: bool = True


class SparkPost:
    """SparkPost, both ways."""

    name = "sparkpost"
    transport: Transport = "http"
    capabilities = frozenset(Feature) - frozenset(_LACKING)

    def configure(self, options: Mapping[str, str]) -> SparkPostConfig:
        """Check the settings.

        ``api_key`` and ``webhook_password`` (with ``webhook_user``, default inboxkit) must be
        there, unless ``insecure`` says that webhooks are taken from anybody. Besides: ``region``
        (us, eu) or ``api_url``, ``webhook_token`` (the auth_token of a relay webhook),
        ``subaccount``, ``return_path``, ``transactional`` (yes, no).
        """
        read = Options(self.name, options)
        region = read.choice("region", tuple(_REGIONS), "us")
        config = SparkPostConfig(
            api_key=read.required("api_key"),
            api_url=read.url("api_url", _REGIONS[region]),
            login=basic_auth.login(read),
            webhook_token=read.text("webhook_token"),
            subaccount=read.text("subaccount"),
            return_path=read.text("return_path"),
            transactional=read.flag("transactional", default=True),
        )
        read.done()
        if config.subaccount and not config.subaccount.isdecimal():
            raise read.error("subaccount", "must be a number")
        return config

    def build_send(self, message: Outgoing, config: SparkPostConfig, now: datetime) -> HttpRequest:
        """Return the transmission of the composed mail, so that its headers stay ours.

        Every envelope recipient is one; what the mail shows as To and Cc is in its headers.
        """
        refuse_unsupported(self.name, message, self.capabilities)
        if message.send_at and message.send_at > now + _FURTHEST:
            raise UnsupportedFeature(f"sparkpost schedules 3 days ahead, {message.id} is due later")
        headers = {"Authorization": config.api_key, "Content-Type": "application/json"}
        if config.subaccount:
            headers["X-MSYS-SUBACCOUNT"] = config.subaccount
        body = json.dumps(_transmission(message, config)).encode()
        return HttpRequest(
            method="POST", url=f"{config.api_url}/transmissions", headers=headers, body=body
        )

    def parse_send(
        self, response: Response, message: Outgoing, config: SparkPostConfig
    ) -> SendOutcome:
        """Classify an answer. It only counts the rejected; who they are, events tell."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        reason, codes = _errors(response)
        if response.status == _OVER_LIMIT:
            return Retry(reason=reason)
        if _BAD_DOMAIN in codes and response.status < 500:
            return Refused(reason, "settings")
        results = payloads.mapping(json_object(response).get("results"))
        transmission = payloads.text(results.get("id"))
        if response.status != 200 or not transmission:
            return failure(response, reason, _FAULTS)
        if results.get("total_accepted_recipients") == 0:
            return Refused("every recipient was rejected", "recipient")
        return Sent(transmission)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; SparkPost has no idempotency keys."""
        return lost(request_sent, reason)

    def verify(
        self, request: WebhookRequest, config: SparkPostConfig, now: datetime
    ) -> Verified | Unverified:
        """Check user and password, or the token of a relay webhook; nothing is signed."""
        token = request.header("x-messagesystems-webhook-token").encode("utf-8", "replace")
        ours = config.webhook_token.encode()
        if config.login is None or (ours and hmac.compare_digest(ours, token)):
            verdict: Verified | Unverified = basic_auth.unsigned(request)
        else:
            verdict = config.login.verify(request)
        # the same in every attempt to post a batch of events
        batch = payloads.text(request.header("x-messagesystems-batch-id"))
        return Verified(batch) if batch and isinstance(verdict, Verified) else verdict

    def parse_events(
        self, request: WebhookRequest, config: SparkPostConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the events of a batch; one without content is a ping."""
        return sparkpost_events.events(request)

    def parse_inbound(
        self, request: WebhookRequest, config: SparkPostConfig
    ) -> tuple[InboundMail, ...]:
        """Return the mail of a batch."""
        return sparkpost_events.mails(request)


def _transmission(message: Outgoing, config: SparkPostConfig) -> dict[str, Any]:
    at = message.send_at
    merged = bool(message.variables or message.recipient_variables)
    options = {
        "transactional": config.transactional,
        "open_tracking": message.track_opens,
        "click_tracking": message.track_clicks,
        "start_time": at.astimezone(UTC).isoformat(timespec="seconds") if at else None,
        # else "{{" in a text would be read as a variable
        "perform_substitutions": None if merged or message.template else False,
    }
    whole: dict[str, Any] = {
        "options": _given(options),
        "recipients": [_recipient(message, to) for to in message.rcpt_to],
        "campaign_id": message.tag.encode()[:_TAG_BYTES].decode("utf-8", "ignore"),
        "metadata": dict(message.metadata),
        "substitution_data": dict(message.variables),
        "return_path": config.return_path,
    }
    content = _stored(message) if message.template else _composed(message, merged=merged)
    return {k: v for k, v in whole.items() if v} | content


def _recipient(message: Outgoing, to: str) -> dict[str, Any]:
    own = dict(message.recipient_variables.get(to, {}))
    return {"address": {"email": to}} | ({"substitution_data": own} if own else {})


def _composed(message: Outgoing, *, merged: bool) -> dict[str, Any]:
    head, blank, body = seven_bit.text(message.mime).partition("\r\n\r\n")
    if "{{" in head and not merged:
        # headers are always substituted; nothing is found in an encoded word (RFC 2047)
        subject = Header(message.subject, "utf-8", header_name="Subject").encode(linesep="\r\n")
        lines = [line for line in _FIELD_END.split(head) if not line.lower().startswith("subject:")]
        head = "\r\n".join([*lines, f"Subject: {subject}"])
        if "{{" in head:
            raise UnsupportedFeature(f"sparkpost would replace the {{{{ in a header: {message.id}")
    return {"content": {"email_rfc822": head + blank + body}}


def _stored(message: Outgoing) -> dict[str, Any]:
    """Name the stored template, which brings all content but these two headers."""
    if message.attachments:
        raise UnsupportedFeature(f"sparkpost sends no files with a template: {message.id}")
    sender = {"email": message.sender.email, "name": message.sender.name}
    override = {
        "from": {k: v for k, v in sender.items() if v},
        "reply_to": ", ".join(map(written, message.reply_to)) or None,
    }
    return {"content": {"template_id": message.template}, "override": _given(override)}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _errors(response: HttpResponse) -> tuple[str, tuple[str, ...]]:
    """Return the reason and the codes of an error."""
    errors = payloads.objects(json_object(response).get("errors"))
    words = [
        ": ".join(filter(None, (payloads.text(e.get(k)) for k in ("message", "description"))))
        for e in errors
    ]
    reason = f"{response.status} {'; '.join(words)[:500]}" if errors else said(response, "message")
    return reason, tuple(payloads.text(error.get("code")) for error in errors)
