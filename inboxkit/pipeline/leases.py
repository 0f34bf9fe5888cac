"""What to do with a leased job when the database refuses to record what became of it."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import anyio

from ..complaints import Complaint
from ..errors import StoreError
from ..store import jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from ..store.leased import Job
    from ..store.store import Store
    from ..store.transactions import Tx

P = ParamSpec("P")

log = logging.getLogger("inboxkit.pipeline")
_PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0
_STOP_SECONDS = 2.0


async def insist(
    store: Store,
    function: Callable[Concatenate[Tx, P], None],
    *args: P.args,
    **kwargs: P.kwargs,
) -> None:
    """Write what cannot be found out again; raise StoreError after half a minute of refusals."""
    complaint = Complaint(log, logging.ERROR)
    with anyio.move_on_after(_PATIENCE_SECONDS):
        while True:
            try:
                await store.write(function, *args, **kwargs)
            except StoreError as error:
                complaint.say(f"{error}; trying again")
                await anyio.sleep(_PAUSE_SECONDS)
            else:
                return
    raise StoreError(f"the database refused for {_PATIENCE_SECONDS:g} s")


async def give_back(
    store: Store, job: Job, error: str, *, after: timedelta | None, blameless: bool = False
) -> None:
    """Put one job back; see ``give_all_back``."""
    await give_all_back(store, [job], error, after=after, blameless=blameless)


async def give_all_back(
    store: Store,
    held: Sequence[Job],
    error: str,
    *,
    after: timedelta | None,
    blameless: bool = False,
) -> None:
    """Put jobs back, however long the database refuses; what is not ours any more is left alone.

    A lease that is neither used nor given back would keep the job until this process ends.
    Without ``after`` jobs keep their place in line. ``blameless``: the attempt does not count, as
    it was not the job that failed.
    """
    complaint = Complaint(log, logging.ERROR)
    while True:
        due = None if after is None else store.clock.now() + after
        try:
            await store.write(jobs.give_back, held, due_at=due, error=error, blameless=blameless)
        except StoreError as again:
            complaint.say(f"{held[0].kind} {held[0].key}: could not be put back yet: {again}")
            await anyio.sleep(_PAUSE_SECONDS)
        else:
            return


async def leave_to_others(store: Store, unbegun: Sequence[Job]) -> None:
    """Give back, at a stop, what was not begun; the close does what the database refuses now."""
    with anyio.move_on_after(_STOP_SECONDS):  # it may be silent
        try:
            if unbegun:
                await store.write_lightly(
                    jobs.give_back, unbegun, due_at=None, error="", blameless=True
                )
            await store.give_up_leases()
        except StoreError as error:
            log.warning("what was not begun is given back at the end: %s", error)


async def leave_all_but(store: Store, held: Sequence[int]) -> None:
    """Give back, at a stop, all that this process has leased but these jobs."""
    with anyio.move_on_after(_STOP_SECONDS), suppress(StoreError):
        await store.write_lightly(jobs.release, [store.worker_id], but=held)
