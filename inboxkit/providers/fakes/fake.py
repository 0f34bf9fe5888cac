"""What every Fake of a vendor shares: the messages it caught and what becomes of an address.

A Fake is the other half of a provider's wire: it answers what the provider builds and posts what
the provider parses, signed as the vendor signs. It does no I/O either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ...values import EventType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..base import HttpRequest, HttpResponse, WebhookRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """A message that a Fake took; ``mime`` is what the recipients would get."""

    id: str
    message_id: str  # as the recipients see it, with angle brackets
    mime: bytes = field(repr=False)
    rcpt_to: tuple[str, ...]
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    send_at: datetime | None = None
    options: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that becomes of a message; ``hard`` is for a bounce."""

    type: EventType
    hard: bool = False


# by local part, up to a plus sign, as vendors' own test addresses do
_OUTCOMES: Mapping[str, tuple[Happening, ...]] = {
    "bounce": (Happening(EventType.BOUNCED, hard=True),),
    "softbounce": (Happening(EventType.BOUNCED),),
    "defer": (Happening(EventType.DEFERRED), Happening(EventType.DELIVERED)),
    "reject": (Happening(EventType.REJECTED),),
    "complaint": (Happening(EventType.DELIVERED), Happening(EventType.COMPLAINED)),
    "open": (Happening(EventType.DELIVERED), Happening(EventType.OPENED)),
    "click": (
        Happening(EventType.DELIVERED),
        Happening(EventType.OPENED),
        Happening(EventType.CLICKED),
    ),
    "unsubscribe": (Happening(EventType.DELIVERED), Happening(EventType.UNSUBSCRIBED)),
}


def outcome(address: str) -> tuple[Happening, ...]:
    """Return what becomes of a message to ``bounce@…``, ``complaint@…``; others are delivered."""
    local = address.partition("@")[0].partition("+")[0].lower()
    return _OUTCOMES.get(local, (Happening(EventType.DELIVERED),))


class Fake(Protocol):
    """The vendor's side of one provider."""

    @property
    def caught(self) -> Sequence[Caught]: ...

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request as the vendor does, and keep the message it sends."""
        ...

    def fail_next(self, status: int) -> None:
        """Answer the next request with this status instead."""
        ...

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook that tells of an event; raise UnsupportedFeature."""
        ...

    def outcomes(self, message: Caught) -> tuple[WebhookRequest, ...]:
        """Return every webhook due for a message, by the addresses it was sent to."""
        ...

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Return the signed webhook that brings a mail."""
        ...
