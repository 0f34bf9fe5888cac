"""Resend: sending by /emails, status webhooks signed by Svix, and inbound mail to be fetched.

Facts: Resend's API reference, webhook and error pages (2026), and the types of its Python SDK 2.52.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedFeature
from . import payloads, recipients, resend_posts, resend_tags
from .addressing import subject
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

_URL = "https://api.resend.com"
_MOST_IN_A_FIELD = 50  # send email, "to"
_FAULTS = {401: "credentials", 403: "account", 404: "settings"}
_NAMES = {  # the name of an error says more than its status (errors page)
    "missing_api_key": "credentials",
    "restricted_api_key": "credentials",
    "invalid_api_key": "credentials",
    "invalid_from_address": "settings",
    "not_found": "settings",
    "method_not_allowed": "settings",
}
_IN_FLIGHT = "concurrent_idempotent_requests"  # a 409 that passes


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendConfig:
    """The account: its key and the secrets of its webhooks."""

    api_key: str = field(repr=False)
    signing: Signing
    api_url: str = _URL

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.api_key}", "Accept": "application/json"}


class Resend:
    """Resend, both ways.

    It replaces Message-ID (Amazon SES does, underneath) and tells its own in the first event.
    """

    name = "resend"
    transport: Transport = "http"
    most = Most(to=_MOST_IN_A_FIELD, cc=_MOST_IN_A_FIELD, bcc=_MOST_IN_A_FIELD)
    key_lasts = timedelta(hours=24)
    capabilities = frozenset(Feature) - {
        Feature.RAW_MIME,
        Feature.MESSAGE_ID,
        Feature.TRACKING,
        Feature.MERGE,
        Feature.BATCH,
        Feature.LOOKUP,
    }

    def configure(self, options: Mapping[str, str]) -> ResendConfig:
        """Check the settings.

        ``api_key`` and ``signing_secret`` must be there, the latter unless ``insecure`` is yes.
        Besides: ``api_url``.
        """
        read = Options(self.name, options)
        config = ResendConfig(
            api_key=read.required("api_key"),
            signing=signing(read),
            api_url=read.url("api_url", _URL),
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: ResendConfig, now: datetime) -> HttpRequest:
        """Return the request, whose key makes a repetition within 24 hours harmless."""
        refuse_unsupported(self.name, message, self.capabilities)
        if message.variables and not message.template:
            raise UnsupportedFeature(f"resend fills in only templates: {message.id}")
        return HttpRequest(
            method="POST",
            url=f"{config.api_url}/emails",
            headers={
                **config.headers,
                "Content-Type": "application/json",
                "Idempotency-Key": message.idempotency_key[:256],
            },
            body=json.dumps(_body(message)).encode(),
        )

    def parse_send(
        self, response: Response, message: Outgoing, config: ResendConfig
    ) -> SendOutcome:
        """Classify an answer by the name of its error, then by its status.

        What leaves the outcome open is repeated: the key of the request sends once.
        """
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer, reason = json_object(response), said(response, "message")
        error = payloads.text(answer.get("name"))
        if provider_id := payloads.text(answer.get("id")) if response.status == 200 else "":
            return Sent(provider_id)
        if error == _IN_FLIGHT:
            return Retry(reason=reason)
        if 400 <= response.status < 500 and error in _NAMES:
            return Refused(reason, _NAMES[error])
        return failure(response, reason, _FAULTS, repeatable=response.status != 200)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means: the same key sends once, so try again."""
        return Retry(reason=reason)

    def verify(
        self, request: WebhookRequest, config: ResendConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the signature, which is good for 300 seconds."""
        return config.signing.verify(request, now)

    def parse_events(
        self, request: WebhookRequest, config: ResendConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the event of a status webhook; () for what is not about a mail of ours."""
        return resend_posts.events(request)

    def parse_inbound(self, request: WebhookRequest, config: ResendConfig) -> tuple[FetchPlan, ...]:
        """Return where the received mail is to be fetched: the webhook only names it."""
        return resend_posts.announced(request, config.api_url, config.headers)

    def parse_fetched(
        self, plan: FetchPlan, response: HttpResponse, config: ResendConfig
    ) -> tuple[InboundMail | FetchPlan, ...]:
        """Read the description of a mail, which says where its bytes are, or the bytes."""
        if response.status != 200:
            raise ParseError(f"the mail could not be read: {response.status}")
        if plan.then == resend_posts.DESCRIPTION:
            return (resend_posts.described(plan, response, config.api_url),)
        return (resend_posts.mail(plan, response.body),)


def _body(message: Outgoing) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "from": recipients.written(message.sender),
        **recipients.fields(message, "resend", _MOST_IN_A_FIELD),
        "reply_to": list(map(recipients.written, message.reply_to)),
        "subject": subject(message),
        "text": message.text,
        "html": message.html,
        "headers": dict(message.headers),
        "attachments": [_attachment(file) for file in message.attachments],
        "tags": resend_tags.tags(message),
        "scheduled_at": _moment(message.send_at) if message.send_at else "",
    }
    if message.template:
        fields |= {"subject": "", "text": "", "html": ""}  # the template brings its own
        fields["template"] = {"id": message.template, "variables": dict(message.variables)}
    elif not (message.text or message.html):
        fields["text"] = "\n"  # one of the bodies must be there
    return {name: value for name, value in fields.items() if value}


def _moment(at: datetime) -> str:
    """Return a moment in ISO 8601; Resend takes milliseconds at most."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _attachment(file: File) -> dict[str, str]:
    """Write a file. A type that disagrees with the name's ending makes Resend lose the mail.

    So the type is sent only for a name without an ending; else Resend goes by the ending.
    """
    found = {"filename": file.filename or "attachment", "content": encoded(file.data)}
    if "." not in found["filename"]:
        found["content_type"] = file.content_type or "application/octet-stream"
    return {**found, "content_id": file.content_id} if file.content_id else found
