"""The crash harness as a vendor: it takes replies under a key, and posts mail as a webhook."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inboxkit.providers.base import (
    Feature,
    HttpRequest,
    InboundMail,
    ParseError,
    Refused,
    Retry,
    Sent,
    Transport,
    Unknown,
    Verified,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from inboxkit.providers.base import (
        Outgoing,
        ProviderEvent,
        Response,
        WebhookRequest,
    )


@dataclass(frozen=True, slots=True)
class HarnessConfig:
    """Where the harness listens."""

    url: str


class HarnessProvider:
    """Sends once under a key, so that whatever is unclear is repeated."""

    name = "harness"
    transport: Transport = "http"
    capabilities = frozenset(Feature) - {Feature.LOOKUP}

    def configure(self, options: Mapping[str, str]) -> HarnessConfig:
        return HarnessConfig(options.get("url", ""))

    def build_send(self, message: Outgoing, config: HarnessConfig, now: datetime) -> HttpRequest:
        answered = {name.lower(): value for name, value in message.headers.items()}["in-reply-to"]
        return HttpRequest(
            method="POST",
            url=f"{config.url}/send",
            headers={"Idempotency-Key": message.idempotency_key},
            body=json.dumps({"in_reply_to": answered}).encode(),
        )

    def parse_send(
        self, response: Response, message: Outgoing, config: HarnessConfig
    ) -> Sent | Retry | Refused | Unknown:
        code = getattr(response, "status", 0)
        return Sent(message.id) if 200 <= code < 300 else Retry(reason=f"answered {code}")

    def transport_error(self, request_sent: bool, reason: str) -> Retry:
        return Retry(reason=reason)

    def verify(self, request: WebhookRequest, config: HarnessConfig, now: datetime) -> Verified:
        return Verified(request.header("webhook-id"))

    def parse_events(
        self, request: WebhookRequest, config: HarnessConfig
    ) -> tuple[ProviderEvent, ...]:
        return ()

    def parse_inbound(
        self, request: WebhookRequest, config: HarnessConfig
    ) -> tuple[InboundMail, ...]:
        try:
            posted: dict[str, Any] = json.loads(request.body)
            raw = base64.b64decode(posted["raw"])
            sender = "sender@harness.example"
            return (InboundMail(raw=raw, mail_from=sender, rcpt_to=(posted["recipient"],)),)
        except (ValueError, KeyError, TypeError) as error:
            raise ParseError(f"not the harness's form: {error}") from error
