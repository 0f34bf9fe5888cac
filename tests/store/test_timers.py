"""Timers of threads: one that is about to fire waits on from a send that came meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select

from inboxkit import Router, Thread
from inboxkit.pipeline.handlers import Handlers
from inboxkit.pipeline.plan import Plan
from inboxkit.pipeline.remind import Remind
from inboxkit.store import jobs, sends, timers
from inboxkit.store.tables import job, message, run
from inboxkit.store.timers import NewTimer

from .sending import ANN, NOW, staged, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Row

    from inboxkit.models import Actions
    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

DAY = timedelta(days=1)
router = Router()


@router.on_no_reply(tag="size", after=3 * DAY, repeat=2)
async def remind(thread: Thread) -> None:
    raise AssertionError(thread)


def timer(row: Row[Any], day: int) -> NewTimer:
    return NewTimer(
        thread_id=row.thread_id,
        inbox_id=row.inbox_id,
        router="shop",
        handler=router.handlers[0].id,
        message_id=row.id,
        due_at=NOW + day * DAY,
    )


def sent(tx: Tx, before: Row[Any] | None = None) -> Row[Any]:
    """Store a send, to the thread of the one before."""
    number = stored(tx, ANN) if before is None else _answer(tx, before.thread_id)
    return tx.connection.execute(select(message).where(message.c.id == number)).one()


def _answer(tx: Tx, thread_id: int) -> int:
    [number] = sends.store(tx, [replace(staged(tx, ANN), thread_id=thread_id)])
    return number


def due(day: int) -> Callable[[Tx], list[Job]]:
    def claim(tx: Tx) -> list[Job]:
        return jobs.claim(tx, "timer", worker=1, now=NOW + day * DAY, limit=9, start=0)

    return claim


def called(connection: Connection) -> Sequence[tuple[int, str]]:
    return [(row.message_id, row.item) for row in connection.execute(select(run))]


def waiting(connection: Connection) -> Sequence[tuple[Any, int]]:
    query = select(job.c.due_at, job.c.data).where(job.c.kind == "timer", job.c.state == "ready")
    return [((row.due_at - NOW) / DAY, row.data["count"]) for row in connection.execute(query)]


async def test_a_timer_that_fires_just_now_waits_on_from_a_newer_send(store: Store) -> None:
    handlers = Handlers(lambda: None)
    handlers.add(router)
    first = await store.write(lambda tx: sent(tx))
    await store.write(timers.start, [timer(first, 3)])
    taken = await store.write(due(3))
    second = await store.write(sent, first)
    await store.write(timers.start, [timer(second, 6)])
    await Remind(store, handlers).work(taken)
    assert (await store.read(called), await store.read(waiting)) == ([], [(6, 1)])

    await Remind(store, handlers).work(await store.write(due(6)))
    assert await store.read(called) == [(second.id, "timer:1")]
    assert await store.read(waiting) == [(9, 2)]


async def test_a_timer_counts_from_the_send_however_late_it_is_planned(store: Store) -> None:
    handlers = Handlers(lambda: None)
    handlers.add(router)
    await store.write(lambda tx: stored(tx, ANN, tag="size"))
    taken = await store.write(
        lambda tx: jobs.claim(tx, "plan", worker=1, now=store.clock.now(), limit=9, start=0)
    )
    await Plan(store, handlers, cast("Actions", None)).work(taken)
    assert await store.read(waiting) == [(3, 1)]
