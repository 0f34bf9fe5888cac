"""The protocol of a provider: pure functions between messages, requests and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .base import (
        Capture,
        Feature,
        FetchPlan,
        HttpRequest,
        InboundMail,
        NeedsFetch,
        Outgoing,
        ProviderEvent,
        Response,
        Retry,
        SendOutcome,
        SmtpRequest,
        Transport,
        Unknown,
        Unverified,
        Verified,
        WebhookRequest,
    )

C = TypeVar("C")


class Provider(Protocol[C]):
    """One vendor. Methods are pure; ``config`` is what ``configure`` returned.

    One URL serves events and mail: each of ``parse_events`` and ``parse_inbound`` returns what is
    its own and () for the rest. Both () means a test post or something unknown: answer 200.
    """

    @property
    def name(self) -> str: ...
    @property
    def capabilities(self) -> frozenset[Feature]: ...
    @property
    def transport(self) -> Transport: ...

    def configure(self, options: Mapping[str, str]) -> C:
        """Check the settings; raise ConfigurationError that names the key; hide secrets in repr."""
        ...

    def build_send(
        self, message: Outgoing, config: C, now: datetime
    ) -> HttpRequest | SmtpRequest | Capture:
        """Return the request that sends; raise UnsupportedFeature for what the vendor lacks."""
        ...

    def parse_send(self, response: Response, message: Outgoing, config: C) -> SendOutcome:
        """Say what an answer means; never raises."""
        ...

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means, before or after the request went out."""
        ...

    def verify(
        self, request: WebhookRequest, config: C, now: datetime
    ) -> Verified | Unverified | NeedsFetch:
        """Check who sent a webhook, over its raw bytes; never raises."""
        ...

    def parse_events(
        self, request: WebhookRequest, config: C
    ) -> tuple[ProviderEvent | FetchPlan, ...]:
        """Return the events of a webhook; raise only ParseError."""
        ...

    def parse_inbound(
        self, request: WebhookRequest, config: C
    ) -> tuple[InboundMail | FetchPlan, ...]:
        """Return the mail of a webhook, or how to get it; raise only ParseError."""
        ...
