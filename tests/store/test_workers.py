"""Who is taken for dead, who is not, and how one that was buried alive goes on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, select

from inboxkit.clock import Clock
from inboxkit.store import jobs, workers
from inboxkit.store.store import Store
from inboxkit.store.tables import job, worker
from inboxkit.store.workers import BEAT_SECONDS, DEAD_AFTER, Pulses
from inboxkit.tokens import new_id

if TYPE_CHECKING:
    from inboxkit.store.leased import Job
    from inboxkit.store.transactions import Tx

BEAT = Clock().now()
LATER = BEAT + timedelta(seconds=BEAT_SECONDS)


class Standing(Clock):
    """A clock whose seconds pass when it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def seconds(self) -> float:
        return self.passed


def living(connection: Connection) -> set[int]:
    """Return the workers that have a row."""
    return set(connection.execute(select(worker.c.id)).scalars())


class Observer:
    """A worker that looks at another, number 1, whose beat never changes."""

    def __init__(self) -> None:
        self.clock = Standing()
        self.pulses = Pulses(self.clock)

    def look(self, after: float = BEAT_SECONDS, *, is_stored: bool = True) -> bool:
        """Return whether it takes the other for dead."""
        self.clock.passed += after
        found = self.pulses.still({1: BEAT})
        if is_stored:
            self.pulses.keep()
        return bool(found)


@pytest.fixture
def observer() -> Observer:
    made = Observer()
    made.look()
    return made


def test_a_worker_is_dead_when_its_beat_has_not_changed_for_ten_seconds(observer: Observer) -> None:
    looks = [observer.look(2.01) for _ in range(6)]
    assert looks == [False] * 4 + [True] * 2
    assert observer.pulses.still({1: LATER, 2: BEAT}) == set()


def looks_left(observer: Observer) -> int:
    """Return after how many more looks, of at most fifty, it takes the other for dead."""
    return next((number for number in range(50) if observer.look()), 50)


def test_while_nobody_could_look_nobody_was_silent(observer: Observer) -> None:
    observer.look()
    assert not observer.look(after=600.0)
    assert 2 <= looks_left(observer) < 50


def test_while_nothing_could_be_written_nobody_was_silent(observer: Observer) -> None:
    assert not any(observer.look(is_stored=False) for _ in range(100))
    assert 3 <= looks_left(observer) < 50


def test_a_slow_observer_finds_the_dead_in_the_end(observer: Observer) -> None:
    assert any(observer.look(after=60.0) for _ in range(9))


async def test_one_that_never_beats_is_buried_and_not_for_an_outage(database: str) -> None:
    clock = Standing()
    store, other = Store(database, clock), Store(database, Clock())
    await store.open()
    await other.open()
    for after in (0.0, 14.0, BEAT_SECONDS):
        clock.passed += after
        await store.show_life()
    assert await store.read(living) == {store.worker_id, other.worker_id}
    for _ in range(5):
        clock.passed += BEAT_SECONDS
        await store.show_life()
    assert await store.read(living) == {store.worker_id}
    await other.close()
    await store.close()


@pytest.mark.sqlite
async def test_one_that_was_buried_alive_is_locked_again(store: Store, database: str) -> None:
    other = Store(database, Clock())
    await other.open()
    assert store.files_folder is not None
    lock = workers.lock_path(store.files_folder, other.worker_id)
    silent = store.clock.beat() + DEAD_AFTER + timedelta(seconds=1)
    locks = store.files_folder
    gone = await store.write(workers.bury, silent, locks=locks, myself=store.worker_id)
    assert (gone, lock.exists()) == ([other.worker_id], False)
    await other.write(other.beat)
    assert lock.exists()
    assert not workers.is_dead(lock)
    now = store.clock.beat()
    assert await store.write(workers.bury, now, locks=locks, myself=new_id()) == []
    await other.close()
    assert not lock.exists()


async def claim(store: Store, worker: int) -> list[Job]:
    now = store.clock.now()
    return await store.write(jobs.claim, "run", worker=worker, now=now, limit=1, start=0)


async def test_what_one_leased_after_it_was_buried_is_freed_when_it_dies(database: str) -> None:
    store = Store(database, clock := Standing())
    await store.open()
    now, ghost = store.clock.now(), new_id()
    await store.write(jobs.put, [jobs.new_job("run", "a", inbox_id=1, due_at=now)])
    await claim(store, ghost)
    taken: list[list[str]] = []
    for _ in range(7):
        clock.passed += BEAT_SECONDS
        await store.show_life()
        taken.append([job.key for job in await claim(store, store.worker_id)])
    assert taken == [[]] * 6 + [["a"]]  # it had the time to register again
    await store.close()


async def test_one_that_registers_again_keeps_what_it_leased_meanwhile(database: str) -> None:
    store, other = Store(database, clock := Standing()), Store(database, Clock())
    await store.open()
    await other.open()
    now = store.clock.now()
    await store.write(workers.leave, [other.worker_id])
    await store.write(jobs.put, [jobs.new_job("run", "a", inbox_id=1, due_at=now)])
    [held] = await other.write(jobs.claim, "run", worker=other.worker_id, now=now, limit=1, start=0)
    for _ in range(4):
        clock.passed += BEAT_SECONDS
        await store.show_life()
    await other.write(other.beat)
    await store.show_life()
    await other.write(jobs.complete, [held])  # LeaseLost, had it been taken for dead
    assert await store.read(lambda c: c.execute(select(job.c.id)).all()) == []
    assert await store.read(living) == {store.worker_id, other.worker_id}
    await other.close()
    await store.close()


def finish(tx: Tx, ended: list[Job]) -> list[None]:
    jobs.complete(tx, ended)
    return [None] * len(ended)


async def test_what_ended_before_the_close_is_not_given_back(database: str) -> None:
    store = Store(database, Clock())
    await store.open()
    now = store.clock.now()
    keys = [str(number) for number in range(40)]
    await store.write(jobs.put, [jobs.new_job("run", k, inbox_id=1, due_at=now) for k in keys])
    held = await store.write(
        jobs.claim, "run", worker=store.worker_id, now=now, limit=len(keys), start=0
    )
    ends = [asyncio.create_task(store.write_grouped(finish, job)) for job in held[1:]]
    await asyncio.sleep(0)  # they are handed over in this turn of the loop
    await store.close()
    await asyncio.gather(*ends)

    after = Store(database, Clock())
    await after.open()
    left = await after.read(lambda c: c.execute(select(job.c.key, job.c.state)).all())
    assert left == [("0", "ready")]
    await after.close()
