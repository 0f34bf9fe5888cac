"""What blocks, in threads of our own: users' code has those of anyio.

Handlers are told to put what blocks into anyio's forty threads. Forty of them that wait there must
hold up neither mail nor anything else of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_THREADS = 40
_LIMITER: RunVar[CapacityLimiter] = RunVar("inboxkit.blocking")


async def in_thread(function: Callable[[*Ts], T], *args: *Ts, abandon_on_cancel: bool = False) -> T:
    """Return what the function returns, or raise what it raises; the event loop goes on."""
    return await to_thread.run_sync(
        function, *args, abandon_on_cancel=abandon_on_cancel, limiter=_limiter()
    )


def _limiter() -> CapacityLimiter:
    """Return that of this event loop."""
    try:
        return _LIMITER.get()
    except LookupError:
        _LIMITER.set(CapacityLimiter(_THREADS))
        return _LIMITER.get()
