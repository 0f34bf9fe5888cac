"""A small simulation of one machine and more: what a mail costs, by step, made into mails a second.

    python bench/whole.py --costs costs.json        # measures what a mail costs, and the rates
    python bench/simulate.py costs.json             # must come within 20 % of those rates
    python bench/simulate.py costs.json --rate 10000   # what so many mails a second need

Processes share cores; in one, everything but waiting for the disk holds the interpreter's lock; on
SQLite one process at a time writes. Ten sessions send in lockstep, as the load of the bench does.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from inboxkit.pipeline.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Generator

SESSIONS = 10
_PRESSED_SECONDS = 0.1  # after a mail was taken in, as ``Pace`` counts
TOLERANCE = 0.2
_BATCH = 32  # mails read at once
_MAILS = 4_000
_SQLITE_WRITERS = 1
_ONE_PROCESS = 0.7  # of a core
_LOOK_SECONDS = 0.001  # how often who waits in line for SQLite's lock looks (store/turns.py)
_SWITCH_SECONDS = 0.005  # after which Python gives its lock to another thread


@dataclass(frozen=True)
class Costs:
    """Microseconds for each mail in one process; ``fsync`` for each commit.

    ``dearer`` is what a mail takes, in times of that, where so many processes share the cores.
    """

    client: float  # of the load, which shares the cores
    listener: float  # taking it off the wire
    accept: float  # storing it, the database's lock held
    handle: float  # parsing, rows, event loop
    record: float  # threads, index, jobs, Runs, the database's lock held
    fsync: float
    bytes: float = 0.0
    dearer: dict[str, float] = field(default_factory=dict[str, float])
    measured: dict[str, float] = field(default_factory=dict[str, float])

    def shared(self, processes: int) -> Costs:
        """Return what a mail costs where so many processes work; beyond what is known, the most."""
        known = [times for number, times in self.dearer.items() if int(number) <= processes]
        times = max(known, default=1.0)
        return replace(
            self,
            listener=self.listener * times,
            accept=self.accept * times,
            handle=self.handle * times,
            record=self.record * times,
        )

    @property
    def server(self) -> float:
        """CPU time of a mail in all of our processes."""
        return self.listener + self.accept + self.handle + self.record


@dataclass(eq=False)
class Lock:
    """One holder at a time, the others in a line."""

    holder: Task | None = None
    line: deque[Task] = field(default_factory=deque["Task"])


Step: TypeAlias = "tuple[str, float | Lock]"


@dataclass(eq=False)
class Task:
    """Something that works, waits for locks and sleeps."""

    steps: Generator[Step, None, None]
    left: float = 0.0  # seconds of CPU


class Machine:
    """Runs tasks on so many cores, each getting its share when there are more tasks than cores."""

    def __init__(self, cores: float) -> None:
        self.now = 0.0
        self._cores = cores
        self._running: set[Task] = set()
        self._sleeping: list[tuple[float, int, Task]] = []
        self._order = count()
        self.is_over = False

    def start(self, steps: Generator[Step, None, None]) -> None:
        self._next(Task(steps))

    def run(self) -> None:
        """Go on until ``is_over``."""
        while not self.is_over and (self._running or self._sleeping):
            share = min(1.0, self._cores / max(1, len(self._running)))
            first = min((task.left / share for task in self._running), default=math.inf)
            woken = self._sleeping[0][0] - self.now if self._sleeping else math.inf
            passed = min(first, woken)
            self.now += passed
            for task in self._running:
                task.left -= passed * share
            for task in [task for task in self._running if task.left <= 1e-12]:
                self._running.discard(task)
                self._next(task)
            while self._sleeping and self._sleeping[0][0] <= self.now:
                self._next(heapq.heappop(self._sleeping)[2])

    def _next(self, task: Task) -> None:
        for what, value in task.steps:
            if isinstance(value, Lock):
                if what == "free":
                    self._free(value)
                elif value.holder is None:
                    value.holder = task
                else:
                    value.line.append(task)
                    return
            elif what == "work":
                task.left = value
                self._running.add(task)
                return
            else:
                heapq.heappush(self._sleeping, (self.now + value, next(self._order), task))
                return

    def _free(self, lock: Lock) -> None:
        lock.holder = lock.line.popleft() if lock.line else None
        if lock.holder is not None:  # not now: the one that frees it goes on first
            heapq.heappush(self._sleeping, (self.now, next(self._order), lock.holder))


class Process:
    """One ``inboxkit run``: takes mail in, and handles it beside."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._gil = Lock()
        self.arrived: deque[int] = deque()
        self.stored: deque[int] = deque()
        self._taken_at = -1.0

    def taking(self) -> Generator[Step, None, None]:
        """Take what has arrived, store it together."""
        costs = self._course.costs
        while True:
            if not self.arrived:
                yield "sleep", 1e-4
                continue
            taken = len(self.arrived)
            self.arrived.clear()
            self._taken_at = self._course.now
            yield from self._work(taken * costs.listener)
            yield from self._written(taken * costs.accept)
            self.stored.extend([1] * taken)
            self._course.answered(self, taken)

    def handling(self) -> Generator[Step, None, None]:
        """Read, plan and dispatch what is stored."""
        costs = self._course.costs
        while True:
            pressed = self._course.now - self._taken_at < _PRESSED_SECONDS
            taken = min(Pace.PORTION if pressed else _BATCH, len(self.stored))
            if not taken:
                yield "sleep", 1e-4
                continue
            for _ in range(taken):
                self.stored.popleft()
            yield from self._work(taken * costs.handle)
            yield from self._written(taken * costs.record)
            self._course.handled(taken)
            if pressed:
                yield "sleep", _PRESSED_SECONDS

    def _work(self, microseconds: float) -> Generator[Step, None, None]:
        left = microseconds / 1e6
        while left > 0:
            yield "take", self._gil
            yield "work", min(left, _SWITCH_SECONDS)
            yield "free", self._gil
            left -= _SWITCH_SECONDS

    def _written(self, microseconds: float) -> Generator[Step, None, None]:
        waits = self._course.writing.holder is not None
        yield "take", self._course.writing
        if waits:  # it sees so at its next look
            yield "sleep", _LOOK_SECONDS / 2
        yield from self._work(microseconds)
        yield "sleep", self._course.costs.fsync / 1e6
        yield "free", self._course.writing


class Course:
    """A run of ``bench/whole.py``: sessions that send in lockstep until all mails are handled."""

    def __init__(self, costs: Costs, *, processes: int, cores: float) -> None:
        self.costs = costs.shared(processes)
        self.writing = Lock()
        self._machine = Machine(cores)
        self._left = _MAILS - SESSIONS
        self._done = 0
        self._to_send: deque[Process] = deque()
        self._processes = [Process(self) for _ in range(processes)]
        for number in range(SESSIONS):
            self._to_send.append(self._processes[number % processes])

    def __call__(self) -> float:
        """Return mails a second the whole way."""
        self._machine.start(self._sending())
        for process in self._processes:
            self._machine.start(process.taking())
            self._machine.start(process.handling())
        self._machine.run()
        return _MAILS / self._machine.now

    @property
    def now(self) -> float:
        return self._machine.now

    def _sending(self) -> Generator[Step, None, None]:
        while True:
            if not self._to_send:
                yield "sleep", 1e-4
                continue
            process = self._to_send.popleft()
            yield "work", self.costs.client / 1e6
            process.arrived.append(1)

    def answered(self, process: Process, taken: int) -> None:
        again = min(taken, self._left)
        self._left -= again
        self._to_send.extend([process] * again)

    def handled(self, taken: int) -> None:
        self._done += taken
        self._machine.is_over = self._done >= _MAILS


def check(costs: Costs, cores: float) -> bool:
    """Compare with what was measured; return whether all of it is met."""
    met = True
    for processes, rate in costs.measured.items():
        simulated = Course(costs, processes=int(processes), cores=cores)()
        off = simulated / rate - 1
        met &= abs(off) <= TOLERANCE
        verdict = "ok" if abs(off) <= TOLERANCE else "OFF"
        print(
            f"{processes} process(es): measured {rate:,.0f}/s, simulated {simulated:,.0f}/s", end=""
        )
        print(f" ({off:+.0%}): {verdict}")
    return met


def needs(costs: Costs, rate: float) -> None:
    """Print what so many mails a second need, and what is at its end first."""
    if rate * costs.server / 1e6 > _ONE_PROCESS:
        costs = costs.shared(max(map(int, costs.dearer), default=1))
    cores = rate * costs.server / 1e6
    held = (costs.accept + costs.record) / 1e6 + 2 * costs.fsync / 1e6 / _BATCH
    processes = math.ceil(cores / _ONE_PROCESS)
    print(f"{rate:,.0f} mails a second: {cores:,.1f} cores of ours,", end=" ")
    print(f"{processes} processes at {_ONE_PROCESS:.0%},", end=" ")
    print(
        f"{rate * costs.bytes / 1e6:,.0f} MB/s and {rate * costs.bytes * 86_400 / 1e12:,.1f} TB "
        "a day on the disk,",
        end=" ",
    )
    print(f"{rate * held:,.1f} writers busy (SQLite has {_SQLITE_WRITERS})")


def main() -> int:
    """Check, then tell; the exit status is 1 when the check fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("costs", type=Path, help="as bench/whole.py --costs writes them")
    parser.add_argument("--cores", type=float, default=2, help="that were free")
    parser.add_argument("--rate", type=float, action="append", help="mails a second; repeatable")
    options = parser.parse_args()
    costs = Costs(**json.loads(options.costs.read_text()))
    met = check(costs, options.cores)
    for rate in options.rate or (1_000, 10_000, 100_000):
        needs(costs, rate)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
