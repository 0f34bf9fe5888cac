"""Leased jobs that are worked on side by side, each in a task of its own.

Whatever goes wrong with one, its lease is given back: nothing waits for this process to end.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..router import Retries
from ..store.jobs import LeaseLost
from ..store.refusals import Unstorable
from .faults import fault
from .leases import give_back

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from ..store.leased import Job
    from ..store.store import Store

log = logging.getLogger("inboxkit.pipeline")
_REFUSED = timedelta(seconds=1)  # the database takes the lease back, so it may take the rest too
_BROKEN = Retries(first=timedelta(seconds=5))


class Crew:
    """Calls ``one`` for each job, for ``size`` of them at a time."""

    def __init__(
        self,
        store: Store,
        kind: str,
        tasks: TaskGroup,
        one: Callable[[Job], Awaitable[None]],
        *,
        size: int,
    ) -> None:
        self._store = store
        self._kind = kind
        self._tasks = tasks
        self._one = one
        self._size = size
        self._running = 0

    def room(self) -> int:
        """Return how many more jobs may be leased now."""
        return self._size - self._running

    async def idle(self) -> None:
        """Return when no job is worked on."""
        while self._running:
            await self._store.bell.wait(self._kind, self._store.bell.count(self._kind))

    async def work(self, taken: list[Job]) -> None:
        """Start a task for each job."""
        for job in taken:
            self._running += 1
            self._tasks.start_soon(self._guarded, job)

    async def _guarded(self, job: Job) -> None:
        try:
            await self._one(job)
        except LeaseLost as error:
            log.warning("%s %s: %s; nothing of it was kept", job.kind, job.key, error)
        except Unstorable as error:
            await self._put_off(job, error)
        except StoreError as error:
            log.error("%s %s: %s; it is taken up again", job.kind, job.key, error)
            await give_back(self._store, job, str(error), after=_REFUSED, blameless=True)
        except Exception as error:  # noqa: BLE001 - one job must not end the others
            await self._put_off(job, error)
        finally:
            self._running -= 1
            self._store.takers.nudge(self._kind)

    async def _put_off(self, job: Job, error: Exception) -> None:
        log.error("%s %s: %s; it is taken up again", job.kind, job.key, fault(error))
        pause = _BROKEN.delay(job.attempts)
        await give_back(self._store, job, type(error).__name__, after=pause)
