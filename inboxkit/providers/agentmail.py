"""AgentMail: sending from an inbox, status webhooks signed by Svix, and inbound mail to be fetched.

Facts: AgentMail's API reference and webhook pages (2026), and the types of its Python SDK 2.0.18.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..errors import UnsupportedFeature
from . import agentmail_posts, payloads, recipients
from .answers import failure, json_object, said
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
    refuse_unsupported,
)
from .options import Options
from .parts import Most
from .submission import encoded
from .svix import Signing, signing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..values import File
    from .base import (
        FetchPlan,
        InboundMail,
        Outgoing,
        ProviderEvent,
        Response,
        SendOutcome,
        Unverified,
        Verified,
        WebhookRequest,
    )

_REGIONS = {"us": "https://api.agentmail.to", "eu": "https://api.agentmail.eu"}
_MOST_RECIPIENTS = 50  # To, Cc and Bcc together
# labels that AgentMail sets itself (messages, "system labels")
_SYSTEM_LABELS = frozenset(
    {"received", "sent", "unread", "spam", "blocked", "unauthenticated", "trash", "scheduled"}
)
_FAULTS = {401: "credentials", 403: "account", 404: "settings"}
_PASSING = ("race_condition", "resource_deleting")  # codes of a 409 that pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMailConfig:
    """The account: its key, the secrets of its webhooks, and the inbox to send from."""

    api_key: str = field(repr=False)
    signing: Signing
    inbox: str = ""
    api_url: str = _REGIONS["us"]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.api_key}", "Accept": "application/json"}

    def url(self, inbox: str, path: str) -> str:
        """Return the URL of a resource of an inbox; an inbox's id is its address."""
        return f"{self.api_url}/v0/inboxes/{quote(inbox, safe='')}/{path}"


class AgentMail:
    """AgentMail, both ways. Its answer to a send names the Message-ID that replies will cite."""

    name = "agentmail"
    transport: Transport = "http"
    most = Most(everybody=_MOST_RECIPIENTS, blind=_MOST_RECIPIENTS)
    most_bytes = 6 * 1024 * 1024  # of a request
    key_lasts = timedelta(hours=24)
    capabilities = frozenset(Feature) - {
        Feature.RAW_MIME,
        Feature.MESSAGE_ID,
        Feature.METADATA,
        Feature.SCHEDULING,
        Feature.TEMPLATES,
        Feature.MERGE,
        Feature.BATCH,
        Feature.LOOKUP,
    }

    def configure(self, options: Mapping[str, str]) -> AgentMailConfig:
        """Check the settings.

        ``api_key`` and ``signing_secret`` must be there, the latter unless ``insecure`` is yes.
        Besides: ``inbox`` (else the sender's address), ``region`` (us, eu) or ``api_url``.
        """
        read = Options(self.name, options)
        region = read.choice("region", tuple(_REGIONS), "us")
        config = AgentMailConfig(
            api_key=read.required("api_key"),
            signing=signing(read),
            inbox=read.text("inbox"),
            api_url=read.url("api_url", _REGIONS[region]),
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: AgentMailConfig, now: datetime) -> HttpRequest:
        """Return the request, whose key makes a repetition within 24 hours harmless."""
        refuse_unsupported(self.name, message, self.capabilities)
        if message.track_clicks:
            raise UnsupportedFeature(f"agentmail tracks opens only: {message.id}")
        if len(message.rcpt_to) > _MOST_RECIPIENTS:
            raise UnsupportedFeature(f"agentmail takes {_MOST_RECIPIENTS} recipients: {message.id}")
        inbox = config.inbox or message.sender.email
        return HttpRequest(
            method="POST",
            url=config.url(inbox, "messages/send"),
            headers={
                **config.headers,
                "Content-Type": "application/json",
                "Idempotency-Key": message.idempotency_key,
            },
            body=json.dumps(_body(message)).encode(),
        )

    def parse_send(
        self, response: Response, message: Outgoing, config: AgentMailConfig
    ) -> SendOutcome:
        """Classify an answer by its code, then by its status.

        What leaves the outcome open is repeated: the key of the request sends once.
        """
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer, reason = json_object(response), said(response, "message")
        code = payloads.text(answer.get("code")) or payloads.text(answer.get("name"))
        succeeded = 200 <= response.status < 300
        provider_id = payloads.message_id(answer.get("message_id"))
        if succeeded and provider_id:
            return Sent(provider_id, (provider_id,))
        if response.status == 409 and code in _PASSING:
            return Retry(reason=reason)
        if response.status == 403 and code in ("message_rejected", "MessageRejectedError"):
            return Refused(reason, "recipient")
        return failure(response, reason, _FAULTS, repeatable=not succeeded)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means: the same key sends once, so try again."""
        return Retry(reason=reason)

    def verify(
        self, request: WebhookRequest, config: AgentMailConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the signature, which is good for 300 seconds."""
        return config.signing.verify(request, now)

    def parse_events(
        self, request: WebhookRequest, config: AgentMailConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the event of a status webhook, once for each recipient."""
        return agentmail_posts.events(request)

    def parse_inbound(
        self, request: WebhookRequest, config: AgentMailConfig
    ) -> tuple[FetchPlan, ...]:
        """Return where to ask for the bytes of a received mail, which no webhook has."""
        return agentmail_posts.announced(request, config)

    def parse_fetched(
        self, plan: FetchPlan, response: HttpResponse, config: AgentMailConfig
    ) -> tuple[InboundMail | FetchPlan, ...]:
        """Read where the bytes are, or the bytes."""
        if response.status != 200:
            raise ParseError(f"the mail could not be read: {response.status}")
        return (agentmail_posts.fetched(plan, response, config),)


def _body(message: Outgoing) -> dict[str, Any]:
    label = "" if message.tag.lower() in _SYSTEM_LABELS else message.tag
    fields: dict[str, Any] = {
        **recipients.fields(message, "agentmail", _MOST_RECIPIENTS, blind=True),
        "reply_to": list(map(recipients.written, message.reply_to)),
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "labels": [label] if label else [],
        "headers": dict(message.headers),
        "attachments": [_attachment(file) for file in message.attachments],
    }
    kept = {name: value for name, value in fields.items() if value}
    return kept if message.track_opens is None else {**kept, "track_opens": message.track_opens}


def _attachment(file: File) -> dict[str, str]:
    found = {
        "filename": file.filename,
        "content_type": file.content_type or "application/octet-stream",
        "content_disposition": "inline" if file.content_id else "attachment",
        "content": encoded(file.data),
    }
    return {**found, "content_id": file.content_id} if file.content_id else found
