"""Wake-ups inside one process: loops wait for a topic, commits ring it. Nothing is lost between."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterable


class Bell:
    """Counts the rings of each topic; whoever has seen fewer does not wait."""

    def __init__(self) -> None:
        self._rings: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        self._loop: asyncio.AbstractEventLoop | None = None

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
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.ring, tuple(topics))

    async def wait(self, topic: str, seen: int, *, timeout: float | None = None) -> None:
        """Return when the topic was rung more often than ``seen``, or after ``timeout`` s."""
        with anyio.move_on_after(timeout):
            while self._rings[topic] <= seen:
                await self._waiting[topic].wait()
