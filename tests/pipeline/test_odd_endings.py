"""Handlers that end as no type checker would let them, or by a cancel that nobody asked for."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from inboxkit import Message, Reject, RetryLater, Router

from .test_dispatch import FAST, run_states, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxkit.testing import Sandbox

ODD_OUTCOMES: dict[str, tuple[Any, str]] = {
    "no time": (lambda: RetryLater(cast("Any", "soon")), "failed"),
    "no end": (lambda: RetryLater(timedelta.max), "failed"),
    "half a character": (lambda: RetryLater(timedelta(hours=1), "a\udcff"), "retrying"),
    "no reason": (lambda: Reject(cast("Any", 5)), "rejected"),
    "half a reason": (lambda: Reject("a\udcff"), "rejected"),
}


@pytest.mark.parametrize(("made", "state"), ODD_OUTCOMES.values(), ids=ODD_OUTCOMES)
async def test_an_odd_outcome_ends_its_run_at_once(sandbox: Sandbox, made: Any, state: str) -> None:
    router = Router(retries=FAST)

    @router.on_message()
    async def ends(message: Message) -> None:
        raise made()

    sandbox.include(router)
    await write(sandbox)
    assert await run_states(sandbox) == [("ends", state)]


async def test_a_handler_that_awaits_what_was_cancelled_ends_no_other(sandbox: Sandbox) -> None:
    router = Router(retries=FAST)

    @router.on_message()
    async def waits(message: Message) -> None:
        waited = asyncio.ensure_future(asyncio.sleep(60))
        waited.cancel()
        await waited

    sandbox.include(router)
    await write(sandbox)
    await write(sandbox, text="Another")
    assert await run_states(sandbox) == [("waits", "retrying")] * 2


def too_deep() -> None:
    too_deep()


def raising(error: BaseException) -> Callable[[], None]:
    def end() -> None:
        raise error

    return end


class Own(BaseException):
    """What a library may raise that wants to get past ``except Exception``."""


# What ends no process when it is raised by a handler; a KeyboardInterrupt is the user's Ctrl+C.
ENDS: dict[str, Callable[[], None]] = {
    "sys.exit": raising(SystemExit(3)),
    "GeneratorExit": raising(GeneratorExit()),
    "CancelledError": raising(asyncio.CancelledError()),
    "StopIteration": raising(StopIteration()),
    "StopAsyncIteration": raising(StopAsyncIteration()),
    "a group": raising(BaseExceptionGroup("two", [SystemExit(), GeneratorExit()])),
    "too deep": too_deep,
    "MemoryError": raising(MemoryError()),
    "one of its own": raising(Own()),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_whatever_a_handler_raises_fails_its_run_alone(
    sandbox: Sandbox, end: Callable[[], None]
) -> None:
    router = Router(retries=FAST)

    @router.on_message()
    async def ends(message: Message) -> None:
        if "Hello" in message.text:
            end()

    sandbox.include(router)
    await write(sandbox)
    await write(sandbox, text="Another")
    assert await run_states(sandbox) == [("ends", "retrying"), ("ends", "done")]
    await sandbox.advance(timedelta(minutes=5))
    assert await run_states(sandbox) == [("ends", "failed"), ("ends", "done")]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_whatever_a_condition_raises_holds_up_no_other_mail(
    sandbox: Sandbox, end: Callable[[], None]
) -> None:
    router = Router(retries=FAST)

    def when(message: Message) -> bool:
        if "Hello" in message.text:
            end()
        return True

    @router.on_message(when=when)
    async def handle(_message: Message) -> None: ...

    sandbox.include(router)
    await write(sandbox)
    await write(sandbox, text="Another")
    assert await run_states(sandbox) == [("handle", "done")]
