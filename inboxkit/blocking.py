"""What blocks, in threads of our own: users' code has those of anyio. And what no cancel cuts off.

Handlers are told to put what blocks into anyio's forty threads. Forty of them that wait there must
hold up neither mail nor anything else of ours.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from anyio import CancelScope, CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_THREADS = 40
_LIMITER: RunVar[CapacityLimiter] = RunVar("inboxkit.blocking")


async def in_thread(function: Callable[[*Ts], T], *args: *Ts, abandon_on_cancel: bool = False) -> T:
    """Return what the function returns, or raise what it raises; the event loop goes on."""
    return await to_thread.run_sync(
        function, *args, abandon_on_cancel=abandon_on_cancel, limiter=_limiter()
    )


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns, or raise what it raises; a cancel meanwhile is raised after it.

    anyio's shield keeps out only anyio's own cancels: those of ``asyncio.timeout``, of a
    ``TaskGroup`` and of Ctrl+C come through it.
    """
    task, cancelled = asyncio.create_task(work), None
    with CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


def _limiter() -> CapacityLimiter:
    """Return that of this event loop."""
    try:
        return _LIMITER.get()
    except LookupError:
        _LIMITER.set(CapacityLimiter(_THREADS))
        return _LIMITER.get()
