"""The end of the running steps: cancelled, but for requests under way, whose outcome is waited for.

What nobody works on any more is left to other processes at once; the rest when the store is closed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from .leases import leave_all_but

if TYPE_CHECKING:
    from ..store.store import Store
    from .dispatch import Dispatch
    from .outbox import Outbox
    from .stopping import StopTime

log = logging.getLogger("inboxkit")
_SOON_SECONDS, _LAST_SECONDS = 0.5, 5.0


async def end(
    main: asyncio.Task[None],
    store: Store,
    *,
    runs: Dispatch | None,
    sends: Outbox | None,
    time: StopTime,
    grace: float,
) -> None:
    """Cancel every step; go on without what does not end within ``grace`` s."""
    main.cancel()
    await asyncio.wait({main}, timeout=time.left(min(grace, _SOON_SECONDS)))
    if main.done():
        return
    # Or others would take this process for dead, and what is under way for left.
    beating = asyncio.create_task(store.beat_on())
    try:
        await leave_all_but(store, [i for step in (runs, sends) if step for i in step.crew.held])
        await _wait(main, runs, sends, time, grace)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def _wait(
    main: asyncio.Task[None],
    runs: Dispatch | None,
    sends: Outbox | None,
    time: StopTime,
    grace: float,
) -> None:
    await asyncio.wait({main}, timeout=time.left(grace))
    if not main.done() and runs is not None:
        runs.calls.leave()
    if sends is not None:
        await time.answered(sends, main)
    await asyncio.wait({main}, timeout=time.left(min(grace, _LAST_SECONDS)))
    if not main.done():
        log.error("the stop goes on although a step or a call of a handler does not end")
