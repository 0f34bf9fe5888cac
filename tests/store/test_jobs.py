"""The job table: claims in turn, lanes, leases that are lost, workers that die."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit.clock import Clock
from inboxkit.store import backlog, jobs, queues, workers
from inboxkit.store.jobs import LeaseLost
from inboxkit.tokens import new_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store

SECOND = timedelta(seconds=1)


async def put(store: Store, *keys: str, inbox: int = 1, lane: str | None = None) -> None:
    now = store.clock.now()
    rows = [jobs.new_job("run", key, inbox_id=inbox, due_at=now, lane=lane) for key in keys]
    await store.write(jobs.put, rows)


async def claim(store: Store, *, limit: int = 100, start: int = 0, worker: int = 7) -> list[Job]:
    return await store.write(
        jobs.claim, "run", worker=worker, now=store.clock.now(), limit=limit, start=start
    )


async def test_a_job_is_leased_once(store: Store) -> None:
    await put(store, "a", "b")
    assert [j.key for j in await claim(store)] == ["a", "b"]
    assert await claim(store) == []


async def test_a_job_waits_for_its_time(store: Store) -> None:
    later = store.clock.now() + timedelta(hours=1)
    await store.write(jobs.put, [jobs.new_job("run", "later", inbox_id=1, due_at=later)])
    assert await claim(store) == []
    assert await store.read(backlog.next_due, ["run"]) == later
    store.clock.advance(timedelta(hours=1))
    assert [j.key for j in await claim(store)] == ["later"]


class Ticking(Clock):
    """A clock that lets something happen right after it is read."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self._then = then

    def now(self) -> datetime:
        moment = super().now()
        self._then()
        return moment


async def test_a_job_put_while_they_are_looked_for_is_left(store: Store) -> None:
    loop = asyncio.get_running_loop()

    def follow() -> None:
        asyncio.run_coroutine_threadsafe(put(store, "after"), loop).result(30)

    await put(store, "before")
    assert await store.read(backlog.are_left, ["run"], Ticking(follow))
    await claim(store)
    assert await store.read(backlog.are_left, ["run"], store.clock)


async def test_what_waits_is_not_left(store: Store) -> None:
    now = store.clock.now()
    later = jobs.new_job("run", "later", inbox_id=1, due_at=now + SECOND, lane="l")
    behind = jobs.new_job("run", "behind", inbox_id=1, due_at=now, lane="l")
    await store.write(jobs.put, [later, behind])
    assert not await store.read(backlog.are_left, ["run"], store.clock)
    store.clock.advance(SECOND)
    assert await store.read(backlog.are_left, ["run"], store.clock)


async def test_a_flood_in_one_inbox_does_not_starve_another(store: Store) -> None:
    await put(store, *(f"flood{i}" for i in range(50)), inbox=1)
    await put(store, "quiet", inbox=2)
    taken = await claim(store, limit=10)
    assert "quiet" in {j.key for j in taken}
    assert len(taken) <= 10


async def test_claims_go_round_the_inboxes(store: Store) -> None:
    for inbox in (1, 2, 3):
        await put(store, f"a{inbox}", f"b{inbox}", inbox=inbox)
    (first,) = await claim(store, limit=1, start=0)
    (second,) = await claim(store, limit=1, start=first.inbox_id)
    (third,) = await claim(store, limit=1, start=second.inbox_id)
    assert {first.inbox_id, second.inbox_id, third.inbox_id} == {1, 2, 3}


async def test_every_inbox_has_its_turn_however_many_there_are(store: Store) -> None:
    numbers = range(1, 401)
    now = store.clock.now()
    rows = [
        jobs.new_job("run", f"{n} {i}", inbox_id=i, due_at=now) for i in numbers for n in (1, 2)
    ]
    await store.write(jobs.put, rows)
    served, start = list[int](), 0
    while taken := await claim(store, limit=30, start=start):
        turn = {j.inbox_id for j in taken}
        served += sorted(i for i in turn if i > start) + sorted(i for i in turn if i <= start)
        start = jobs.last_in_turn(taken, start)
        assert start == served[-1]
    assert served == [*numbers, *numbers]


async def put_runs(store: Store, handler: str, inboxes: range) -> None:
    due = store.clock.now()
    await store.write(
        jobs.put,
        [
            jobs.new_job(
                "run",
                f"{handler} {inbox}",
                inbox_id=inbox,
                queue=queues.of_handler(inbox, handler),
                due_at=due,
            )
            for inbox in inboxes
        ],
    )


async def test_of_a_handler_that_is_full_nothing_is_claimed_and_others_have_their_turn(
    store: Store,
) -> None:
    await put_runs(store, "slow", range(100))  # many more queues than a claim serves
    await put_runs(store, "fast", range(90, 100))
    later = store.clock.now() + timedelta(hours=1)
    await store.write(jobs.put, [jobs.new_job("run", "later", inbox_id=1, due_at=later)])

    async def take(*full: str) -> tuple[list[str], datetime | None]:
        taken, due = await store.write(
            jobs.take,
            "run",
            worker=7,
            now=store.clock.now(),
            limit=20,
            start=0,
            full=[queues.mark(name) for name in full],
        )
        return [job.key for job in taken], due

    taken, due = await take("slow")
    assert sorted(taken) == [f"fast {inbox}" for inbox in range(90, 100)]
    assert due is not None  # at once: a queue may have more than its share
    assert due <= store.clock.now()
    assert await take("slow") == ([], later)
    assert len((await take())[0]) == 20


async def test_what_is_given_back_without_a_time_keeps_its_place(store: Store) -> None:
    await put(store, "first", "second")
    (first,) = await claim(store, limit=1)
    store.clock.advance(SECOND)
    await store.write(jobs.give_back, [first], due_at=None, error="", blameless=True)
    (again,) = await claim(store, limit=1)
    assert (again.key, again.due_at, again.attempts) == ("first", first.due_at, 1)


async def test_a_lane_runs_one_at_a_time_in_order(store: Store) -> None:
    await put(store, "first", "second", lane="thread")
    (first,) = await claim(store)
    assert first.key == "first"
    assert await claim(store) == []
    await store.write(jobs.complete, [first])
    assert [j.key for j in await claim(store)] == ["second"]


async def test_a_lane_runs_one_at_a_time_also_when_an_earlier_one_comes_later(store: Store) -> None:
    now = store.clock.now()
    early, late = (jobs.new_job("run", k, inbox_id=1, due_at=now, lane="l") for k in ("a", "b"))
    await store.write(jobs.put, [late])
    (held,) = await claim(store)
    await store.write(jobs.put, [early])  # from a host whose clock is behind
    assert await claim(store) == []
    assert await store.read(backlog.next_due, ["run"]) is None
    await store.write(jobs.complete, [held])
    assert [j.key for j in await claim(store)] == ["a"]


async def test_a_job_of_a_lane_in_which_one_is_leased_is_not_leased_at_birth(store: Store) -> None:
    now = store.clock.now()
    early, late = (jobs.new_job("run", k, inbox_id=1, due_at=now, lane="l") for k in ("a", "b"))
    await store.write(jobs.put, [late])
    (held,) = await claim(store)
    store.takers.offer("run", 2, left=store.takers.left("run"))
    await store.write(jobs.put, [early])
    assert not store.takers.has("run")
    await store.write(jobs.complete, [held])
    assert [j.key for j in await claim(store)] == ["a"]


async def test_the_end_of_a_job_rings_for_who_was_held_up(store: Store) -> None:
    await put(store, "a", "b", lane="l")
    before = store.bell.count("run")
    await store.write(jobs.complete, await claim(store))
    async with asyncio.timeout(30):  # rung from the writer's thread
        await store.bell.wait("run", before)


@pytest.mark.sqlite  # PostgreSQL rings: another transaction may be putting one that is not seen
async def test_the_end_of_a_job_that_held_up_nobody_rings_for_nothing(store: Store) -> None:
    await put(store, "a", lane="l")
    await put(store, "b")
    await put(store, "c", lane="m")
    taken = await claim(store)
    seen = store.bell.count("done")
    before = store.bell.count("run")
    await store.write(jobs.complete, taken)
    async with asyncio.timeout(30):
        await store.bell.wait("done", seen)
    assert store.bell.count("run") == before


async def test_a_retrying_job_holds_back_only_its_lane(store: Store) -> None:
    await put(store, "a1", "a2", lane="a")
    await put(store, "b1", lane="b")
    taken = {j.key: j for j in await claim(store)}
    assert set(taken) == {"a1", "b1"}
    due = store.clock.now() + timedelta(minutes=5)
    await store.write(jobs.put_back, taken["a1"], due_at=due, error="later")
    assert await claim(store) == []


async def test_a_lost_lease_completes_nothing(store: Store) -> None:
    await put(store, "a")
    (old,) = await claim(store, worker=1)
    await store.write(jobs.release, [1])
    (new,) = await claim(store, worker=2)
    with pytest.raises(LeaseLost):
        await store.write(jobs.complete, [old])
    with pytest.raises(LeaseLost):
        await store.write(jobs.put_back, old, due_at=store.clock.now(), error="")
    await store.write(jobs.complete, [new])
    assert await store.read(backlog.count, ["run"]) == 0


async def test_attempts_count_every_lease(store: Store) -> None:
    await put(store, "a")
    (first,) = await claim(store)
    await store.write(jobs.put_back, first, due_at=store.clock.now(), error="x")
    (second,) = await claim(store)
    assert (first.attempts, second.attempts) == (1, 2)


async def test_a_job_of_a_dead_worker_is_taken_over(store: Store) -> None:
    dead = new_id()
    long_ago = store.clock.beat() - workers.DEAD_AFTER - SECOND
    await store.write(workers.register, dead, long_ago)
    await put(store, "a")
    await claim(store, worker=dead)
    buried = await store.write(workers.bury, store.clock.beat(), locks=None, myself=store.worker_id)
    assert buried == [dead]
    assert [j.key for j in await claim(store)] == ["a"]


@pytest.mark.sqlite
async def test_a_free_lock_file_buries_at_once(store: Store) -> None:
    dead = new_id()
    await store.write(workers.register, dead, store.clock.beat())
    assert store.files_folder is not None
    workers.lock_path(store.files_folder, dead).touch()
    buried = await store.write(
        workers.bury, store.clock.beat(), locks=store.files_folder, myself=store.worker_id
    )
    assert buried == [dead]


async def test_a_living_worker_keeps_its_lease(store: Store) -> None:
    await put(store, "a")
    await claim(store, worker=store.worker_id)
    buried = await store.write(
        workers.bury, store.clock.beat(), locks=store.files_folder, myself=new_id()
    )
    assert buried == []
    assert await claim(store) == []


async def test_advancing_the_clock_moves_due_times_not_leases(store: Store) -> None:
    await put(store, "a")
    await claim(store, worker=store.worker_id)
    store.clock.advance(timedelta(days=3))
    buried = await store.write(workers.bury, store.clock.beat(), locks=None, myself=new_id())
    assert buried == []


async def test_the_same_key_is_stored_once(store: Store) -> None:
    await put(store, "a")
    with pytest.raises(Exception, match=r"(?i)unique"):
        await put(store, "a")


async def test_cancel_leaves_what_somebody_has_begun(store: Store) -> None:
    await put(store, "a", "b")
    await claim(store, limit=1)
    assert await store.write(jobs.cancel, "run", ["a", "b"]) == 1
