"""What Fakes of JSON APIs share: an account that catches messages, fails when told, and refuses."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from .. import payloads
from ..base import HttpResponse, ParseError, WebhookRequest
from .fake import Caught, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any

    from ...values import EventType
    from ..base import HttpRequest
    from ..basic_auth import Login


class Refusal(Exception):
    """What the vendor answers to a request that it does not take."""

    def __init__(self, status: int, answer: object) -> None:
        super().__init__(str(answer))
        self.answer = json_answer(status, answer)


class FakeAccount(ABC):
    """One account in memory. ``now`` is asked for every time that it writes down."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.caught: list[Caught] = []
        self._now = now
        self._failures: deque[int] = deque()

    def fail_next(self, status: int) -> None:
        """Answer the next request with this status instead."""
        self._failures.append(status)

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request as the vendor does, and keep the message it sends."""
        if self._failures:
            return self._failed(self._failures.popleft())
        try:
            return self._answer(request)
        except Refusal as refusal:
            return refusal.answer

    def outcomes(self, message: Caught) -> tuple[WebhookRequest, ...]:
        """Return every webhook due for a message, by the addresses it was sent to."""
        return tuple(
            self.event(happening.type, message, recipient, hard=happening.hard)
            for recipient in message.rcpt_to
            for happening in outcome(recipient)
        )

    def _failed(self, status: int) -> HttpResponse:
        """Return the answer to a request that is to fail."""
        return json_answer(status, {"message": "try again later"})

    @abstractmethod
    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook that tells of an event; raise UnsupportedFeature."""

    @abstractmethod
    def _answer(self, request: HttpRequest) -> HttpResponse: ...


def asked(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object of a request; raise Refusal."""
    try:
        return payloads.read_object(request.body)
    except ParseError as error:
        raise Refusal(400, {"message": str(error)}) from None


def json_answer(
    status: int, value: object, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Return an answer in JSON."""
    head = {"content-type": "application/json", **(headers or {})}
    return HttpResponse(status, head, json.dumps(value).encode())


def json_post(
    value: object, login: Login | None = None, headers: Mapping[str, str] | None = None
) -> WebhookRequest:
    """Return a post in JSON, to a URL that may hold a login."""
    head = {"content-type": "application/json", **(headers or {})}
    if login:
        head["authorization"] = login.authorization
    return WebhookRequest(headers=head, body=json.dumps(value).encode())
