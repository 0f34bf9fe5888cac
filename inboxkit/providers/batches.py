"""Several messages in one request, for vendors that answer for each of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from .base import HttpResponse, Refused, Sent, Unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import HttpRequest, Outgoing, SendOutcome
    from .provider import Provider

C = TypeVar("C", contravariant=True)
_MOST_BYTES = 8 * 1024 * 1024  # vendors take more; a larger request only takes longer
_ITS_OWN = ("message", "recipient")  # whose fault it is that one message is refused


@dataclass(frozen=True, slots=True)
class Batch:
    """How many messages one request takes, and of how many bytes together."""

    most: int
    most_bytes: int = _MOST_BYTES


@runtime_checkable
class Batching(Protocol[C]):
    """A provider that takes different messages in one request and says what becomes of each.

    Only for vendors without keys that send once: of such a request nobody could say under which
    key a part of it is to be repeated.
    """

    @property
    def batch(self) -> Batch: ...

    def batch_entry(self, message: Outgoing, config: C) -> bytes:
        """Return a message as a request of many holds it; raise UnsupportedFeature."""
        ...

    def build_batch(self, entries: Sequence[bytes], config: C) -> HttpRequest:
        """Return the request."""
        ...

    def parse_batch(
        self, response: HttpResponse, messages: Sequence[Outgoing], config: C
    ) -> Sequence[SendOutcome] | None:
        """Say what an answer means for each message, in their order; never raises.

        None: nothing was taken, because of one of them; each is to be sent by itself.
        """
        ...


def joins(message: Outgoing) -> bool:
    """Whether a message may share a request: one mail, now, and not by a template."""
    is_one = bool(message.to or message.cc) or len(message.rcpt_to) == 1
    return is_one and not (message.send_at or message.template or message.recipient_variables)


def outcomes(
    provider: Provider[Any],
    response: HttpResponse,
    answers: Sequence[object],
    messages: Sequence[Outgoing],
    config: Any,
) -> Sequence[SendOutcome] | None:
    """Read what a vendor said of each message as the provider reads it of a single one.

    ``answers`` are in the form of answers to single messages. Without any, the status holds for
    all of them.
    """
    if len(answers) == len(messages):
        single = (replace(response, body=json.dumps(answer).encode()) for answer in answers)
        pairs = zip(single, messages, strict=True)
        return [provider.parse_send(answer, message, config) for answer, message in pairs]
    unread = Unknown(f"{response.status} the answer does not tell of every message")
    if answers or response.status < 300:
        return [unread for _ in messages]
    found = [provider.parse_send(response, message, config) for message in messages]
    if any(isinstance(outcome, Refused) and outcome.reason_class in _ITS_OWN for outcome in found):
        return None
    return [unread if isinstance(outcome, Sent) else outcome for outcome in found]
