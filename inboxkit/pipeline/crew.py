"""Leased jobs that are worked on side by side, each in a task of its own.

Whatever goes wrong with one, its lease is given back: nothing waits for this process to end. Those
that still wait for their turn when it stops are given back at once.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from ..errors import StoreError
from ..router import Retries
from ..store.jobs import LeaseLost
from ..store.refusals import TooSlow, Unstorable
from .faults import fault
from .leases import give_all_back, give_back

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from ..store.leased import Job
    from ..store.store import Store

log = logging.getLogger("inboxkit.pipeline")
_REFUSED = timedelta(seconds=1)  # the database takes the lease back, so it may take the rest too
_BROKEN = Retries(first=timedelta(seconds=5))


class Crew:
    """Calls ``one`` for each job, for ``size`` of them at a time.

    ``waits``: it waits for a turn first, and calls ``begin`` when it has it.
    """

    def __init__(
        self,
        store: Store,
        kind: str,
        tasks: TaskGroup,
        one: Callable[[Job], Awaitable[None]],
        *,
        size: int,
        waits: bool = False,
    ) -> None:
        self._store = store
        self._kind = kind
        self._tasks = tasks
        self._one = one
        self._size = size
        self._waits = waits
        self._held: dict[tuple[int, int], Job] = {}  # by what tells apart two leases of one job
        self._waiting: dict[tuple[int, int], anyio.CancelScope] = {}
        self._is_closed = False

    @property
    def held(self) -> list[int]:
        """The ids of the jobs that are worked on."""
        return [job.id for job in self._held.values()]

    def room(self) -> int:
        """Return how many more jobs may be leased now."""
        return self._size - len(self._held)

    async def idle(self) -> None:
        """Return when no job is worked on."""
        while self._held:
            await self._store.bell.wait(self._kind, self._store.bell.count(self._kind))

    async def work(self, taken: list[Job]) -> None:
        """Start a task for each job; give them back when it is too late for that."""
        if self._is_closed:
            await give_all_back(self._store, taken, "", after=None, blameless=True)
            return
        for job in taken:
            key, scope = (job.id, job.token), anyio.CancelScope()
            self._held[key] = job
            if self._waits:
                self._waiting[key] = scope
            self._tasks.start_soon(self._guarded, job, scope)

    def begin(self, job: Job) -> bool:
        """Say that a job has its turn; False when it was left to others meanwhile."""
        return self._waiting.pop((job.id, job.token), None) is not None

    def close(self) -> list[Job]:
        """Begin nothing from now on; return the jobs that waited for their turn, to give back."""
        self._is_closed = True
        left = [self._held[key] for key in self._waiting]
        for scope in self._waiting.values():
            scope.cancel()
        self._waiting.clear()
        return left

    async def _guarded(self, job: Job, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self._one(job)
        except LeaseLost as error:
            log.warning("%s %s: %s; nothing of it was kept", job.kind, job.key, error)
        except (TooSlow, Unstorable) as error:
            await self._put_off(job, error)
        except StoreError as error:
            log.error("%s %s: %s; it is taken up again", job.kind, job.key, error)
            await give_back(self._store, job, str(error), after=_REFUSED, blameless=True)
        except Exception as error:  # noqa: BLE001 - one job must not end the others
            await self._put_off(job, error)
        finally:
            self._waiting.pop((job.id, job.token), None)
            del self._held[job.id, job.token]
            self._store.takers.nudge(self._kind)

    async def _put_off(self, job: Job, error: Exception) -> None:
        log.error("%s %s: %s; it is taken up again", job.kind, job.key, fault(error))
        pause = _BROKEN.delay(job.attempts)
        await give_back(self._store, job, type(error).__name__, after=pause)
