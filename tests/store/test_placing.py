"""Mails that are read in one batch: each sees what the one before it did to the threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit.errors import StoreError
from inboxkit.store import purge, readings
from inboxkit.store.known_threads import KnownThreads
from inboxkit.store.refusals import Unstorable
from inboxkit.store.tables import attachment, content, event, job, reference, thread

from .arriving import SUPPORT, mail, parsed, recorded, thread_row
from .at_once import behind
from .listening import walks
from .sending import NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def test_a_reply_finds_the_mail_before_it_in_the_batch(tx: Tx) -> None:
    rows = recorded(tx, mail("root"), mail("reply", "root", subject="Re: Size"))

    assert rows["reply"].thread_id == rows["root"].thread_id
    assert thread_row(tx.connection, rows["root"].thread_id).message_count == 2
    assert thread_row(tx.connection, rows["root"].thread_id).last_message_id == rows["reply"].id


def test_a_parent_that_comes_after_its_reply_joins_it(tx: Tx) -> None:
    rows = recorded(tx, mail("reply", "root", subject="Re: Size"), mail("root"))

    assert rows["root"].thread_id == rows["reply"].thread_id
    known = select(reference.c.message_id).where(reference.c.rfc_id == "<root@example.com>")
    assert tx.connection.execute(known).scalar_one() == rows["root"].id


def test_a_mail_that_cites_two_threads_of_its_batch_makes_them_one(tx: Tx) -> None:
    first, second = mail("one", subject="A"), mail("two", subject="B")
    rows = recorded(tx, first, second, mail("both", "one", "two", subject="C"))

    assert {row.thread_id for row in rows.values()} == {rows["one"].thread_id}
    assert thread_row(tx.connection, rows["one"].thread_id).message_count == 3
    merged = select(thread.c.merged_into).where(thread.c.id != rows["one"].thread_id)
    assert tx.connection.execute(merged).scalar_one() == rows["one"].thread_id
    assert set(tx.connection.execute(select(event.c.thread_id)).scalars()) == {
        rows["one"].thread_id
    }


def test_what_is_merged_and_deleted_is_found_by_indexes(tx: Tx) -> None:
    rows = recorded(tx, mail("one", subject="A"), mail("two", subject="B"))
    joining = parsed(tx, mail("both", "one", "two", subject="C"))
    assert walks(tx.connection, lambda: readings.record(tx, joining)) == []
    assert thread_row(tx.connection, rows["two"].thread_id).merged_into == rows["one"].thread_id

    log = select(event.c.thread_id).where(event.c.message_id == rows["two"].id)
    assert set(tx.connection.execute(log).scalars()) == {rows["one"].thread_id}
    every = [rows["one"].id, rows["two"].id, joining[0].stored.id]
    assert walks(tx.connection, lambda: purge.messages(tx, every)) == []
    assert not tx.connection.execute(select(thread)).all()  # nor those that were merged


def test_threads_of_earlier_batches_are_merged_as_well(tx: Tx) -> None:
    recorded(tx, mail("one", subject="A"))
    recorded(tx, mail("two", subject="B"), mail("three", "two", subject="B"))

    rows = recorded(tx, mail("both", "one", "two", subject="C"), mail("late", "three", subject="B"))

    assert {row.thread_id for row in rows.values()} == {rows["one"].thread_id}
    assert thread_row(tx.connection, rows["one"].thread_id).message_count == 5
    where = select(reference.c.thread_id).distinct()
    assert list(tx.connection.execute(where).scalars()) == [rows["one"].thread_id]


def test_what_a_thread_knows_comes_back_as_it_was_written(tx: Tx) -> None:
    rows = recorded(tx, mail("root"), mail("reply", "root", subject="Re: Size"))
    found = thread_row(tx.connection, rows["root"].thread_id)

    assert found.last_at == NOW
    assert [person[0] for person in found.participants] == ["ann@example.com", SUPPORT]
    assert (found.orphan, found.state, found.sent_at) == (False, {}, None)


def test_a_thread_that_has_just_been_deleted_blames_no_mail(tx: Tx) -> None:
    with pytest.raises(StoreError) as gone:
        KnownThreads(tx).thread(7)
    assert not isinstance(gone.value, Unstorable)  # the mail is read again


def _left(tx: Tx) -> list[int | None]:
    """Return the messages that any row with their words names."""
    columns = (content.c.message_id, attachment.c.message_id, event.c.message_id)
    found = {row for c in columns for row in tx.connection.execute(select(c)).scalars()}
    return sorted(found | set(tx.connection.execute(select(reference.c.message_id)).scalars()))


def test_of_a_message_that_was_deleted_meanwhile_nothing_is_stored(tx: Tx) -> None:
    gone, kept = parsed(tx, mail("gone"), mail("kept"))
    purge.messages(tx, [gone.stored.id])

    assert readings.record(tx, [gone, kept]) == [gone.stored.id, kept.stored.id]
    assert _left(tx) == [kept.stored.id]
    assert tx.connection.execute(select(thread.c.message_count)).scalars().all() == [1]
    assert tx.connection.execute(select(job.c.kind)).scalars().all() == ["plan"]


@pytest.mark.postgres
async def test_what_is_being_stored_as_its_message_is_deleted_goes_with_it(store: Store) -> None:
    [read] = await store.write(parsed, mail("one"))

    def record(tx: Tx) -> None:
        readings.record(tx, [read])

    await behind(store, record, store.write(purge.messages, [read.stored.id]))
    assert await store.write(_left) == []
