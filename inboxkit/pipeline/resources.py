"""The routers' resources while they are open: each entered and left in one task of its own.

The kit may be entered in one task and left in another, as pytest-asyncio's fixtures are; what holds
a task group or a cancel scope must not notice that.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ..blocking import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from .stopping import StopTime

    Resource = Callable[[], AbstractAsyncContextManager[Any]]


log = logging.getLogger("inboxkit.dispatch")
_CLOSE_SECONDS, _CUT_SECONDS = 30.0, 2.0


class Resources:
    """Opens resources, and closes them in the reverse order."""

    def __init__(self, time: StopTime) -> None:
        self._time = time
        self._open: list[tuple[asyncio.Event, asyncio.Task[None], str]] = []
        self.patience = _CLOSE_SECONDS  # with each that closes, within the time of the whole stop

    async def enter(self, resource: Resource) -> Any:
        """Return what the resource gives; raise what it raises when it cannot be opened.

        When cancelled meanwhile, raise that once what was begun has been cleaned up.
        """
        given: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        over = asyncio.Event()
        task = asyncio.create_task(_hold(resource, given, over), name="inboxkit-resource")
        try:
            await asyncio.wait({given, task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            over.set()  # or one that opens in spite of the cancel would wait to be closed
            task.cancel()
            await uninterrupted(asyncio.wait({task}))
            raise
        if not given.done():
            given.cancel()
            await task
        self._open.append((over, task, getattr(resource, "__qualname__", repr(resource))))
        return given.result()

    async def close(self) -> None:
        """Leave them all; raise what the first of them raised. One that does not close is left."""
        failures: list[BaseException] = []
        while self._open:
            over, task, name = self._open.pop()
            over.set()
            if not await self._closed(task, name):
                continue
            if not task.cancelled() and (failure := task.exception()) is not None:
                failures.append(failure)
        if failures:
            raise failures[0]

    async def _closed(self, task: asyncio.Task[None], name: str) -> bool:
        patience = self._time.left(self.patience)
        await asyncio.wait({task}, timeout=patience)
        if not task.done():
            log.error(
                "the resource %s is not closed after %.3g s, and the stop goes on without it; give "
                "what it waits for a timeout",
                *(name, patience),
            )
            task.cancel()
            await asyncio.wait({task}, timeout=_CUT_SECONDS)
        return task.done()


async def _hold(resource: Resource, given: asyncio.Future[Any], over: asyncio.Event) -> None:
    async with resource() as value:
        given.set_result(value)
        await over.wait()
