"""Scheduled sends that are taken back: only those that have not begun to leave are deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit.pipeline.deletion import cancel, delete_scheduled
from inboxkit.store import departures, jobs, mailgun_sends, purge, sends
from inboxkit.store.blobs import Blobs
from inboxkit.store.departures import Overtaken
from inboxkit.store.looks import look
from inboxkit.store.progress import WHOLE, Start, Took
from inboxkit.store.purge import NotScheduled
from inboxkit.store.reach import EVERYTHING
from inboxkit.store.tables import job, message, thread

from .at_once import behind
from .sending import ANN, BEN, NOW, staged, stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx


def scheduled(tx: Tx) -> int:
    return stored(tx, ANN, state="scheduled", tag="offer")


def due(tx: Tx) -> Job:
    [held] = jobs.claim(tx, "send", worker=7, now=NOW, limit=1, start=0)
    return held


async def start(store: Store, number: int, held: Job) -> Start:
    row = (await store.read(look, [number], Blobs(None)))[number].row
    return Start(held, row, [ANN], "smtp", NOW, WHOLE)


async def left(store: Store) -> Sequence[int]:
    return await store.read(lambda c: c.execute(select(message.c.id)).scalars().all())


@pytest.mark.parametrize("taken", [False, True], ids=["leaving", "left"])
async def test_what_leaves_meanwhile_is_kept(store: Store, taken: bool) -> None:
    number = await store.write(scheduled)
    rows = await store.read(mailgun_sends.scheduled, EVERYTHING, "shop.example")
    held = await store.write(due)
    begin = await start(store, number, held)
    row = begin.row
    await store.write_grouped(departures.proceed, begin)
    if taken:
        took = Took(held, row, [ANN], "smtp", "x", (), NOW)
        await store.write_grouped(departures.proceed, took)
    await delete_scheduled(store, rows)
    with pytest.raises(NotScheduled, match=f"is {'accepted' if taken else 'sending'};"):
        await cancel(store, number)
    assert (rows, await left(store)) == ([number], [number])


@pytest.mark.parametrize("alone", [False, True], ids=["many", "one"])
async def test_what_waits_is_deleted_with_its_job(store: Store, alone: bool) -> None:
    number = await store.write(scheduled)
    await (cancel(store, number) if alone else delete_scheduled(store, [number]))
    assert await left(store) == []
    assert await store.read(lambda c: c.execute(select(job.c.id)).all()) == []


async def test_a_thread_shows_and_waits_for_what_is_left(store: Store) -> None:
    await store.write(lambda tx: stored(tx, ANN, preview="Which size?"))
    before = await store.read(shown)
    number = await store.write(follow_up)
    assert await store.read(shown) != before
    await cancel(store, number)
    assert await store.read(shown) == before


async def test_another_thread_waits_as_before(store: Store) -> None:
    await store.write(lambda tx: stored(tx, ANN))
    number = await store.write(follow_up)
    earlier = dict.fromkeys(("received_at", "created_at"), NOW - timedelta(days=1))
    await store.write(lambda tx: stored(tx, BEN, **earlier))
    before = await store.read(waiting)
    await cancel(store, number)
    assert await store.read(waiting) == before
    assert len(set(before)) == 2


def waiting(connection: Connection) -> Sequence[Any]:
    return connection.execute(select(thread.c.waiting_since).order_by(thread.c.id)).scalars().all()


def follow_up(tx: Tx) -> int:
    row: dict[str, Any] = {"state": "scheduled", "preview": "Still?"}
    row |= dict.fromkeys(("received_at", "created_at"), NOW + timedelta(days=1))
    held = tx.connection.execute(select(thread.c.id)).scalar_one()
    [number] = sends.store(tx, [replace(staged(tx, ANN, **row), thread_id=held)])
    return number


def shown(connection: Connection) -> Sequence[Any]:
    columns = (thread.c.preview, thread.c.last_at, thread.c.received_at, thread.c.sent_at)
    return tuple(connection.execute(select(*columns, thread.c.waiting_since)).one())


@pytest.mark.postgres
async def test_what_begins_to_leave_at_that_moment_is_not_cancelled(store: Store) -> None:
    number = await store.write(scheduled)
    begin = await start(store, number, await store.write(due))
    with pytest.raises(NotScheduled, match="is sending;"):
        await behind(store, lambda tx: departures.proceed(tx, [begin]), cancel(store, number))
    assert await left(store) == [number]


@pytest.mark.postgres
async def test_what_is_cancelled_at_that_moment_does_not_leave(store: Store) -> None:
    number = await store.write(scheduled)
    begin = await start(store, number, await store.write(due))
    leave = store.write_grouped(departures.proceed, begin)
    with pytest.raises(Overtaken, match="it was sent or taken back"):
        await behind(store, lambda tx: purge.cancel(tx, number), leave)
    assert await left(store) == []
