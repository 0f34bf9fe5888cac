"""Brevo: sending by v3/smtp/email, transactional webhooks, and inbound parsing.

Facts: Brevo's API reference and guides (send-transac-email, transactional-webhooks,
inbound-parse-webhooks, secured-webhooks, retry-mechanism) as of 2026; its Python client 5.1.0.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC
from html import escape
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlencode

from ..errors import UnsupportedFeature
from ..outbound_headers import encoded_words
from ..values import Address, EventType
from . import basic_auth, brevo_inbound, payloads
from .addressing import (
    SPECIALS,
    Named,
    html,
    named,
    one_reply_to,
    people,
    person,
    subject,
    template_number,
    variables,
)
from .answers import failure, json_object, lost, said, seconds
from .base import (
    Feature,
    FetchPlan,
    HttpRequest,
    HttpResponse,
    InboundMail,
    ParseError,
    ProviderEvent,
    Retry,
    Sent,
    Transport,
    Unknown,
    Unverified,
    Verified,
    refuse_unsupported,
)
from .event_facts import digest, every, facts, severity
from .options import Options
from .parts import Most
from .submission import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .base import Outgoing, Response, SendOutcome, WebhookRequest

_API = "https://api.brevo.com"
_MOST_RECIPIENTS = 2_000  # of all versions in one request
# "4xx response codes, except for 429, and any 5xx" make it discard a webhook, and mail with it
_TRY_AGAIN = 429
CUSTOM = "X-Mailin-custom"  # comes back in events
KEY = "idempotencyKey"
_FAULTS = {401: "credentials", 402: "account", 403: "account", 404: "settings"}

_EVENTS = {
    "request": EventType.ACCEPTED,
    "delivered": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "soft_bounce": EventType.BOUNCED,
    "hard_bounce": EventType.BOUNCED,
    "invalid_email": EventType.BOUNCED,
    "blocked": EventType.REJECTED,
    "error": EventType.FAILED,
    "spam": EventType.COMPLAINED,
    "complaint": EventType.COMPLAINED,
    "opened": EventType.OPENED,
    "unique_opened": EventType.OPENED,
    "proxy_open": EventType.OPENED,
    "unique_proxy_open": EventType.OPENED,
    "click": EventType.CLICKED,
    "unsubscribe": EventType.UNSUBSCRIBED,
    "unsubscribed": EventType.UNSUBSCRIBED,
}
_REASONS = {"invalid_email": "user_unknown", "blocked": "suppressed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrevoConfig:
    """The account: its key, what its webhooks send along, and whether mail is only checked."""

    api_key: str = field(repr=False)
    api_url: str = _API
    webhook_login: basic_auth.Login | None = None
    webhook_token: str = field(default="", repr=False)
    sandbox: bool = False


class Brevo:
    """Brevo, both ways."""

    name = "brevo"
    transport: Transport = "http"
    most = Most(everybody=_MOST_RECIPIENTS, blind=_MOST_RECIPIENTS)
    try_again = _TRY_AGAIN
    capabilities = frozenset(Feature) - {
        Feature.RAW_MIME,
        Feature.MESSAGE_ID,
        Feature.INLINE_IMAGES,
        Feature.TRACKING,
        Feature.IDEMPOTENCY,  # keys are kept for minutes only, our retries go on for days
        Feature.LOOKUP,
        Feature.INBOUND_RAW,
        Feature.SIGNATURES,
    }

    def configure(self, options: Mapping[str, str]) -> BrevoConfig:
        """Check the settings.

        ``api_key`` must be there, and ``webhook_password`` (with ``webhook_user``) or
        ``webhook_token``, unless ``insecure`` says that anybody may post webhooks. Besides:
        ``api_url``, ``sandbox`` (yes: mail is checked and dropped).
        """
        read = Options(self.name, options)
        token = read.text("webhook_token")
        config = BrevoConfig(
            api_key=read.required("api_key"),
            api_url=read.url("api_url", _API).removesuffix("/v3"),
            webhook_login=_login(read, token),
            webhook_token=token,
            sandbox=read.flag("sandbox"),
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: BrevoConfig, now: datetime) -> HttpRequest:
        """Return the request; the mail is composed by Brevo, under a Message-ID of its own."""
        refuse_unsupported(self.name, message, self.capabilities)
        if len(message.rcpt_to) > _MOST_RECIPIENTS:
            raise UnsupportedFeature(f"brevo takes {_MOST_RECIPIENTS} recipients: {message.id}")
        headers = {"api-key": config.api_key, "Content-Type": "application/json"}
        payload = {k: v for k, v in _payload(message, config).items() if v}
        return HttpRequest(
            method="POST",
            url=f"{config.api_url}/v3/smtp/email",
            headers={**headers, "Accept": "application/json"},
            body=json.dumps(payload).encode(),
        )

    def parse_send(self, response: Response, message: Outgoing, config: BrevoConfig) -> SendOutcome:
        """Classify an answer; the Message-ID that it names is what the recipients see."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer, reason = json_object(response), said(response, "message", "code")
        ids = payloads.texts(answer.get("messageIds")) or payloads.texts(answer.get("messageId"))
        aliases = tuple(found for found in map(payloads.message_id, ids) if found)
        if 200 <= response.status < 300:
            return Sent(aliases[0], aliases) if aliases else Unknown(reason)
        if response.status == 400 and "idempot" in reason.lower():
            return Unknown(f"{reason}: an earlier request had the same key")
        return _paced(failure(response, reason, _FAULTS), response)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; keys last too short a time to count on them."""
        return lost(request_sent, reason)

    def verify(
        self, request: WebhookRequest, config: BrevoConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the user and password of the webhook's URL, or its token; nothing is signed.

        Where ours are wrong, Brevo tries on meanwhile.
        """
        given = request.header("authorization").encode("utf-8", "replace")
        wanted = f"Bearer {config.webhook_token}".encode()
        if config.webhook_token and hmac.compare_digest(given, wanted):
            return basic_auth.unsigned(request)
        if config.webhook_login:
            return config.webhook_login.verify(request, refusal=_TRY_AGAIN)
        if config.webhook_token:
            return Unverified("wrong token", _TRY_AGAIN)
        return basic_auth.unsigned(request)

    def parse_events(
        self, request: WebhookRequest, config: BrevoConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the event of a webhook, or the events of a batched one."""
        payload: object = payloads.read(request.body)
        if "items" in payloads.mapping(payload):
            return ()
        items = cast("list[object]", payload) if isinstance(payload, list) else [payload]
        return every(map(payloads.mapping, items), _event)

    def parse_inbound(
        self, request: WebhookRequest, config: BrevoConfig
    ) -> tuple[InboundMail | FetchPlan, ...]:
        """Return the mails of a webhook, put together from their pieces, or the way to a file."""
        payload = payloads.read(request.body)
        items = payloads.mapping(payload).get("items")
        if not isinstance(items, list):
            return ()
        mails = map(payloads.mapping, cast("list[object]", items))
        return tuple(brevo_inbound.step(mail, (), config.api_url, config.api_key) for mail in mails)

    def parse_fetched(
        self, plan: FetchPlan, response: HttpResponse, config: BrevoConfig
    ) -> tuple[InboundMail | FetchPlan, ...]:
        """Take a file of a mail; go on to the next one, or return the mail."""
        if response.status != 200:
            raise ParseError(f"a file of the mail could not be read: {response.status}")
        files = (*plan.data["files"], response)
        mail = plan.data["mail"]
        return (brevo_inbound.step(mail, files, config.api_url, config.api_key),)


def _login(read: Options, token: str) -> basic_auth.Login | None:
    """Read the password, which must be there unless a token is."""
    user, password = read.text("webhook_user"), read.text("webhook_password")
    if token and not (user or password):
        read.flag("insecure")
        return None
    return basic_auth.login(read)


def _payload(message: Outgoing, config: BrevoConfig) -> dict[str, Any]:
    reply_to = one_reply_to("brevo", message)
    return {
        "sender": person(_named(message.sender)),
        **_recipients(message),
        "replyTo": person(_named(reply_to, answers=True)) if reply_to else None,
        "subject": subject(message),
        # the API reference: required where there is no template
        "htmlContent": html(message) or ("" if message.template else _as_html(message.text)),
        "textContent": message.text,
        "headers": _headers(message, config),
        "attachment": [
            {"name": f.filename or "attachment.txt", "content": encoded(f.data)}
            for f in message.attachments
        ],
        "tags": [message.tag] if message.tag else [],
        "scheduledAt": _moment(message.send_at) if message.send_at else "",
        "templateId": template_number("brevo", message),
        "params": dict(message.variables),
    }


def _named(address: Address, *, answers: bool = False) -> Address:
    """Return an address with a name that Brevo passes on.

    It drops a name that is not ASCII and has a character to be quoted, unless it is encoded
    already; in Reply-To it would send such a name as bare bytes.
    """
    if address.name.isascii() or not SPECIALS & set(address.name):
        return address
    return Address(address.email, "" if answers else encoded_words(address.name))


def _recipients(message: Outgoing) -> dict[str, Any]:
    """Return the fields of the one mail, or a version for everybody who gets one of its own."""
    mails = [Named(*(tuple(map(_named, f)) for f in (m.to, m.cc, m.bcc))) for m in named(message)]
    if len(mails) == 1 and not message.recipient_variables:
        return people(mails[0])
    versions = [{**people(mail), "params": variables(message, mail)} for mail in mails]
    return {"messageVersions": [{k: v for k, v in one.items() if v} for one in versions]}


def _headers(message: Outgoing, config: BrevoConfig) -> dict[str, str]:
    """Return the header fields; Brevo sends what is not ASCII as bare bytes, so that is refused."""
    # of ours, and no loss: it repeats the subject
    given = {n: v for n, v in message.headers.items() if v.isascii() or n.lower() != "thread-topic"}
    for name, value in given.items():
        if not value.isascii():
            raise UnsupportedFeature(f"brevo takes header {name} in ASCII only: {message.id}")
    own = {KEY: _uuid(message.idempotency_key)}
    if message.metadata:  # not JSON: Brevo undoes its \u escapes, and sends bare bytes
        own[CUSTOM] = urlencode(message.metadata)
    if config.sandbox:
        own["X-Sib-Sandbox"] = "drop"
    return {**given, **own}


def _uuid(key: str) -> str:
    """Return a key as a UUID of version 4, always the same one."""
    return str(uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))


def _as_html(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>\n")


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _paced(outcome: SendOutcome, response: HttpResponse) -> SendOutcome:
    """Read Brevo's own header, as it sends no Retry-After (guide "Rate limits")."""
    reset = response.header("x-sib-ratelimit-reset").strip()
    if isinstance(outcome, Retry) and outcome.after is None and reset.isascii() and reset.isdigit():
        return replace(outcome, after=seconds(int(reset[:9])))
    return outcome


def _event(data: Mapping[str, Any]) -> ProviderEvent:
    name = payloads.text(data.get("event"))
    at = _time(data)
    if not name or at is None:
        raise ParseError("neither inbound mail nor an event with a time")
    kind = _EVENTS.get(name, EventType.UNKNOWN)
    message_id = payloads.message_id(data.get("message-id"))
    recipient, link = payloads.text(data.get("email")), payloads.text(data.get("link"), 2_000)
    reason = payloads.text(data.get("reason"))
    hard, reason_class = _reason(name, kind, reason)
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=recipient,
        provider_id=message_id,
        message_id=message_id,
        hard=hard,
        reason_class=reason_class,
        reason=reason,
        event_id=digest(name, message_id, recipient, str(at.timestamp()), link),
        data=facts(
            name=name,
            metadata=_metadata(data.get(CUSTOM)),
            tags=list(payloads.texts(data.get("tags")) or payloads.texts(data.get("tag"))),
            url=link,
            ip=payloads.text(data.get("sending_ip")),
            user_agent=payloads.text(data.get("user_agent")),
            payload=data if kind is EventType.UNKNOWN else None,
        ),
    )


def _time(data: Mapping[str, Any]) -> datetime | None:
    """Return when it happened: ``ts_epoch`` is in ms; the others shift with the account's zone."""
    millis = data.get("ts_epoch")
    if isinstance(millis, (int, float)) and abs(millis) < 1e18:
        return payloads.moment(millis / 1_000)
    return payloads.moment(data.get("ts_event")) or payloads.moment(data.get("ts"))


def _reason(name: str, kind: EventType, reason: str) -> tuple[bool, str]:
    lost = (EventType.BOUNCED, EventType.REJECTED, EventType.DEFERRED, EventType.FAILED)
    if kind not in lost:
        return False, ""
    hard = name in ("hard_bounce", "invalid_email")
    return severity(reason, hard=hard, known=_REASONS.get(name, ""))


def _metadata(value: object) -> dict[str, str]:
    """Return what we sent along, or the JSON object that another program did."""
    text = value[:50_000] if isinstance(value, str) else ""
    try:
        if text.startswith("{"):
            return {k: payloads.text(v, 2_000) for k, v in payloads.read_object(text).items()}
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1_000))
    except ValueError:
        return {}
