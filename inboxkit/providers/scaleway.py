"""Scaleway Transactional Email: sending by /emails, and events that a topic posts. No inbound mail.

Facts: Scaleway's Transactional Email API v1alpha1, its pages on webhooks and their payloads
(2025), and the types of its Python SDK 2.12.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedFeature
from ..values import EventType
from . import payloads
from .addressing import named, subject
from .answers import failure, json_object, lost, said
from .base import (
    Feature,
    FetchPlan,
    HttpRequest,
    HttpResponse,
    ParseError,
    ProviderEvent,
    Refused,
    Retry,
    Sent,
    Transport,
    Unknown,
    refuse_unsupported,
)
from .basic_auth import Login, login, unsigned
from .event_facts import facts, severity
from .options import Options
from .submission import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..values import Address, File
    from .base import (
        InboundMail,
        Outgoing,
        Response,
        SendOutcome,
        Unverified,
        Verified,
        WebhookRequest,
    )

_URL = "https://api.scaleway.com"
_TOPICS = (".scaleway.com", ".scw.cloud")  # where a subscription may be confirmed
_FAULTS = {401: "credentials", 403: "account", 404: "settings"}
_QUOTA = "quotas_exceeded"  # a 403 that says "account" too, by its type
_EVENTS = {
    "email_queued": EventType.ACCEPTED,
    "email_delivered": EventType.DELIVERED,
    "email_deferred": EventType.DEFERRED,
    "email_dropped": EventType.BOUNCED,
    "email_mailbox_not_found": EventType.BOUNCED,
    "email_spam": EventType.BOUNCED,  # the recipient's server called it spam
    "email_blocklisted": EventType.REJECTED,
}
_CLASSES = {"email_mailbox_not_found": "user_unknown", "email_spam": "spam"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalewayConfig:
    """The project, its key, and who may post webhooks."""

    secret_key: str = field(repr=False)
    project_id: str
    region: str
    login: Login | None
    api_url: str = _URL

    @property
    def url(self) -> str:
        """The URL of the emails of a region."""
        return f"{self.api_url}/transactional-email/v1alpha1/regions/{self.region}/emails"


class Scaleway:
    """Scaleway Transactional Email, one way and its events."""

    name = "scaleway"
    transport: Transport = "http"
    capabilities = frozenset(
        {
            Feature.CC,
            Feature.BCC,
            Feature.REPLY_TO,
            Feature.HEADERS,
            Feature.ATTACHMENTS,
            Feature.EVENTS,
        }
    )

    def configure(self, options: Mapping[str, str]) -> ScalewayConfig:
        """Check the settings.

        ``secret_key``, ``project_id`` and ``webhook_password`` must be there, the last unless
        ``insecure`` is yes. Besides: ``region``, ``webhook_user``, ``api_url``.
        """
        read = Options(self.name, options)
        config = ScalewayConfig(
            secret_key=read.required("secret_key"),
            project_id=read.required("project_id"),
            region=read.text("region", "fr-par"),
            login=login(read),
            api_url=read.url("api_url", _URL),
        )
        if not re.fullmatch(r"[a-z]{2,10}-[a-z0-9]{2,10}", config.region):
            raise read.error("region", f"is no region: {config.region!r}")
        read.done()
        return config

    def build_send(self, message: Outgoing, config: ScalewayConfig, now: datetime) -> HttpRequest:
        """Return the request. Addresses outside ASCII are refused: Scaleway loses such mail."""
        refuse_unsupported(self.name, message, self.capabilities)
        everybody = (message.sender.email, *message.rcpt_to, *(a.email for a in message.reply_to))
        if not all(map(str.isascii, everybody)):
            raise UnsupportedFeature(f"scaleway loses mail with non-ASCII addresses: {message.id}")
        headers = {
            "X-Auth-Token": config.secret_key,
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        body = json.dumps(_body(message, config)).encode()
        return HttpRequest(method="POST", url=config.url, headers=headers, body=body)

    def parse_send(
        self, response: Response, message: Outgoing, config: ScalewayConfig
    ) -> SendOutcome:
        """Classify an answer. It names an email for each recipient, all with one Message-ID."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer, reason = json_object(response), said(response, "message")
        emails = payloads.objects(answer.get("emails"))
        ids = [id for email in emails if (id := payloads.text(email.get("id")))]
        if response.status == 200 and ids:
            told = [payloads.message_id(email.get("message_id")) for email in emails]
            own = tuple(id for id in dict.fromkeys(told) if id)
            return Sent(ids[0], own, ids=_by_recipient(emails, message))
        if payloads.text(answer.get("type")) == _QUOTA:
            return Refused(reason, "account")
        return failure(response, reason, _FAULTS)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; Scaleway has no idempotency keys."""
        return lost(request_sent, reason)

    def verify(
        self, request: WebhookRequest, config: ScalewayConfig, now: datetime
    ) -> Verified | Unverified:
        """Check user and password of the subscription's URL."""
        return config.login.verify(request) if config.login else unsigned(request)

    def parse_events(
        self, request: WebhookRequest, config: ScalewayConfig
    ) -> tuple[ProviderEvent | FetchPlan, ...]:
        """Return the event of a post, or the request that confirms the subscription."""
        payload = payloads.read_object(request.body)
        if payload.get("Type") == "SubscriptionConfirmation":
            url = payloads.text(payload.get("SubscribeURL"), 8_000)
            return (FetchPlan(url=url, hosts=_TOPICS),)
        if "Type" not in payload:  # a topic may post the event bare
            return _events(payload)
        message = payload.get("Message")
        return _events(payloads.read_object(message)) if isinstance(message, str) else ()

    def parse_inbound(
        self, request: WebhookRequest, config: ScalewayConfig
    ) -> tuple[InboundMail, ...]:
        """Return (): Scaleway takes no mail in."""
        return ()

    def parse_fetched(
        self, plan: FetchPlan, response: HttpResponse, config: ScalewayConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return (): a subscription is confirmed by the request alone."""
        return ()


def _body(message: Outgoing, config: ScalewayConfig) -> dict[str, Any]:
    mail, *others = named(message)
    if others:
        raise UnsupportedFeature(f"scaleway wants somebody in To: {message.id}")
    headers = dict(message.headers)
    if message.reply_to:
        headers["Reply-To"] = ", ".join(address.email for address in message.reply_to)
    return {
        "project_id": config.project_id,
        "from": _person(message.sender),
        "to": [_person(address) for address in mail.to],
        "cc": [_person(address) for address in mail.cc],
        "bcc": [_person(address) for address in mail.bcc],
        "subject": subject(message),
        "text": message.text or ("" if message.html else "\n"),  # one of them must be there
        "html": message.html,
        "attachments": [_attachment(file) for file in message.attachments],
        "additional_headers": [{"key": key, "value": value} for key, value in headers.items()],
    }


def _person(address: Address) -> dict[str, str]:
    found = {"email": address.email}
    return {**found, "name": " ".join(address.name.split())} if address.name else found


def _attachment(file: File) -> dict[str, str]:
    content_type = file.content_type or "application/octet-stream"
    return {"name": file.filename, "type": content_type, "content": encoded(file.data)}


def _by_recipient(emails: tuple[dict[str, Any], ...], message: Outgoing) -> dict[str, str]:
    """Return the id of each recipient's email: events name nothing else."""
    to = {recipient.lower(): recipient for recipient in message.rcpt_to}
    told = {_recipient(email): payloads.text(email.get("id")) for email in emails}
    return {to[email]: id for email, id in told.items() if email in to and id}


def _recipient(email: Mapping[str, Any]) -> str:
    return payloads.text(email.get("mail_rcpt") or email.get("rcpt_to")).lower()  # older: rcpt_to


def _events(payload: Mapping[str, Any]) -> tuple[ProviderEvent, ...]:
    name = payloads.text(payload.get("type"))
    at = payloads.instant(payload.get("created_at"))
    if not name or at is None:
        raise ParseError("neither type nor created_at: no event of Scaleway's")
    email_id = payloads.text(payload.get("email_id"))
    if not email_id and name not in _EVENTS:  # such as blocklist_created
        return ()
    return (_event(name, email_id, at, payload),)


def _event(name: str, email_id: str, at: datetime, payload: Mapping[str, Any]) -> ProviderEvent:
    kind = _EVENTS.get(name, EventType.UNKNOWN)
    words = payloads.text(payload.get("email_response_message"))
    words = words or payloads.text(payload.get("email_error"))
    code = payloads.text(payload.get("email_response_code"))
    hard, reason_class = _severity(name, kind, f"{code} {words}")
    unknown = dict(payload) if kind is EventType.UNKNOWN else None
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=payloads.text(payload.get("email_to")),
        provider_id=email_id,
        hard=hard,
        reason_class=reason_class,
        reason=words,
        event_id=payloads.text(payload.get("id")),
        data=facts(name=name, code=code, payload=unknown),
    )


def _severity(name: str, kind: EventType, words: str) -> tuple[bool, str]:
    if kind not in (EventType.BOUNCED, EventType.DEFERRED):
        return False, "suppressed" if kind is EventType.REJECTED else ""
    return severity(words, hard=kind is EventType.BOUNCED, known=_CLASSES.get(name, ""))
