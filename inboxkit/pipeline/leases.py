"""Giving a job back when the database refused to record what became of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from ..errors import StoreError
from ..store import jobs

if TYPE_CHECKING:
    from datetime import timedelta

    from ..store.jobs import Job
    from ..store.store import Store

log = logging.getLogger("inboxkit.pipeline")
_PAUSE_SECONDS = 1.0


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
