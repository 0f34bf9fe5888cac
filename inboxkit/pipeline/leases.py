"""What to do with a leased job when the database refuses to record what became of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import anyio

from ..errors import StoreError
from ..store import jobs

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from ..store.jobs import Job
    from ..store.store import Store
    from ..store.writer import Tx

P = ParamSpec("P")

log = logging.getLogger("inboxkit.pipeline")
_PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0


async def insist(
    store: Store,
    function: Callable[Concatenate[Tx, P], None],
    *args: P.args,
    **kwargs: P.kwargs,
) -> None:
    """Write what cannot be found out again; raise StoreError after half a minute of refusals."""
    with anyio.move_on_after(_PATIENCE_SECONDS):
        while True:
            try:
                await store.write(function, *args, **kwargs)
            except StoreError as error:
                log.error("%s; trying again", error)
                await anyio.sleep(_PAUSE_SECONDS)
            else:
                return
    raise StoreError(f"the database refused for {_PATIENCE_SECONDS:g} s")


async def give_back(store: Store, job: Job, error: str, *, after: timedelta) -> None:
    """Put a job back, however long the database refuses; a stop gives it back by itself.

    A lease that is neither used nor given back would keep the job until this process ends.
    """
    while True:
        due = store.clock.now() + after
        try:
            await store.write(jobs.put_back, job, due_at=due, error=error)
        except jobs.LeaseLost:
            return
        except StoreError as again:
            log.error("%s %s: could not be put back yet: %s", job.kind, job.key, again)
            await anyio.sleep(_PAUSE_SECONDS)
        else:
            return
