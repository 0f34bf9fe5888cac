"""Mailtrap: sending by api/send and api/batch, webhooks, and inbound mail that is to be fetched.

Facts: Mailtrap's API documentation (sending, webhooks, inbound) as of 2026; its Python client
2.11.0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedFeature
from ..values import EventType
from . import batches, body_hmac, mailtrap_inbound, payloads
from .addressing import Named, html, in_header, named, people, person, subject, variables
from .answers import failure, json_object, lost, said
from .base import (
    Feature,
    FetchPlan,
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
from .batches import Batch
from .event_facts import every, facts, severity
from .options import Options
from .parts import Most
from .submission import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..values import File
    from .base import Outgoing, Response, SendOutcome, WebhookRequest

SIGNATURE = "Mailtrap-Signature"
_HOSTS = {"transactional": "https://send.api.mailtrap.io", "bulk": "https://bulk.api.mailtrap.io"}
_SANDBOX = "https://sandbox.api.mailtrap.io"
_GENERAL = "https://mailtrap.io"
_MOST_MAILS, _MOST_PEOPLE = 500, 1_000
_FAULTS = {401: "credentials", 402: "account", 403: "account", 404: "settings"}

_EVENTS = {
    "delivery": EventType.DELIVERED,
    "soft bounce": EventType.DEFERRED,  # a delivery or a bounce follows
    "suspension": EventType.DEFERRED,
    "bounce": EventType.BOUNCED,
    "reject": EventType.REJECTED,
    "spam": EventType.COMPLAINED,
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
    "unsubscribe": EventType.UNSUBSCRIBED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailtrapConfig:
    """The account: its token, where it sends, and the secrets of its webhooks."""

    api_token: str = field(repr=False)
    signing: body_hmac.Signing
    send_url: str = _HOSTS["transactional"]
    general_url: str = _GENERAL
    sandbox_id: str = ""

    def url(self, resource: str) -> str:
        """Return the URL of ``send`` or ``batch``."""
        sandbox = f"/{self.sandbox_id}" if self.sandbox_id else ""
        return f"{self.send_url}/api/{resource}{sandbox}"


class Mailtrap:
    """Mailtrap, both ways."""

    name = "mailtrap"
    transport: Transport = "http"
    most = Most(everybody=_MOST_PEOPLE, blind=_MOST_MAILS)
    batch = Batch(_MOST_MAILS)
    capabilities = frozenset(Feature) - {
        Feature.RAW_MIME,
        Feature.MESSAGE_ID,
        Feature.SCHEDULING,
        Feature.TRACKING,
        Feature.IDEMPOTENCY,
        Feature.LOOKUP,
    }

    def configure(self, options: Mapping[str, str]) -> MailtrapConfig:
        """Check the settings.

        ``api_token`` must be there, and ``signing_secret`` (of the webhook of events) or
        ``inbound_secret`` (of the one of inbound mail), unless ``insecure`` says that anybody may
        post webhooks. Besides: ``stream`` (transactional, bulk), ``sandbox_id`` (mail goes to that
        sandbox only), ``api_url`` (for all of the API).
        """
        read = Options(self.name, options)
        stream = read.choice("stream", tuple(_HOSTS), "transactional")
        sandbox_id = read.text("sandbox_id")
        if sandbox_id and not (sandbox_id.isascii() and sandbox_id.isdigit()):
            raise read.error("sandbox_id", f"must be a number, not {sandbox_id!r}")
        config = MailtrapConfig(
            api_token=read.required("api_token"),
            signing=body_hmac.signing(read, SIGNATURE, ("signing_secret", "inbound_secret")),
            send_url=read.url("api_url", _SANDBOX if sandbox_id else _HOSTS[stream]),
            general_url=read.url("api_url", _GENERAL),
            sandbox_id=sandbox_id,
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: MailtrapConfig, now: datetime) -> HttpRequest:
        """Return the request: one mail, or by batch a mail for each of many recipients."""
        refuse_unsupported(self.name, message, self.capabilities)
        if not message.template and (message.variables or message.recipient_variables):
            raise UnsupportedFeature(f"mailtrap has variables in templates only: {message.id}")
        mails = named(message)
        if len(mails) > _MOST_MAILS or any(len(m.everybody) > _MOST_PEOPLE for m in mails):
            most = f"{_MOST_MAILS} mails at once, each to {_MOST_PEOPLE} recipients"
            raise UnsupportedFeature(f"mailtrap takes {most}: {message.id}")
        common = {name: value for name, value in _common(message).items() if value}
        resource, body = "send", {**common, **_recipients(message, mails[0])}
        if len(mails) > 1:
            requests = [_recipients(message, mail) for mail in mails]
            resource, body = "batch", {"base": common, "requests": requests}
        return _post(config, resource, json.dumps(body).encode())

    def batch_entry(self, message: Outgoing, config: MailtrapConfig) -> bytes:
        """Return a message as one of a batch."""
        refuse_unsupported(self.name, message, self.capabilities)
        common = {name: value for name, value in _common(message).items() if value}
        return json.dumps({**common, **_recipients(message, named(message)[0])}).encode()

    def build_batch(self, entries: Sequence[bytes], config: MailtrapConfig) -> HttpRequest:
        """Return the request that sends several messages."""
        return _post(config, "batch", b'{"requests": [%s]}' % b",".join(entries))

    def parse_batch(
        self, response: HttpResponse, messages: Sequence[Outgoing], config: MailtrapConfig
    ) -> Sequence[SendOutcome] | None:
        """Classify the answer to a batch, which has one for each message, in their order."""
        answers = payloads.objects(json_object(response).get("responses"))
        return batches.outcomes(self, response, answers, messages, config)

    def parse_send(
        self, response: Response, message: Outgoing, config: MailtrapConfig
    ) -> SendOutcome:
        """Classify an answer: an id for each recipient, of which Message-IDs seem to be made."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer = json_object(response)
        results = payloads.objects(answer.get("responses")) or (answer,)
        ids = [i for result in results for i in _ids(result)]
        errors = ["" if _ids(result) else _errors(result) for result in results]
        if 200 <= response.status < 300 and ids:
            refused = zip(named(message), errors, strict=False)
            lost_by = {r: why for mail, why in refused if why for r in mail.everybody}
            return Sent(ids[0], tuple(f"<{i}@" for i in ids), lost_by)
        reason = said(response, "error", "message")
        if any(errors):
            reason = f"{response.status} {'; '.join(filter(None, errors))}"
            if response.status == 200:
                return Refused(reason)
        return failure(response, reason, _FAULTS)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; Mailtrap has no idempotency keys."""
        return lost(request_sent, reason)

    def verify(
        self, request: WebhookRequest, config: MailtrapConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the HMAC over the raw body; there is no time in it, so an id is remembered."""
        if refused := config.signing.refused(request):
            return refused
        try:
            inbound = mailtrap_inbound.told(mailtrap_inbound.events(request.body))
        except ParseError:
            return unsigned(request)
        # an event's own id may be another one when it is posted again
        told = " ".join(f"{inbox}/{message}" for inbox, message in inbound)
        return Verified(f"inbound {told}") if told else unsigned(request)

    def parse_events(
        self, request: WebhookRequest, config: MailtrapConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the events of a webhook."""
        found = mailtrap_inbound.events(request.body)
        return every((one for one in found if not mailtrap_inbound.is_inbound(one)), _event)

    def parse_inbound(
        self, request: WebhookRequest, config: MailtrapConfig
    ) -> tuple[InboundMail | FetchPlan, ...]:
        """Return where the mails that a webhook tells of are described."""
        told = mailtrap_inbound.told(mailtrap_inbound.events(request.body))
        token = config.api_token
        return tuple(
            mailtrap_inbound.description(inbox, message, config.general_url, token)
            for inbox, message in told
        )

    def parse_fetched(
        self, plan: FetchPlan, response: HttpResponse, config: MailtrapConfig
    ) -> tuple[InboundMail | FetchPlan, ...]:
        """Go on from the description of a mail to its bytes."""
        if response.status != 200:
            raise ParseError(f"the mail could not be read: {response.status}")
        if plan.then == "raw":
            return (mailtrap_inbound.mail(plan, response),)
        return (mailtrap_inbound.download(plan, response, config.general_url),)


def _post(config: MailtrapConfig, resource: str, body: bytes) -> HttpRequest:
    token = {"Authorization": f"Bearer {config.api_token}"}
    headers = {**token, "Content-Type": "application/json"}
    return HttpRequest(method="POST", url=config.url(resource), headers=headers, body=body)


def _common(message: Outgoing) -> dict[str, Any]:
    headers = dict(message.headers)
    if len(message.reply_to) > 1:
        headers["Reply-To"] = ", ".join(map(in_header, message.reply_to))
    single = message.reply_to[0] if len(message.reply_to) == 1 else None
    template = {"template_uuid": message.template}
    # a template brings its own subject, text and category, and none may be given beside it
    content = {"subject": subject(message), "text": message.text, "html": html(message)}
    return {
        "from": person(message.sender),
        "reply_to": person(single) if single else None,
        "headers": headers,
        "attachments": list(map(_file, message.attachments)),
        "custom_variables": dict(message.metadata),
        **(template if message.template else {**content, "category": message.tag}),
    }


def _recipients(message: Outgoing, mail: Named) -> dict[str, Any]:
    merged = variables(message, mail) if message.template else {}
    return people(mail) | ({"template_variables": merged} if merged else {})


def _file(file: File) -> dict[str, str]:
    return {
        "filename": file.filename or "attachment",
        "type": file.content_type or "application/octet-stream",
        "content": encoded(file.data),
        **({"disposition": "inline", "content_id": file.content_id} if file.content_id else {}),
    }


def _ids(result: Mapping[str, Any]) -> tuple[str, ...]:
    return payloads.texts(result.get("message_ids")) if result.get("success") is True else ()


def _errors(result: Mapping[str, Any]) -> str:
    return "; ".join(payloads.texts(result.get("errors")))


def _event(data: Mapping[str, Any]) -> ProviderEvent:
    name, at = payloads.text(data.get("event")), payloads.moment(data.get("timestamp"))
    if not name or at is None:
        raise ParseError("an event without a name or a time")
    kind = _EVENTS.get(name, EventType.UNKNOWN)
    code = payloads.text(data.get("response_code"))
    hard, reason_class, reason = _reason(kind, code, data)
    metadata = payloads.mapping(data.get("custom_variables"))
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=payloads.text(data.get("email")),
        provider_id=payloads.text(data.get("message_id")),
        hard=hard,
        reason_class=reason_class,
        reason=reason,
        event_id=payloads.text(data.get("event_id")),
        data=facts(
            name=name,
            metadata={key: payloads.text(value, 2_000) for key, value in metadata.items()},
            tags=list(payloads.texts(data.get("category"))),
            url=payloads.text(data.get("url"), 2_000),
            ip=payloads.text(data.get("ip")),
            user_agent=payloads.text(data.get("user_agent")),
            code=code,
            payload=dict(data) if kind is EventType.UNKNOWN else None,
        ),
    )


def _reason(kind: EventType, code: str, data: Mapping[str, Any]) -> tuple[bool, str, str]:
    """Return whether the address is dead, the reason class and the words of the server."""
    reason = payloads.text(data.get("response")) or payloads.text(data.get("reason"))
    if kind not in (EventType.BOUNCED, EventType.REJECTED, EventType.DEFERRED):
        return False, "", reason
    words = f"{code} {reason} {payloads.text(data.get('bounce_category'))}".strip()
    return *severity(words, hard=kind is EventType.BOUNCED), reason
