"""How long a stop takes in all: what one part of it has waited for, the next has no more.

Whoever supervises a process kills it some time after it was told to stop, and a send that is under
way then has an outcome that nobody knows.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .outbox import Outbox

WHOLE_SECONDS = 75.0  # but for the database, which is closed last
LONGEST_SECONDS = WHOLE_SECONDS + 15.0  # for a process: a silent database, threads that do not end
_ANSWER_SECONDS = 60.0  # as long as providers have for an answer


class StopTime:
    """The time of one stop; it begins when nothing new is taken."""

    def __init__(self) -> None:
        self.seconds = WHOLE_SECONDS
        self.now = time.monotonic
        self._began: float | None = None

    def begin(self) -> None:
        """Begin, unless it has begun."""
        if self._began is None:
            self._began = self.now()

    def left(self, most: float) -> float:
        """Return for how many seconds to wait: ``most``, or what is left of the whole."""
        return max(0.0, min(most, self.seconds - self._passed()))

    async def answered(self, sends: Outbox, main: asyncio.Task[None]) -> None:
        """Wait for requests under way: of one that is left nobody learns what came of it.

        They began before the stop did, and so their time did.
        """
        idle = asyncio.create_task(sends.idle())
        until = asyncio.FIRST_COMPLETED
        timeout = max(0.0, self.left(_ANSWER_SECONDS - self._passed()))
        await asyncio.wait({main, idle}, timeout=timeout, return_when=until)
        idle.cancel()
        await asyncio.gather(idle, return_exceptions=True)

    def _passed(self) -> float:
        self.begin()
        assert self._began is not None
        return self.now() - self._began
