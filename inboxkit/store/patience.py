"""How long whoever must be answered soon, a sender or a probe, waits for a database in silence."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..errors import StoreError
from .refusals import Unsure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

_SECONDS = 20.0


class Patience:
    """A limit. When it ended in vain, others are refused at once until anything is answered.

    What somebody asked for and no longer waits for stays queued: those who come again and again
    would fill the memory. Heartbeats go on asking, so an answer is not missed.
    """

    def __init__(self, answers: Callable[[], int]) -> None:
        """``answers`` tells how often the database has answered anything."""
        self.seconds = _SECONDS
        self._answers = answers
        self._in_vain: int | None = None

    @asynccontextmanager
    async def within(self, seconds: float | None = None) -> AsyncGenerator[None]:
        """Raise Unsure when what is asked takes longer: it may be done later all the same."""
        before = self._answers()
        if before == self._in_vain:
            raise StoreError("the database does not answer")
        limit = min(self.seconds, seconds or self.seconds)
        try:
            async with asyncio.timeout(limit):  # each mail passes here: anyio's costs 40 us more
                yield
        except TimeoutError as error:
            if before == self._answers():
                self._in_vain = before
            raise Unsure(f"the database does not answer; it had {limit:g} s") from error
