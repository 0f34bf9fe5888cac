"""Threads on PostgreSQL while two transactions are at them: mail, sends, merges and deletions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit.store import purge, readings, sends, threads
from inboxkit.store.tables import message, reference

from .arriving import mail, parsed, recorded, rows, thread_row
from .at_once import behind
from .sending import ANN, NOW, staged

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit.store.sends import Staged
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx
    from inboxkit.store.unread import Reading

VENDOR = "<vendor@example.com>"


def record(reading: Reading, tx: Tx) -> None:
    readings.record(tx, [reading])


async def apart(store: Store) -> dict[str, Any]:
    """Take in two mails that have nothing in common; return their rows."""
    return await store.write(recorded, mail("one"), mail("two", subject="Other"))


async def joining(store: Store) -> Reading:
    """Accept a mail that shows those two to be one conversation."""
    [reading] = await store.write(parsed, mail("three", "one", "two"))
    return reading


async def answering(store: Store, thread_id: int) -> Staged:
    return replace(await store.write(staged, ANN), thread_id=thread_id)


def named(connection: Connection, rfc_id: str) -> Any:
    return connection.execute(select(reference).where(reference.c.rfc_id == rfc_id)).one()


def message_row(connection: Connection, row_id: int) -> Any:
    return connection.execute(select(message).where(message.c.id == row_id)).one()


@pytest.mark.postgres
async def test_a_reply_keeps_its_thread_when_what_it_answers_is_deleted(store: Store) -> None:
    one = (await store.write(recorded, mail("one")))["one"]
    [reply] = await store.write(parsed, mail("two", "one"))
    await behind(store, partial(record, reply), store.write(purge.messages, [one.id]))

    two = (await store.read(rows))["two"]
    left = await store.read(thread_row, two.thread_id)
    assert (left.message_count, left.last_message_id) == (1, two.id)


@pytest.mark.postgres
async def test_a_reply_is_counted_in_a_thread_of_which_a_mail_is_deleted(store: Store) -> None:
    known = await store.write(recorded, mail("one"), mail("two", "one"))
    [reply] = await store.write(parsed, mail("three", "one"))
    await behind(store, partial(record, reply), store.write(purge.messages, [known["one"].id]))

    left = await store.read(thread_row, known["two"].thread_id)
    assert (left.message_count, left.last_message_id) == (2, reply.stored.id)


@pytest.mark.postgres
async def test_a_thread_goes_with_its_last_two_mails_deleted_at_once(store: Store) -> None:
    known = await store.write(recorded, mail("one"), mail("two", "one"))
    first, second = ([known[name].id] for name in ("one", "two"))
    await behind(store, lambda tx: purge.messages(tx, first), store.write(purge.messages, second))

    assert await store.read(threads.resolve, known["one"].thread_id) is None


@pytest.mark.postgres
async def test_a_send_into_a_thread_that_is_being_merged_goes_where_that_went(
    store: Store,
) -> None:
    known = await apart(store)
    answer = await answering(store, known["two"].thread_id)
    join = await joining(store)
    await behind(store, partial(record, join), store.write(sends.store, [answer]))

    sent = await store.read(message_row, answer.id)
    assert sent.thread_id == known["one"].thread_id
    assert (await store.read(thread_row, sent.thread_id)).message_count == 4


@pytest.mark.postgres
async def test_an_answer_to_such_a_send_is_in_a_thread_that_is_shown(store: Store) -> None:
    known = await apart(store)
    asked = await answering(store, known["two"].thread_id)
    join = await joining(store)
    await behind(store, partial(record, join), store.write(sends.store, [asked]))
    cited = asked.row["message_id"].strip("<>")
    answer = (await store.write(recorded, mail("answer", cited)))["answer"]

    assert answer.thread_id == known["one"].thread_id
    assert (await store.read(thread_row, answer.thread_id)).merged_into is None


@pytest.mark.postgres
async def test_an_id_learned_of_a_send_moves_with_it_when_its_thread_is_merged(
    store: Store,
) -> None:
    known = await apart(store)
    kept, moved = [await answering(store, known[n].thread_id) for n in ("one", "two")]
    await store.write(sends.store, [kept, moved])
    join = await joining(store)

    def learn(tx: Tx) -> None:
        sends.learn_aliases(tx, moved.id, [VENDOR])

    await behind(store, learn, store.write(readings.record, [join]))
    assert (await store.read(message_row, moved.id)).thread_id == known["one"].thread_id
    assert (await store.read(named, VENDOR)).thread_id == known["one"].thread_id


@pytest.mark.postgres
async def test_an_id_learned_of_a_send_stays_its_own_when_a_mail_comes_under_it(
    store: Store,
) -> None:
    [sent] = await store.write(sends.store, [await store.write(staged, ANN)])
    await store.write(recorded, mail("early", "vendor"))  # cites what nobody has learned yet
    [copy] = await store.write(parsed, mail("vendor", subject="Other"))

    def learn(tx: Tx) -> None:
        sends.learn_aliases(tx, sent, [VENDOR])

    await behind(store, learn, store.write_grouped(readings.record, copy))
    learned = await store.read(named, VENDOR)
    assert (learned.outbound, learned.message_id) == (True, sent)


async def test_the_state_of_a_thread_that_was_merged_is_that_of_the_other(store: Store) -> None:
    held = (await apart(store))["two"].thread_id  # as a handler has it in hand
    await store.write(readings.record, [await joining(store)])

    assert await store.write(threads.update_state, held, {"step": 2}, NOW)
    shown = await store.read(threads.resolve, held)
    assert shown is not None and (shown.id != held, shown.state) == (True, {"step": 2})


@pytest.mark.postgres
async def test_a_batch_of_a_send_and_a_mail_holds_no_thread_while_it_waits_its_turn(
    store: Store,
) -> None:
    one = (await store.write(recorded, mail("one")))["one"]
    answer = await answering(store, one.thread_id)
    two, three = await store.write(parsed, mail("two", "one"), mail("three", "one"))
    batch = asyncio.gather(
        store.write(sends.store, [answer]), store.write_grouped(readings.record, two)
    )
    await behind(
        store, lambda tx: tx.take_turns([one.inbox_id]), batch, then=partial(record, three)
    )
    assert (await store.read(thread_row, one.thread_id)).message_count == 4


@pytest.mark.postgres
@pytest.mark.parametrize("batch", ["sends", "mails"])
async def test_a_batch_for_two_threads_takes_them_in_the_order_of_all(
    store: Store, batch: str
) -> None:
    known = await apart(store)
    one, two = sorted(known[name].thread_id for name in ("one", "two"))
    answers = [await answering(store, thread_id) for thread_id in (two, one, one, two)]
    mails = await store.write(parsed, mail("a", "two"), mail("b", "one"))

    def send(tx: Tx, item: Staged) -> None:
        sends.store(tx, [item])

    both = {
        "sends": lambda: store.write(sends.store, answers[:2]),
        "mails": lambda: store.write(readings.record, mails),
    }
    first, then = (partial(send, item=answer) for answer in answers[2:])
    await behind(store, first, both[batch](), then=then)
    counts = [(await store.read(thread_row, row)).message_count for row in (one, two)]
    assert counts == [3, 3]
