"""Postal (self-hosted): sending by send/raw, signed status webhooks and inbound HTTP endpoints.

Facts: Postal's own source, postalserver/postal at 8ef8960 (MIT).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import base64_text
from . import payloads, postal_posts
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

_FAULTS = {
    "AccessDenied": "credentials",
    "InvalidServerAPIKey": "credentials",
    "ServerSuspended": "account",
    "UnauthenticatedFromAddress": "settings",
}
_STATUSES = {401: "credentials", 403: "settings", 404: "settings"}  # of a proxy before it
# Any 4xx makes Postal bounce the mail, to its sender; a 5xx is tried again. So is a key of ours
# that is wrong no loss, and a stranger gains nothing.
_UNVERIFIED = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class PostalConfig:
    """The server: where it is, its API credential and the key that it signs with."""

    api_url: str
    api_key: str = field(repr=False)
    webhook_key: PublicKey | None = None
    allow_sha1: bool = False


class Postal:
    """Postal, both ways."""

    name = "postal"
    transport: Transport = "http"
    capabilities = frozenset(
        {
            Feature.RAW_MIME,
            Feature.MESSAGE_ID,
            Feature.CC,
            Feature.BCC,
            Feature.REPLY_TO,
            Feature.HEADERS,
            Feature.ATTACHMENTS,
            Feature.INLINE_IMAGES,
            Feature.TAGS,
            Feature.EVENTS,
            Feature.INBOUND,
            Feature.INBOUND_RAW,
            Feature.SIGNATURES,
        }
    )

    def configure(self, options: Mapping[str, str]) -> PostalConfig:
        """Check the settings.

        ``api_url`` (of the installation), ``api_key`` (of a server's API credential) and
        ``webhook_key`` (the installation's public key, in PEM or base64) must be there; without
        the last, ``insecure`` must say that webhooks are taken unsigned. ``allow_sha1`` takes the
        signatures of Postal before 3.0, which knows no others.
        """
        read = Options(self.name, options)
        if not read.text("api_url"):
            raise read.error("api_url", "is missing")
        config = PostalConfig(
            api_url=read.url("api_url", ""),
            api_key=read.required("api_key"),
            webhook_key=_public_key(read),
            allow_sha1=read.flag("allow_sha1"),
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: PostalConfig, now: datetime) -> HttpRequest:
        """Return the upload of the composed mail; ``send/message`` would replace its Message-ID."""
        refuse_unsupported(self.name, message, self.capabilities)
        tag = message.tag if message.tag.isascii() and message.tag.isprintable() else ""
        head = f"X-Postal-Tag: {tag}\r\n".encode() if tag else b""
        call = {
            # a sender there must be; ``bounce`` says that no bounce is to go to it
            "mail_from": message.mail_from or message.sender.email,
            "rcpt_to": list(message.rcpt_to),
            "data": base64_text.encode(head + message.mime),
            "bounce": not message.mail_from,
        }
        headers = {"X-Server-API-Key": config.api_key, "Content-Type": "application/json"}
        url = f"{config.api_url}/api/v1/send/raw"
        return HttpRequest(method="POST", url=url, headers=headers, body=json.dumps(call).encode())

    def parse_send(
        self, response: Response, message: Outgoing, config: PostalConfig
    ) -> SendOutcome:
        """Classify an answer: Postal says 200 to everything, any other status is not its own."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer = json_object(response)
        data, status = payloads.mapping(answer.get("data")), payloads.text(answer.get("status"))
        if response.status != 200:
            return failure(response, said(response, "message"), _STATUSES)
        if status in ("error", "parameter-error"):
            code = payloads.text(data.get("code"))
            reason = ": ".join(filter(None, (code, payloads.text(data.get("message")))))
            return Refused(reason or status, _FAULTS.get(code, "message"))
        provider_id = payloads.message_id(data.get("message_id"))
        if status == "success" and provider_id:
            return Sent(provider_id, (provider_id,))
        return Unknown(said(response, "status"))

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; Postal has no idempotency keys."""
        return lost(request_sent, reason)

    def verify(
        self, request: WebhookRequest, config: PostalConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the RSA signature over the body: SHA-256, or SHA-1 where that is allowed."""
        dedupe = hashlib.sha256(request.body).hexdigest()
        if config.webhook_key is None:
            return Verified(dedupe)
        if signature := request.header("x-postal-signature-256"):
            good = config.webhook_key.verify(signature, request.body)
        elif signature := request.header("x-postal-signature"):
            if not config.allow_sha1:
                return Unverified("signed with SHA-1 only: update Postal to 3.0", _UNVERIFIED)
            good = config.webhook_key.verify(signature, request.body, "sha1")
        else:
            return Unverified("not signed", _UNVERIFIED)
        return Verified(dedupe) if good else Unverified("wrong signature", _UNVERIFIED)

    def parse_events(
        self, request: WebhookRequest, config: PostalConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the event of a webhook; one about a mail that came in is passed over."""
        return postal_posts.events(request)

    def parse_inbound(
        self, request: WebhookRequest, config: PostalConfig
    ) -> tuple[InboundMail, ...]:
        """Return the mail of an HTTP endpoint, whole or rebuilt from its fields."""
        return postal_posts.mails(request)


def _public_key(read: Options) -> PublicKey | None:
    text = read.text("webhook_key")
    if read.flag("insecure") and not text:
        return None
    try:
        return PublicKey.read(read.required("webhook_key"))
    except ValueError as error:
        raise read.error("webhook_key", f"is {error}") from None
