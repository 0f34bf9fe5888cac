"""Handlers written right, one of each kind: no checker may find anything here."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, assert_type

from inboxkit import (
    Attachment,
    Event,
    EventType,
    Message,
    OnMessage,
    Otp,
    Reject,
    Retries,
    RetryLater,
    Router,
    Settings,
    SkipHandler,
    Thread,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

router = Router(retries=Retries(attempts=3), timeout=5, concurrency=2, ordered=False)
assert_type(router, Router[[]])


@router.on_message(
    to="a@*",
    sender=re.compile(r"@shop\.example$"),
    when=lambda message: message.participant,
    auto_replies=True,
    require_auth=True,
)
async def on_message(message: Message) -> None:
    raise RetryLater(timedelta(minutes=1))


@router.on_reply(tag="size", when=lambda message: bool(message.attachments))
async def on_reply(message: Message) -> None:
    raise SkipHandler


@router.on_otp(to="a@*", sender="*@shop.example", require_auth=True)
async def on_otp(otp: Otp) -> None:
    assert_type(otp.message, Message)


@router.on_attachment("application/pdf", to="a@*", sender="*", require_auth=True)
async def on_attachment(attachment: Attachment) -> None:
    raise Reject("not today")


@router.on_event(EventType.BOUNCED, EventType.FAILED, tag="size")
async def on_event(event: Event) -> None:
    assert_type(event.type, EventType)


@router.on_no_reply(tag="size", after=timedelta(days=3), repeat=2)
async def on_no_reply(thread: Thread) -> None:
    await thread.send("Are you still interested?")


@asynccontextmanager
async def open_numbers() -> AsyncGenerator[list[int]]:
    yield [1]


class Numbers:
    """A class whose instances are async context managers is a resource too."""

    async def __aenter__(self) -> str:
        return "one"

    async def __aexit__(self, *exc: object) -> None:
        return None


with_numbers = Router(resource=open_numbers)


@with_numbers.on_message()
async def counts(message: Message, numbers: list[int]) -> None:
    numbers.append(message.size)


@with_numbers.on_no_reply(tag="size", after=timedelta(days=1))
async def counts_silence(thread: Thread, numbers: list[int]) -> None:
    numbers.append(thread.reminders)


settings = Settings(
    provider="mailgun", role=["smtp", "http"], options={"mailgun": {"region": "eu"}}
)


P = ParamSpec("P")


def logged(handler: OnMessage[P]) -> OnMessage[P]:
    @wraps(handler)
    async def call(message: Message, /, *args: P.args, **kwargs: P.kwargs) -> None:
        await handler(message, *args, **kwargs)

    return call


@router.on_message(to="logged@*")
@logged
async def on_logged(message: Message) -> None: ...
