"""The routers' resources while they are open: each entered and left in one task of its own.

The kit may be entered in one task and left in another, as pytest-asyncio's fixtures are; what holds
a task group or a cancel scope must not notice that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..blocking import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    Resource = Callable[[], AbstractAsyncContextManager[Any]]


class Resources:
    """Opens resources, and closes them in the reverse order."""

    def __init__(self) -> None:
        self._open: list[tuple[asyncio.Event, asyncio.Task[None]]] = []

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
        self._open.append((over, task))
        return given.result()

    async def close(self) -> None:
        """Leave them all; raise what the first of them raised."""
        failures: list[BaseException] = []
        while self._open:
            over, task = self._open.pop()
            over.set()
            await asyncio.wait({task})
            if not task.cancelled() and (failure := task.exception()) is not None:
                failures.append(failure)
        if failures:
            raise failures[0]


async def _hold(resource: Resource, given: asyncio.Future[Any], over: asyncio.Event) -> None:
    async with resource() as value:
        given.set_result(value)
        await over.wait()
