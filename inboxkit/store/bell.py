"""Wake-ups inside one process: loops wait for a topic, commits ring it. Nothing is lost between."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, cast

import anyio

from ..errors import InboxKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
_BUCKETS = 1024
_PAUSE = "pause"  # never rung


def inbox_topic(inbox_id: int) -> str:
    """Return what rings when something happens in an inbox; a few inboxes share one.

    So the bell's memory is bounded; whoever is woken looks whether it was meant.
    """
    return f"inbox:{inbox_id % _BUCKETS}"


class Closed(InboxKitError):
    """The kit was closed, so that nothing will come any more."""


class Bell:
    """Counts the rings of each topic; whoever has seen fewer does not wait."""

    def __init__(self) -> None:
        self._rings: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = None

    def attach(self) -> None:
        """Belong to the running event loop, so that other threads can ring."""
        self._loop = asyncio.get_running_loop()

    def count(self, topic: str) -> int:
        """Return how often the topic was rung; take it before looking for work."""
        return self._rings[topic]

    def ring(self, topics: Iterable[str]) -> None:
        """Ring from the event loop's own thread."""
        for topic in topics:
            self._rings[topic] += 1
            waiting = self._waiting.pop(topic, None)
            if waiting is not None:
                waiting.set()

    def ring_from_thread(self, topics: Iterable[str]) -> None:
        """Ring from any thread."""
        self.call_from_thread(self.ring, tuple(topics))

    def call_from_thread(self, function: Callable[[T], None], argument: T) -> None:
        """Call something in the event loop, from any thread; nothing once the loop has ended."""
        if self._loop is not None:
            tell(self._loop, function, argument)

    def fail(self, failure: BaseException) -> None:
        """Wake everybody with an error: what rang here has ended, so nothing will come any more."""
        self._failure = failure
        self.ring(list(self._waiting))

    def close(self) -> None:
        """Wake everybody with ``Closed``; what has broken before is what they are told."""
        if self._failure is None:
            self.fail(Closed("the kit was closed"))

    def check(self) -> None:
        """Raise InboxKitError when nothing will come any more."""
        if self._failure is not None:
            raise stopped(self._failure)

    async def pause(self, seconds: float) -> None:
        """Sleep before another try; raise InboxKitError as soon as nothing will come any more."""
        await self.wait(_PAUSE, self.count(_PAUSE), timeout=seconds)

    async def wait(self, topic: str, seen: int, *, timeout: float | None = None) -> None:
        """Return when the topic was rung more often than ``seen``, or after ``timeout`` s.

        Raise InboxKitError when the runtime has died or was closed, instead of waiting for ever.
        """
        with anyio.move_on_after(timeout):
            while self._rings[topic] <= seen and self._failure is None:
                await self._waiting[topic].wait()
        self.check()


def tell(loop: asyncio.AbstractEventLoop, function: Callable[[T], None], argument: T) -> None:
    """Call something in an event loop, from any thread; nothing once that has ended."""
    with suppress(RuntimeError):  # asked first, it could still end before it is called
        loop.call_soon_threadsafe(function, argument)


def stopped(failure: BaseException) -> InboxKitError:
    """Return what to raise to whoever still counts on a runtime that has died or was closed."""
    if isinstance(failure, Closed):
        return Closed(*failure.args)
    error = InboxKitError(f"the runtime has stopped: {shown(failure)}")
    error.__cause__ = failure
    return error


def shown(failure: BaseException) -> str:
    """Return an error in one line; of a group, its first."""
    if isinstance(failure, BaseExceptionGroup):
        return shown(cast("BaseExceptionGroup[BaseException]", failure).exceptions[0])
    return f"{type(failure).__name__}: {failure}"
