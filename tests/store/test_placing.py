"""Mails that are read in one batch: each sees what the one before it did to the threads."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit.errors import StoreError
from inboxkit.parsing import parse
from inboxkit.store import arrivals, inboxes, jobs, purge, readings
from inboxkit.store.arrivals import Arrival
from inboxkit.store.blobs import Packed
from inboxkit.store.known_threads import KnownThreads
from inboxkit.store.readings import Reading
from inboxkit.store.refusals import Unstorable
from inboxkit.store.tables import attachment, content, event, job, message, reference, thread
from inboxkit.store.workers import register
from inboxkit.store.writer import Tx
from inboxkit.tokens import new_id

from .listening import walks
from .sending import NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.store import Store

SUPPORT = "support@shop.example"


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def _mail(name: str, *cited: str, subject: str = "Size") -> bytes:
    references = f"References: {' '.join(f'<{c}@example.com>' for c in cited)}\r\n" if cited else ""
    return (
        f"From: ann@example.com\r\nTo: {SUPPORT}\r\nSubject: {subject}\r\n"
        f"Message-ID: <{name}@example.com>\r\n{references}\r\nHello from {name}\r\n"
    ).encode()


def _read(tx: Tx, *mails: bytes) -> dict[str, Any]:
    """Accept and read mails as one batch; return every row by the name in its Message-ID."""
    readings.record(tx, _parsed(tx, *mails))
    rows = tx.connection.execute(select(message)).all()
    return {row.message_id.strip("<>").partition("@")[0]: row for row in rows}


def _parsed(tx: Tx, *mails: bytes) -> list[Reading]:
    """Accept and parse mails; return what is to be stored of them."""
    inbox = inboxes.create(tx, SUPPORT, now=NOW)
    worker = new_id()
    register(tx, worker, NOW)
    arrivals.accept(tx, [(_arrival(inbox.id, raw),) for raw in mails])
    taken = jobs.claim(tx, "read", worker=worker, now=NOW, limit=100, start=0)
    found = readings.unread(tx.connection, [int(job.key) for job in taken])
    return [_reading(job, found[int(job.key)]) for job in taken]


def _arrival(inbox_id: int, raw: bytes) -> Arrival:
    return Arrival(
        id=new_id(),
        inbox_id=inbox_id,
        received_at=NOW,
        mail_from="ann@example.com",
        rcpt_to=(SUPPORT,),
        packed=Packed(raw),
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _reading(job: jobs.Job, item: readings.Stored) -> Reading:
    raw = item.packed.data
    assert raw is not None
    return Reading(
        stored=item, parsed=parse(raw), auth={}, own=(SUPPORT,), token_row=None, job=job, now=NOW
    )


def _thread(tx: Tx, row_id: int) -> Any:
    return tx.connection.execute(select(thread).where(thread.c.id == row_id)).one()


def test_a_reply_finds_the_mail_before_it_in_the_batch(tx: Tx) -> None:
    rows = _read(tx, _mail("root"), _mail("reply", "root", subject="Re: Size"))

    assert rows["reply"].thread_id == rows["root"].thread_id
    assert _thread(tx, rows["root"].thread_id).message_count == 2
    assert _thread(tx, rows["root"].thread_id).last_message_id == rows["reply"].id


def test_a_parent_that_comes_after_its_reply_joins_it(tx: Tx) -> None:
    rows = _read(tx, _mail("reply", "root", subject="Re: Size"), _mail("root"))

    assert rows["root"].thread_id == rows["reply"].thread_id
    known = select(reference.c.message_id).where(reference.c.rfc_id == "<root@example.com>")
    assert tx.connection.execute(known).scalar_one() == rows["root"].id


def test_a_mail_that_cites_two_threads_of_its_batch_makes_them_one(tx: Tx) -> None:
    first, second = _mail("one", subject="A"), _mail("two", subject="B")
    rows = _read(tx, first, second, _mail("both", "one", "two", subject="C"))

    assert {row.thread_id for row in rows.values()} == {rows["one"].thread_id}
    assert _thread(tx, rows["one"].thread_id).message_count == 3
    merged = select(thread.c.merged_into).where(thread.c.id != rows["one"].thread_id)
    assert tx.connection.execute(merged).scalar_one() == rows["one"].thread_id
    assert set(tx.connection.execute(select(event.c.thread_id)).scalars()) == {
        rows["one"].thread_id
    }


def test_what_is_merged_and_deleted_is_found_by_indexes(tx: Tx) -> None:
    rows = _read(tx, _mail("one", subject="A"), _mail("two", subject="B"))
    joining = _parsed(tx, _mail("both", "one", "two", subject="C"))
    assert walks(tx.connection, lambda: readings.record(tx, joining)) == []
    assert _thread(tx, rows["two"].thread_id).merged_into == rows["one"].thread_id

    log = select(event.c.thread_id).where(event.c.message_id == rows["two"].id)
    assert set(tx.connection.execute(log).scalars()) == {rows["one"].thread_id}
    every = [rows["one"].id, rows["two"].id, joining[0].stored.id]
    assert walks(tx.connection, lambda: purge.messages(tx, every)) == []
    assert not tx.connection.execute(select(thread)).all()  # nor those that were merged


def test_threads_of_earlier_batches_are_merged_as_well(tx: Tx) -> None:
    _read(tx, _mail("one", subject="A"))
    _read(tx, _mail("two", subject="B"), _mail("three", "two", subject="B"))

    rows = _read(tx, _mail("both", "one", "two", subject="C"), _mail("late", "three", subject="B"))

    assert {row.thread_id for row in rows.values()} == {rows["one"].thread_id}
    assert _thread(tx, rows["one"].thread_id).message_count == 5
    where = select(reference.c.thread_id).distinct()
    assert list(tx.connection.execute(where).scalars()) == [rows["one"].thread_id]


def test_what_a_thread_knows_comes_back_as_it_was_written(tx: Tx) -> None:
    rows = _read(tx, _mail("root"), _mail("reply", "root", subject="Re: Size"))
    found = _thread(tx, rows["root"].thread_id)

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
    gone, kept = _parsed(tx, _mail("gone"), _mail("kept"))
    purge.messages(tx, [gone.stored.id])

    assert readings.record(tx, [gone, kept]) == [gone.stored.id, kept.stored.id]
    assert _left(tx) == [kept.stored.id]
    assert tx.connection.execute(select(thread.c.message_count)).scalars().all() == [1]
    assert tx.connection.execute(select(job.c.kind)).scalars().all() == ["plan"]


@pytest.mark.postgres
async def test_what_is_being_stored_as_its_message_is_deleted_goes_with_it(store: Store) -> None:
    [read] = await store.write(_parsed, _mail("one"))
    with store.database.writer.connect() as reading:
        readings.record(Tx(reading), [read])
        deleting = asyncio.ensure_future(store.write(purge.messages, [read.stored.id]))
        await asyncio.wait({deleting}, timeout=0.2)
        assert not deleting.done()
        reading.commit()
    await asyncio.wait_for(deleting, 30)
    assert await store.write(_left) == []
