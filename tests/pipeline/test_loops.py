"""Steps and their leases: one job that breaks holds up none of the others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from sqlalchemy import insert, select

from inboxkit import StoreError
from inboxkit.pipeline.crew import Crew
from inboxkit.pipeline.loops import Consumer, patiently, rounds
from inboxkit.store import jobs
from inboxkit.store.bell import Bell, Closed
from inboxkit.store.tables import job, setting

if TYPE_CHECKING:
    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx


async def put(store: Store, *keys: str) -> None:
    now = store.clock.now()
    rows = [jobs.new_job("plan", key, inbox_id=1, due_at=now) for key in keys]
    await store.write(jobs.put, rows)


async def left(store: Store) -> dict[str, Any]:
    """Return the jobs that are there, by key."""
    query = select(job.c.key, job.c.state, job.c.attempts, job.c.due_at, job.c.error)
    return {row.key: row for row in await store.read(lambda c: c.execute(query).all())}


def complete_or_break(tx: Tx, taken: list[Job]) -> None:
    """End jobs in one transaction; the database never takes what "bad" brings."""
    jobs.complete(tx, taken)
    for one in taken:
        value: Any = object() if one.key == "bad" else ""
        tx.connection.execute(insert(setting), [{"key": one.key, "value": value}])


async def run_until_done(store: Store, consumer: Consumer, key: str) -> None:
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consumer.run)
            while key in await left(store) or (await left(store))["bad"].state != "ready":
                seen = store.bell.count("done")
                await store.bell.wait("done", seen, timeout=0.1)
            tasks.cancel_scope.cancel()


async def test_what_is_handed_over_hides_nothing_that_is_to_be_claimed(store: Store) -> None:
    done: list[str] = []

    def elsewhere(tx: Tx) -> None:
        tx.takers = None
        jobs.put(tx, [jobs.new_job("plan", "other", inbox_id=1, due_at=store.clock.now())])

    async def work(taken: list[Job]) -> None:
        done.extend(one.key for one in taken)
        await store.write(jobs.complete, taken)

    async def until(number: int) -> None:
        with anyio.fail_after(20):  # less than a step rests that nobody rings
            while len(done) < number:
                await store.bell.wait("done", store.bell.count("done"), timeout=0.1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Consumer(store, "plan", work, lambda: 9).run)
        await put(store, "first")
        await until(1)
        for number in range(5):
            async with anyio.create_task_group() as both:
                both.start_soon(put, store, f"own {number}")
                both.start_soon(store.write, elsewhere)
            await until(3 + 2 * number)
        tasks.cancel_scope.cancel()
    assert done.count("other") == 5
    assert [key for key in done if key != "other"] == ["first", *(f"own {n}" for n in range(5))]


async def fail_twice(*, is_aside: bool) -> list[str]:
    """Return what rounds did of which the first two fail."""
    done: list[str] = []

    async def one() -> None:
        done.append("round")
        if len(done) == 1:
            raise StoreError("refused")
        if len(done) == 2:
            raise KeyError("ours")
        scope.cancel()
        await anyio.lowlevel.checkpoint()

    with anyio.CancelScope() as scope:
        await rounds("step", one, pause=0.001, is_aside=is_aside)
    return done


async def test_a_step_aside_outlives_the_database_and_faults_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await fail_twice(is_aside=True) == ["round"] * 3
    assert "step: refused; trying again" in caplog.text
    assert "step: KeyError" in caplog.text


async def test_a_step_that_is_refused_again_and_again_says_so_once_until_it_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ahead = iter([StoreError("refused")] * 5 + [None] + [StoreError("refused")] * 5)

    async def one() -> None:
        await anyio.lowlevel.checkpoint()
        refusal = next(ahead, scope)
        if refusal is scope:
            scope.cancel()
        elif isinstance(refusal, StoreError):
            raise refusal

    with anyio.CancelScope() as scope:
        await rounds("step", one, pause=0.001)
    assert caplog.text.count("step: refused; trying again") == 2


async def test_a_fault_of_a_step_that_others_need_is_raised() -> None:
    with pytest.raises(KeyError):
        await fail_twice(is_aside=False)


async def test_a_look_that_is_refused_is_not_tried_again_once_the_bell_is_closed() -> None:
    bell, looked = Bell(), anyio.Event()

    async def look() -> None:
        looked.set()
        raise StoreError("the database is closed")

    async def close() -> None:
        await looked.wait()
        bell.close()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
            with pytest.raises(Closed, match="the kit was closed"):
                await patiently("events", look, bell)


@pytest.mark.parametrize("way", ["the database", "our code"])
async def test_a_job_that_breaks_its_batch_is_put_off_alone(store: Store, way: str) -> None:
    await put(store, "a", "bad", "z")

    async def work(taken: list[Job]) -> None:
        if way == "our code" and any(one.key == "bad" for one in taken):
            raise KeyError("bad")
        await store.write(complete_or_break, taken)

    await run_until_done(store, Consumer(store, "plan", work, lambda: 9), "z")
    found = await left(store)
    assert set(found) == {"bad"}
    assert found["bad"].attempts == 1
    assert found["bad"].due_at > store.clock.now() + timedelta(seconds=1)


async def test_a_crew_puts_off_what_breaks_and_has_its_place_back(store: Store) -> None:
    await put(store, "bad")
    taken = await store.write(
        jobs.claim, "plan", worker=store.worker_id, now=store.clock.now(), limit=9, start=0
    )

    async def one(_job: Job) -> None:
        raise ValueError("a body, maybe")

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            crew = Crew(store, "plan", tasks, one, size=3)
            await crew.work(taken)
            assert crew.room() == 2
            await crew.idle()
            assert crew.room() == 3
    found = (await left(store))["bad"]
    assert (found.state, found.error) == ("ready", "ValueError")
