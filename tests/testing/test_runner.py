"""The runner's calls: who calls into a loop that ends is told, and waits for nothing."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from inboxkit.testing.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner(smtp="", http="")
    runner.start()
    yield runner
    runner.stop()


class Caller(threading.Thread):
    """Calls into a runner from a thread of its own; ``error`` is what came of it."""

    def __init__(self, runner: Runner, function: Callable[[], Awaitable[object]]) -> None:
        super().__init__(daemon=True)
        self._runner = runner
        self._function = function
        self.error = ""

    def run(self) -> None:
        try:
            self._runner.call(self._function)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = f"{type(error).__name__}: {error}"


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_a_call_under_way_when_the_sandbox_ends_is_told_so(runner: Runner) -> None:
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        await for_ever()

    caller = Caller(runner, work)
    caller.start()
    assert begun.wait(30)
    runner.stop()
    caller.join(30)
    assert caller.error == "RuntimeError: the sandbox is not running"


def test_a_call_into_a_sandbox_that_is_just_ending_is_refused(runner: Runner) -> None:
    late = Caller(runner, for_ever)
    tasks: list[asyncio.Task[None]] = []

    async def linger() -> None:
        try:
            await for_ever()
        finally:  # all other tasks have been cancelled, and the loop still runs
            late.start()
            late.join(5)

    async def begin() -> None:
        tasks.append(asyncio.create_task(linger()))
        await asyncio.sleep(0)

    runner.call(begin)
    runner.stop()
    late.join(5)
    assert late.error == "RuntimeError: the sandbox is not running"
