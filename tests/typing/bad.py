"""Handlers written wrong on purpose: each line marked ``# error`` must be reported."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from inboxkit import Event, EventType, InboxKit, Message, Router

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

router = Router()


@asynccontextmanager
async def open_number() -> AsyncGenerator[int]:
    yield 1


with_number = Router(resource=open_number)


@router.on_otp()  # error
async def wrong_item(message: Message) -> None: ...


@router.on_message()  # error
async def parameter_without_resource(message: Message, session: int) -> None: ...


@router.on_message()  # error
def not_async(message: Message) -> None: ...


@router.on_message(frm="x")  # error
async def unknown_filter(message: Message) -> None: ...


@with_number.on_message()
async def right_resource(message: Message, number: int) -> None: ...


@with_number.on_message()  # error
async def wrong_resource(message: Message, number: str) -> None: ...


@with_number.on_event(EventType.BOUNCED)
async def right_event(event: Event, anything: int) -> None: ...


@asynccontextmanager
async def open_word() -> AsyncGenerator[str]:
    yield "one"


kit = InboxKit()
kit.include(router)
kit.include(with_number)
kit.include(with_number, resource=open_number)
kit.include(with_number, resource=open_word)  # error
kit.include(router, resource=open_number)  # error
