"""Sends that two are at: begun by one of them, never into what the other has deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, func, select, update

from inboxkit import InboxKit, Router
from inboxkit.errors import NotFound, SendError
from inboxkit.store import (
    deliveries,
    departures,
    events,
    inboxes,
    jobs,
    progress,
    purge,
    resolutions,
    sends,
    workers,
)
from inboxkit.store.blobs import Blobs
from inboxkit.store.deliveries import Outcome
from inboxkit.store.jobs import LeaseLost
from inboxkit.store.looks import Look, look
from inboxkit.store.progress import Start
from inboxkit.store.tables import delivery, job, message
from inboxkit.testing.settling import advance
from inboxkit.values import EventType
from tests.mails import DESK, mail

from .at_once import behind
from .sending import ANN, BEN, NOW, staged, stored

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit import Message
    from inboxkit.store.leased import Job
    from inboxkit.store.resolutions import Resolution
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

LATER = NOW + timedelta(days=1)


def numbers(connection: Connection) -> list[int]:
    """Return how many messages there are, and jobs."""
    counts = (select(func.count()).select_from(table) for table in (message, job))
    return [connection.execute(count).scalar_one() for count in counts]


def claim(tx: Tx, worker: int) -> list[Job]:
    return jobs.claim(tx, "send", worker=worker, now=LATER, limit=9, start=0)


def start(held: Job, seen: Look) -> Start:
    return Start(held, seen.row, list(seen.waiting), "smtp", LATER, progress.WHOLE)


@pytest.mark.postgres
async def test_a_send_is_begun_by_one_of_two(store: Store) -> None:
    """One who was taken for dead is about to give it to a provider; another takes it over."""
    number = await store.write(stored, ANN)
    await store.write(workers.register, 1, NOW)
    [mine] = await store.write(claim, 1)
    seen = (await store.read(look, [number], Blobs(None)))[number]
    theirs: list[Job] = []

    def take_over(tx: Tx) -> None:
        workers.leave(tx, [1])
        theirs.extend(claim(tx, 2))

    begin = store.write_grouped(departures.proceed, start(mine, seen))
    assert isinstance(await behind(store, take_over, begin), LeaseLost)
    assert await store.write_grouped(departures.proceed, start(theirs[0], seen)) is None


@pytest.mark.postgres
async def test_a_send_that_the_outbox_takes_is_not_settled_by_hand(store: Store) -> None:
    number = await store.write(stored, ANN)

    def leave_unknown(tx: Tx) -> None:
        tx.connection.execute(update(delivery).values(state="unknown"))

    def settle_it(tx: Tx) -> None:
        resolutions.by_hand(tx, number, "retry", now=NOW)

    await store.write(leave_unknown)
    with pytest.raises(SendError, match="is being asked about now"):
        await behind(store, lambda tx: claim(tx, 5), store.write(settle_it))
    assert await store.read(resolutions.unknown, number) == [ANN]


@pytest.mark.postgres
@pytest.mark.parametrize("second", ["retry", "sent"])
async def test_of_two_who_settle_a_send_by_hand_the_first_decides(
    store: Store, second: Resolution
) -> None:
    """Or one that is to be sent once more might be counted as sent, and never leave."""
    number = await store.write(stored, ANN)

    def leave_unknown(tx: Tx) -> None:
        tx.connection.execute(update(delivery).values(state="unknown"))
        tx.connection.execute(delete(job))

    def settle(tx: Tx, how: Resolution = "retry") -> list[str]:
        return resolutions.by_hand(tx, number, how, now=NOW)

    await store.write(leave_unknown)
    with pytest.raises(SendError, match="its outcome is known"):
        await behind(store, settle, store.write(settle, second))
    states = await store.read(lambda c: c.execute(select(delivery.c.state)).scalars().all())
    assert (states, await store.read(numbers)) == (["queued"], [1, 1])


@pytest.mark.postgres
async def test_a_send_of_which_a_part_is_put_off_keeps_what_an_event_tells(store: Store) -> None:
    number = await store.write(stored, ANN, BEN)

    def tell(tx: Tx, type: EventType) -> None:
        deliveries.happened(tx, number, Outcome(type=type, at=NOW, recipient=BEN), now=NOW)

    def put_off(tx: Tx) -> None:
        deliveries.requeue(tx, number, [ANN], at=NOW)

    await store.write(tell, EventType.ACCEPTED)
    await behind(store, lambda tx: tell(tx, EventType.DELIVERED), store.write(put_off))
    states = await store.read(lambda c: c.execute(select(message.c.state)).scalars().all())
    assert states == ["delivered"]


@pytest.mark.postgres
async def test_no_send_is_stored_in_an_inbox_that_is_deleted(store: Store) -> None:
    item = await store.write(staged, ANN)
    inbox_id = item.row["inbox_id"]
    with pytest.raises(NotFound, match="the inbox was deleted"):
        await behind(store, lambda tx: purge.inbox(tx, inbox_id), store.write(sends.store, [item]))
    assert await store.read(numbers) == [0, 0]


async def test_who_sends_from_an_inbox_that_was_just_deleted_is_told(store: Store) -> None:
    item = await store.write(staged, ANN)
    await store.write(purge.inbox, item.row["inbox_id"])
    with pytest.raises(NotFound, match="the inbox was deleted"):
        await store.write(sends.store, [item])
    assert await store.read(numbers) == [0, 0]


async def test_an_inbox_that_is_being_deleted_sends_nothing_more(store: Store) -> None:
    item = await store.write(staged, ANN)
    await store.write(inboxes.close, item.row["inbox_id"], NOW)
    with pytest.raises(NotFound, match="the inbox was deleted"):
        await store.write(sends.store, [item])
    assert await store.read(numbers) == [0, 0]


async def test_a_handlers_answer_goes_with_the_inbox_that_is_deleted_under_it(
    database: str,
) -> None:
    router = Router()

    @router.on_message()
    async def answer(mail: Message) -> None:
        await mail.reply("Hello")
        await kit.runtime.actions.delete_inbox(DESK)

    async with InboxKit(router, database=database) as kit:
        await kit.inbox(DESK)
        # Its handler may be quicker than ``kit.receive``, which would look for it in vain.
        await kit.runtime.accept.mail(mail(), mail_from=ANN, rcpt_to=[DESK])
        await advance(kit, timedelta(hours=1), timeout=30)
        assert await kit.runtime.store.read(numbers) == [0, 0]
        assert await kit.runtime.store.read(events.last) == 0
