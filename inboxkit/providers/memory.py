"""The provider that sends nothing: messages are captured, for development and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .answers import lost
from .base import Capture, Feature, Sent, Transport, Unverified
from .options import Options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .base import (
        InboundMail,
        Outgoing,
        ProviderEvent,
        Response,
        Retry,
        Unknown,
        WebhookRequest,
    )


@dataclass(frozen=True, slots=True)
class MemoryConfig:
    """Nothing can be set."""


class Memory:
    """Captures every message and calls it sent. It has no webhooks."""

    name = "memory"
    transport: Transport = "memory"
    capabilities = frozenset(Feature) - {
        Feature.BATCH,
        Feature.EVENTS,
        Feature.INBOUND,
        Feature.INBOUND_RAW,
        Feature.LOOKUP,
        Feature.SIGNATURES,
    }

    def configure(self, options: Mapping[str, str]) -> MemoryConfig:
        """Refuse every setting, as there is none."""
        Options(self.name, options).done()
        return MemoryConfig()

    def build_send(self, message: Outgoing, config: MemoryConfig, now: datetime) -> Capture:
        """Return the message to keep."""
        return Capture(mime=message.mime, mail_from=message.mail_from, rcpt_to=message.rcpt_to)

    def parse_send(self, response: Response, message: Outgoing, config: MemoryConfig) -> Sent:
        """Say that it was sent."""
        return Sent(provider_id=message.message_id)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a failed capture means: it was not kept."""
        return lost(request_sent=False, reason=reason)

    def verify(self, request: WebhookRequest, config: MemoryConfig, now: datetime) -> Unverified:
        """Refuse: nobody has a reason to call."""
        return Unverified("provider memory has no webhooks", 404)

    def parse_events(
        self, request: WebhookRequest, config: MemoryConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return nothing."""
        return ()

    def parse_inbound(
        self, request: WebhookRequest, config: MemoryConfig
    ) -> tuple[InboundMail, ...]:
        """Return nothing."""
        return ()
