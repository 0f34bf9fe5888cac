"""Threads for queries.

anyio's worker threads cost 85 us of CPU for each call, also under load; a query by an id takes 20.
An executor's cost 65 us one at a time, and 30 when several calls meet: a third more sends a second
are queued.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

from ..errors import StoreError
from .calls import called

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Readers:
    """So many threads. Whoever is cancelled waits no longer; its query ends unheard."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._pool: ThreadPoolExecutor | None = None
        self._ending: ThreadPoolExecutor | None = None
        self.answers = 0

    def start(self) -> None:
        """Begin to take calls."""
        self._pool = ThreadPoolExecutor(self._number, thread_name_prefix="inboxkit-reader")

    def stop(self) -> None:
        """Take no more calls; those that were made are finished."""
        self._pool, self._ending = None, self._pool or self._ending

    def join(self) -> None:
        """Wait until the threads have ended."""
        if self._ending is not None:
            self._ending.shutdown()

    async def run(self, function: Callable[[], T]) -> T:
        """Return what the function returns, or raise what it raises; StoreError once stopped."""
        if self._pool is None:
            raise StoreError("the database is closed")
        context = copy_context()  # a tracer knows by it whose query this is
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: context.run(self._counted, function))

    def _counted(self, function: Callable[[], T]) -> T:
        try:
            return called(function)
        finally:
            self.answers += 1
