"""The places that a router has for calls: who waits for one, and whether more Runs would be of use.

Not for how many calls a process makes: see ``crew``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = timedelta(seconds=1)


class Places:
    """As many places as a router may have calls; ``reopened`` is called when it is full no more."""

    def __init__(self, number: int, reopened: Callable[[], None]) -> None:
        # It hands a place to who waits; a CapacityLimiter of anyio 4.10 lets others take it first.
        self._free = anyio.Semaphore(number, fast_acquire=True)
        self._reopened = reopened
        self._is_left_out = False
        self._is_stuck = False  # since somebody waited in vain no place came free
        self.waiting = 0

    @property
    def is_full(self) -> bool:
        """Whether another Run would only wait."""
        return self.waiting > 0 or self._is_stuck

    def leave_out(self) -> bool:
        """Whether to take no more Runs now; if so, ``reopened`` is called when that is over."""
        self._is_left_out = self.is_full
        return self._is_left_out

    async def take(self) -> bool:
        """Wait a while until there is a place; False when there is none."""
        try:
            self._free.acquire_nowait()
        except anyio.WouldBlock:
            return await self._wait()
        return True

    def free(self) -> None:
        """Give a place back."""
        self._free.release()
        self._is_stuck = False
        self._look()

    async def _wait(self) -> bool:
        self.waiting += 1
        try:
            with anyio.move_on_after(_PATIENCE.total_seconds()) as patience:
                await self._free.acquire()
            self._is_stuck = patience.cancelled_caught
            return not patience.cancelled_caught
        finally:
            self.waiting -= 1
            self._look()

    def _look(self) -> None:
        if self._is_left_out and not self.is_full:
            self._is_left_out = False
            self._reopened()
