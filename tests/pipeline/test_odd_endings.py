"""Handlers that end as no type checker would let them, or by a cancel that nobody asked for."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from inboxkit import Message, Reject, RetryLater, Router

from .test_dispatch import FAST, run_states, write

if TYPE_CHECKING:
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
