"""What only some providers can do: look a message up, fetch mail or a certificate, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from .base import (
        FetchPlan,
        HttpRequest,
        HttpResponse,
        InboundMail,
        Outgoing,
        ProviderEvent,
        Retry,
        Sent,
        Unknown,
        Unverified,
        Verified,
        WebhookRequest,
    )

C = TypeVar("C", contravariant=True)


@runtime_checkable
class Lookup(Protocol[C]):
    """A provider that can be asked what became of a message whose outcome is unknown.

    The message comes without its bytes and attachments, which may be damaged by then.
    """

    def build_lookup(self, message: Outgoing, config: C, now: datetime) -> HttpRequest:
        """Return the question."""
        ...

    def parse_lookup(
        self, response: HttpResponse, message: Outgoing, config: C
    ) -> Sent | Retry | Unknown:
        """Read the answer: Retry only when the message was certainly not sent; never raises."""
        ...


@runtime_checkable
class Expiring(Protocol):
    """A provider that forgets after a while under which keys it has sent."""

    @property
    def key_lasts(self) -> timedelta: ...


@runtime_checkable
class Sized(Protocol):
    """A provider whose vendor documents how many bytes a message may have."""

    @property
    def most_bytes(self) -> int: ...


@runtime_checkable
class Insistent(Protocol):
    """A provider whose vendor posts a webhook again for this answer only, in place of a 503."""

    @property
    def try_again(self) -> int: ...


@runtime_checkable
class Fetching(Protocol[C]):
    """A provider whose webhooks only say where the mail or the details are."""

    def parse_fetched(
        self, plan: FetchPlan, response: HttpResponse, config: C
    ) -> tuple[InboundMail | ProviderEvent | FetchPlan, ...]:
        """Read what a plan brought; more plans may follow. Raise only ParseError."""
        ...


@runtime_checkable
class KeyFetching(Protocol[C]):
    """A provider whose signatures are checked with a certificate that has to be fetched."""

    def verify_fetched(
        self,
        request: WebhookRequest,
        response: HttpResponse,
        config: C,
        now: datetime,
    ) -> Verified | Unverified:
        """Check who sent a webhook with the certificate that ``verify`` asked for; never raises."""
        ...
