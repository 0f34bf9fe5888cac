"""How a step of the pipeline takes its jobs: claim, work, wait for the bell or the due time."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import anyio

from ..complaints import Complaint
from ..errors import StoreError
from ..router import Retries
from ..store import jobs
from ..store.refusals import TooSlow, Unstorable
from ..store.store import TOPICS
from .faults import fault
from .leases import give_all_back

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from datetime import datetime
    from typing import NoReturn

    from ..store.bell import Bell
    from ..store.leased import Job
    from ..store.store import Store

T = TypeVar("T")

log = logging.getLogger("inboxkit.pipeline")
_LONGEST_WAIT = 30.0
_PAUSE_AFTER_REFUSAL = 1.0
_LONGER = 5  # a fault of our own lasts
_BROKEN = Retries(first=timedelta(seconds=5))


async def patiently(name: str, look: Callable[[], Awaitable[T]], bell: Bell) -> T:
    """Return what a look finds; a database that refuses is asked again, however long it does.

    Raise InboxKitError once the runtime has ended, with which its database refuses for good.
    """
    complaint = Complaint(log, logging.WARNING)
    while True:
        try:
            return await look()
        except StoreError as error:
            bell.check()
            complaint.say(f"{name}: {error}; trying again")
            await bell.pause(_PAUSE_AFTER_REFUSAL)


async def rounds(
    name: str,
    one: Callable[[], Awaitable[None]],
    *,
    pause: float = _PAUSE_AFTER_REFUSAL,
    is_aside: bool = False,
) -> NoReturn:
    """Do one round after the other until cancelled; a database that refuses is tried again.

    ``is_aside``: so is what fails for any other reason, as mail goes on without this step. Of the
    other steps a fault of our own ends the runtime, which says so: ``/readyz``, waits, ``stop``.
    """
    complaint = Complaint(log, logging.WARNING)
    while True:
        try:
            await one()
            complaint.over()
        except StoreError as error:
            complaint.say(f"{name}: {error}; trying again")
            await anyio.sleep(pause)
        except Exception as error:
            if not is_aside:
                raise
            log.error("%s: %s; trying again", name, fault(error))
            await anyio.sleep(_LONGER * pause)


class Consumer:
    """Takes the jobs of one kind, ``room()`` at a time, and hands them to ``work``.

    ``full()`` are the marks of the queues that are left out at present. When one is not any more,
    who says so rings for the kind.
    """

    def __init__(
        self,
        store: Store,
        kind: str,
        work: Callable[[list[Job]], Awaitable[None]],
        room: Callable[[], int],
        full: Callable[[], Collection[int]] = tuple,
    ) -> None:
        assert kind in TOPICS, f"no other process would tell this one of {kind!r} jobs"
        self._store = store
        self._kind = kind
        self._work = work
        self._room = room
        self._full = full
        self._start = 0
        self._takers = store.takers
        self._exhausted: int | None = None  # rung so often when nothing was left to claim
        self._left = 0  # ``Takers.left`` before that claim
        self._due: datetime | None = None  # when the next job is due, as far as is known

    async def run(self) -> None:
        """Work until cancelled."""
        await rounds(self._kind, self._round)

    async def _round(self) -> None:
        seen = self._store.bell.count(self._kind)
        taken = await self._take(self._room())
        if taken:
            await self._worked(taken)
        if not (taken and self._is_behind()):
            await self._rest(seen, busy=bool(taken))

    async def _worked(self, taken: list[Job]) -> None:
        """Work on jobs; give back what is still leased when that fails."""
        try:
            await self._work(taken)
        except (TooSlow, Unstorable) as error:
            await self._apart(taken, error)
        except (StoreError, jobs.LeaseLost) as error:
            log.warning("%s: %s; trying again", self._kind, error)
            pause = timedelta(seconds=_PAUSE_AFTER_REFUSAL)
            await give_all_back(self._store, taken, str(error), after=pause, blameless=True)
        except Exception as error:  # noqa: BLE001 - one job must not stop the step for all others
            await self._apart(taken, error)

    async def _apart(self, taken: list[Job], error: Exception) -> None:
        """Do each job by itself, which shows whose fault it was; put that one off."""
        log.error("%s %s: %s", self._kind, [job.key for job in taken], fault(error))
        if len(taken) > 1:
            for job in taken:
                await self._worked([job])
            return
        pause = _BROKEN.delay(taken[0].attempts)
        await give_all_back(self._store, taken, type(error).__name__, after=pause)

    async def _take(self, room: int) -> list[Job]:
        """Return what was handed over, or else what can be claimed."""
        if room <= 0:
            return []
        if handed := self._takers.collect(self._kind, room):
            return handed
        now, rung = self._store.clock.now(), self._takers.rung(self._kind)
        left = self._takers.left(self._kind)
        if rung == self._exhausted and (self._due is None or now < self._due):
            return []
        taken, self._due = await self._store.write_lightly(
            jobs.take,
            self._kind,
            worker=self._store.worker_id,
            now=now,
            limit=room,
            start=self._start,
            full=self._full(),
        )
        self._exhausted = rung if len(taken) < room else None
        self._left = left
        if taken:
            self._start = jobs.last_in_turn(taken, self._start)
        return taken

    def _is_behind(self) -> bool:
        """Whether there may be more to take already."""
        is_rung = self._exhausted != self._takers.rung(self._kind)
        return is_rung or self._takers.has(self._kind)

    async def _rest(self, seen: int, *, busy: bool) -> None:
        """Wait until there may be more to take: for the bell, or for the next job's time."""
        timeout = _LONGEST_WAIT
        if self._due is not None:
            timeout = min(timeout, self._store.clock.seconds_until(self._due))
        if busy and timeout <= 0:  # each inbox gave its share, and one has more
            return
        if timeout > 0 and not self._is_behind() and not self._full():
            # Nobody waited longer than what comes now.
            self._takers.offer(self._kind, self._room(), left=self._left)
        try:
            await self._store.bell.wait(self._kind, seen, timeout=max(timeout, 0.02))
        finally:
            self._takers.withdraw(self._kind)
        if self._store.bell.count(self._kind) == seen:  # what nobody rang for may be there as well
            self._exhausted = None
