"""Jobs that are leased as they are born: by the step of this process that waits for just these.

A step that has nothing to do says so. Who puts one or two jobs for it stores them as leased, and
they are handed over once they are committed: no claim, no commit of its own. More of them are left
to be claimed, as many share the commits that follow then. What comes after those is left too, or it
would be begun before or behind them out of its order.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ..clock import Clock
    from .bell import Bell
    from .leased import Job

_FEW = 2


class Takers:
    """What the steps of one process wait for. Offers may be used up from any thread."""

    def __init__(self, worker_id: int, clock: Clock, bell: Bell) -> None:
        self.worker_id = worker_id
        self._clock = clock
        self._bell = bell
        self._lock = threading.Lock()
        self._offers: dict[str, int] = {}
        self._left: defaultdict[str, int] = defaultdict(int)
        self._handed: defaultdict[str, deque[Job]] = defaultdict(deque)
        self._hands: defaultdict[str, int] = defaultdict(int)
        self._doubted: frozenset[int] = frozenset()
        self._closed = False

    # by the step, in the event loop

    def offer(self, kind: str, room: int, *, left: int) -> None:
        """Say that a few jobs of a kind, if there is room for them, would be begun at once.

        ``left`` is what ``left`` was before the last claim, which found no more. Since then others
        may have been left to be claimed: they come first, and nothing is offered.
        """
        with self._lock:
            is_next = not self._closed and left == self._left[kind]
            self._offers[kind] = min(room, _FEW) if is_next else 0

    def withdraw(self, kind: str) -> None:
        """Say that the step is busy."""
        with self._lock:
            self._offers[kind] = 0

    def left(self, kind: str) -> int:
        """Return how often jobs of a kind were left to be claimed."""
        with self._lock:
            return self._left[kind]

    def collect(self, kind: str, most: int) -> list[Job]:
        """Return at most so many jobs that were handed over, in their order."""
        handed = self._handed[kind]
        return [handed.popleft() for _ in range(min(most, len(handed)))]

    def has(self, kind: str) -> bool:
        """Whether there are jobs that were handed over."""
        return bool(self._handed[kind])

    def rung(self, kind: str) -> int:
        """Return how often it was rung for jobs that are to be claimed."""
        return self._bell.count(kind) - self._hands[kind]

    def hand(self, jobs: Sequence[Job]) -> None:
        """Give jobs to their steps; their leases are committed.

        Once it is closed they stay ``unused``.
        """
        for job in jobs:
            self._handed[job.kind].append(job)
        kinds = {job.kind for job in jobs}
        for kind in kinds:
            self._hands[kind] += 1
        self._bell.ring(kinds)

    def nudge(self, kind: str) -> None:
        """Wake a step that may have room again; there is nothing new to claim."""
        self._hands[kind] += 1
        self._bell.ring([kind])

    def close(self) -> None:
        """Take nothing from now on."""
        with self._lock:
            self._closed = True
            self._offers.clear()

    def unused(self) -> list[Job]:
        """Return the jobs that were handed over and that no step will collect any more."""
        return [job for jobs in self._handed.values() for job in jobs] if self._closed else []

    def forget(self, jobs: Sequence[Job]) -> None:
        """Forget jobs that were handed over, and have been given back."""
        for kind in {job.kind for job in jobs}:
            self._handed[kind] = deque(job for job in self._handed[kind] if job not in jobs)

    # by who puts jobs, in a thread of the writer

    def waits(self, kinds: Collection[str]) -> bool:
        """Whether a step waits for one of these kinds; mostly none does while there is much.

        If none does, the jobs count as left to be claimed.
        """
        with self._lock:
            if any(self._offers.get(kind) for kind in kinds):
                return True
            for kind in kinds:
                self._left[kind] += 1
        return False

    def reserve(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return those rows of jobs that are due now and would be begun at once."""
        now = self._clock.now()
        kinds = defaultdict[str, list[Mapping[str, Any]]](list)
        for row in rows:
            if row["due_at"] <= now:
                kinds[row["kind"]].append(row)
        with self._lock:
            return [row for kind, due in kinds.items() if self._use(kind, len(due)) for row in due]

    def doubt(self, leases: Collection[int]) -> None:
        """Note the tokens of leases that may be stored, but whose jobs nobody was given."""
        with self._lock:
            self._doubted |= frozenset(leases)

    def doubted(self) -> frozenset[int]:
        """Return the tokens of leases that nobody will use."""
        return self._doubted

    def given_up(self, leases: frozenset[int]) -> None:
        """Forget leases that are certainly not stored any more."""
        with self._lock:
            self._doubted -= leases

    def _use(self, kind: str, number: int) -> bool:
        offered = self._offers.get(kind, 0)
        if number <= offered:
            self._offers[kind] = offered - number
            return True
        self._offers[kind] = 0
        self._left[kind] += 1
        return False
