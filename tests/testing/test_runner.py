"""The runner of a sandbox: how it starts, how it ends, and what it says of a runtime that broke."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import (
    ConfigurationError,
    InboxKitError,
)
from inboxkit.clock import Clock
from inboxkit.testing import Sandbox
from inboxkit.testing.runner import Runner
from tests.mails import DESK

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class StoppableClock(Clock):
    """A clock that can break, and with it the runtime."""

    broken = False

    def now(self) -> datetime:
        if self.broken:
            raise RuntimeError("the clock has stopped")
        return super().now()


def test_a_runtime_that_breaks_is_told_to_waits_and_at_the_end() -> None:
    clock = StoppableClock()
    runner = Runner(any_recipient=True, clock=clock)
    runner.start()
    sandbox = Sandbox(runner)

    async def story() -> None:
        inbox = await sandbox.inbox(DESK)
        waiting = asyncio.create_task(inbox.wait_for_message(timeout=60))
        await sandbox.settle()
        clock.broken = True
        sandbox.kit.runtime.store.bell.ring_from_thread(["read"])
        await waiting

    with pytest.raises(InboxKitError, match="the clock has stopped"):
        asyncio.run(asyncio.wait_for(story(), 30))
    with pytest.raises(InboxKitError, match="the clock has stopped"):
        runner.stop()


@pytest.mark.parametrize("before", [False, True])
def test_a_kit_that_has_ended_meanwhile_is_stopped(
    before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loop has ended once it was told to, or before: somebody else stopped the kit."""
    runner = Runner()
    runner.start()
    database = Path(runner.kit.settings.database.removeprefix("sqlite:///"))
    assert database.exists()

    async def running() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        return asyncio.get_running_loop(), threading.current_thread()

    loop, thread = runner.call(running)
    told, here = loop.call_soon_threadsafe, threading.current_thread()

    def tell(function: Callable[..., None], *args: Any) -> None:
        if threading.current_thread() is not here:  # of the loop's own threads
            told(function, *args)
            return
        told(runner.kit.stop if before else function)
        thread.join(30)
        if before:
            told(function)

    monkeypatch.setattr(loop, "call_soon_threadsafe", tell)
    runner.stop()
    assert not database.parent.exists()


def test_a_start_that_fails_raises_and_leaves_nothing() -> None:
    with pytest.raises(ConfigurationError, match="database"):
        Runner(database="mysql://host/name").start()


def test_it_starts_in_less_than_two_seconds() -> None:
    def seconds() -> float:
        began = time.monotonic()
        runner = Runner()
        runner.start()
        elapsed = time.monotonic() - began
        runner.stop()
        return elapsed

    assert min(seconds() for _ in range(3)) < 2
