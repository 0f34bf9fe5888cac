"""Waiting until a runtime has nothing left to do; moving its clock from due time to due time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from ..errors import WaitTimeout
from ..store import backlog, endpoints

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..clock import Clock
    from ..kit import InboxKit

STEPS = ("read", "plan", "run", "send", "webhook", "timer", "draft", "post")


async def settle(kit: InboxKit, *, timeout: float) -> None:
    """Return when nothing is left to do now; raise WaitTimeout that says what is."""
    store = kit.runtime.store
    with anyio.move_on_after(timeout):
        while True:
            seen = store.bell.count("done")
            if not await store.read(_is_busy, kit.clock):
                return
            await store.bell.wait("done", seen, timeout=1)
    left = await store.read(backlog.summary)
    raise WaitTimeout(f"the sandbox did not settle within {timeout:g} s; left: {left}")


def _is_busy(connection: Connection, clock: Clock) -> bool:
    """Whether there is something to do now, or events that no webhook was told of yet.

    On PostgreSQL each query has a snapshot of its own: what came in between is seen by the next.
    """
    return any(
        endpoints.are_behind(connection) or backlog.are_left(connection, STEPS, clock)
        for _ in range(2)
    )


async def advance(kit: InboxKit, by: timedelta, *, timeout: float) -> None:
    """Move the clock, and let what falls due on the way be done when it does."""
    store, clock = kit.runtime.store, kit.clock
    await settle(kit, timeout=timeout)
    end = clock.now() + by
    while True:
        due = await store.read(backlog.next_due, STEPS)
        step = end if due is None or due > end else due
        clock.advance(max(step - clock.now(), timedelta(0)))
        store.bell.ring(STEPS)
        await settle(kit, timeout=timeout)
        if step == end:
            return
