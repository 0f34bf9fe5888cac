"""Jobs that are leased as they are born, for steps of the same process that wait for them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy.exc import OperationalError

from inboxkit.errors import StoreError
from inboxkit.store import backlog, jobs, workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

SECOND = timedelta(seconds=1)


async def put(
    store: Store, *keys: str, lane: str | None = None, later: timedelta = timedelta(0)
) -> None:
    due = store.clock.now() + later
    rows = [jobs.new_job("run", key, inbox_id=1, due_at=due, lane=lane) for key in keys]
    await store.write(jobs.put, rows)


def offer(store: Store, kind: str = "run", room: int = 5) -> None:
    """Wait for jobs as a step does that has just found none to claim."""
    store.takers.offer(kind, room, left=store.takers.left(kind))


async def handed(store: Store, number: int) -> list[str]:
    """Return the keys of what was handed over, once it is so many jobs."""
    found: list[Job] = []
    with anyio.fail_after(30):
        while True:
            seen = store.bell.count("run")
            found += store.takers.collect("run", 10)
            if len(found) >= number:
                break
            await store.bell.wait("run", seen)
    await store.write(jobs.complete, found)  # refused for any that was not leased to us
    return [job.key for job in found]


async def claimed(store: Store) -> list[str]:
    """Return the keys of what nobody was handed."""
    now = store.clock.now()
    taken = await store.write(jobs.claim, "run", worker=7, now=now, limit=10, start=0)
    return [job.key for job in taken]


async def test_what_a_step_waits_for_is_handed_to_it(store: Store) -> None:
    offer(store)
    await put(store, "a")
    assert await claimed(store) == []
    assert await handed(store, 1) == ["a"]
    assert await store.read(backlog.count, ["run"]) == 0


async def test_an_offer_is_used_up(store: Store) -> None:
    offer(store)
    for key in "abc":
        await put(store, key)
    assert await claimed(store) == ["c"]
    # in no order: PostgreSQL's writers hand over what they committed each in its own thread
    assert sorted(await handed(store, 2)) == ["a", "b"]


async def test_many_at_once_are_left_to_be_claimed(store: Store) -> None:
    offer(store)
    await put(store, "a", "b", "c")
    assert await claimed(store) == ["a", "b", "c"]


async def test_what_comes_behind_those_left_to_be_claimed_is_left_too(store: Store) -> None:
    offer(store)
    await put(store, "a", "b", "c")
    await put(store, "d")
    assert await claimed(store) == ["a", "b", "c", "d"]


async def test_what_was_left_since_the_last_claim_comes_first(store: Store) -> None:
    left = store.takers.left("run")
    await put(store, "a")
    store.takers.offer("run", 5, left=left)
    await put(store, "b")
    assert await claimed(store) == ["a", "b"]


WITHOUT: list[Callable[[Store], None]] = [
    lambda store: offer(store, "plan"),
    lambda store: offer(store, room=0),
    lambda store: store.takers.withdraw("run"),
    lambda store: store.takers.close(),
]


@pytest.mark.parametrize("change", WITHOUT, ids=["another kind", "no room", "busy", "stopping"])
async def test_nothing_is_handed_to_who_does_not_wait(
    store: Store, change: Callable[[Store], None]
) -> None:
    if change is not WITHOUT[0]:
        offer(store)
    change(store)
    await put(store, "a")
    assert await claimed(store) == ["a"]


async def test_what_is_due_later_waits(store: Store) -> None:
    offer(store)
    await put(store, "later", later=SECOND)
    assert await claimed(store) == []
    store.clock.advance(SECOND)
    assert await claimed(store) == ["later"]


async def test_of_a_lane_only_the_first_is_handed_over(store: Store) -> None:
    offer(store)
    await put(store, "a", "b", lane="l")
    await put(store, "c", lane="l")
    assert await handed(store, 1) == ["a"]
    assert await claimed(store) == ["b"]


async def test_what_was_undone_is_not_handed_over(store: Store) -> None:
    def broken(tx: Tx) -> None:
        jobs.put(tx, [jobs.new_job("run", "a", inbox_id=1, due_at=store.clock.now())])
        raise ZeroDivisionError

    offer(store)
    async with anyio.create_task_group() as tasks:  # they share a transaction
        tasks.start_soon(put, store, "b")
        with pytest.raises(ZeroDivisionError):
            await store.write(broken)
    assert await handed(store, 1) == ["b"]
    assert not store.takers.has("run")


async def test_the_lease_of_a_process_that_died_is_free_again(store: Store) -> None:
    offer(store)
    await put(store, "a")
    await store.write(workers.leave, [store.worker_id])
    assert await claimed(store) == ["a"]


def committed_unseen(tx: Tx) -> None:
    """Commit, and let the answer be lost on its way."""
    tx.connection.exec_driver_sql("COMMIT")
    tx.is_committing = True
    raise OperationalError("COMMIT", None, Exception("disk I/O error"))


async def test_a_lease_whose_commit_broke_off_is_given_up(store: Store) -> None:
    def born(tx: Tx) -> None:
        jobs.put(tx, [jobs.new_job("run", "born", inbox_id=1, due_at=store.clock.now())])
        committed_unseen(tx)

    def claim(tx: Tx) -> None:
        now = store.clock.now()
        jobs.claim(tx, "run", worker=store.worker_id, now=now, limit=9, start=0)
        committed_unseen(tx)

    await put(store, "under way")
    now, me = store.clock.now(), store.worker_id
    await store.write(jobs.claim, "run", worker=me, now=now, limit=1, start=0)
    await put(store, "claimed")
    with pytest.raises(StoreError):
        await store.write(claim)
    offer(store)
    with pytest.raises(StoreError):
        await store.write(born)
    assert await claimed(store) == []
    rung = store.bell.count("run")
    await store.give_up_leases()
    with anyio.fail_after(30):  # whoever waits for jobs is told
        await store.bell.wait("run", rung)
    assert sorted(await claimed(store)) == ["born", "claimed"]
    assert store.takers.doubted() == frozenset()


async def test_what_is_handed_over_as_the_process_stops_is_free_again(store: Store) -> None:
    offer(store)
    await put(store, "handed")
    await put(store, "reserved")
    store.takers.close()
    found: list[str] = []
    with anyio.fail_after(30):
        while len(found) < 2:  # the second may be handed over after the first look
            await store.give_up_leases()
            found += await claimed(store)
    assert sorted(found) == ["handed", "reserved"]
    assert store.takers.unused() == []
