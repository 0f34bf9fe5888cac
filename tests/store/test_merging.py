"""What a thread is once a mail has shown that two were one conversation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from inboxkit.store import readings, sends, threads
from inboxkit.store.tables import thread

from .arriving import mail, parsed, recorded, thread_row
from .sending import ANN, NOW, staged, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx

HOUR = timedelta(hours=1)


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def two_threads(tx: Tx) -> tuple[int, int]:
    rows = recorded(tx, mail("one", subject="A"), mail("two", subject="B"))
    return rows["one"].thread_id, rows["two"].thread_id


def answer(tx: Tx, thread_id: int) -> None:
    sends.store(tx, [replace(staged(tx, ANN), thread_id=thread_id)])


def waiting(tx: Tx, thread_id: int, **values: Any) -> None:
    tx.connection.execute(update(thread).where(thread.c.id == thread_id).values(**values))


def merge(tx: Tx) -> None:
    """Merge both by a mail that nobody wrote, which ends no waiting."""
    automatic = mail("both", "one", "two", subject="C").replace(
        b"\r\nTo:", b"\r\nAuto-Submitted: auto-replied\r\nTo:"
    )
    readings.record(tx, parsed(tx, automatic))


def test_a_thread_that_was_merged_twice_is_found_where_it_went_last(tx: Tx) -> None:
    rows = recorded(tx, *(mail(name, subject=name) for name in ("one", "two", "three")))
    recorded(tx, mail("late", "two", "three"))
    recorded(tx, mail("later", "one", "two"))

    found = threads.resolve(tx.connection, rows["three"].thread_id)
    assert found is not None
    assert (found.id, found.message_count) == (rows["one"].thread_id, 5)


@pytest.mark.parametrize("answered", [0, 1])
def test_a_thread_that_we_wrote_in_is_still_one_after_a_merge(tx: Tx, answered: int) -> None:
    both = two_threads(tx)
    answer(tx, both[answered])
    waiting(tx, both[answered], waiting_since=NOW + HOUR, reminders=2)
    merge(tx)

    kept = thread_row(tx.connection, both[answered])
    assert kept.merged_into is None
    assert (kept.sent_at, kept.waiting_since, kept.reminders) == (NOW, NOW + HOUR, 2)


@pytest.mark.parametrize("first", [None, NOW + 2 * HOUR], ids=["one waits", "both wait"])
def test_a_merged_thread_waits_as_long_as_either_did(tx: Tx, first: datetime | None) -> None:
    one, two = two_threads(tx)
    for thread_id in (one, two):
        answer(tx, thread_id)
    waiting(tx, one, waiting_since=first)
    waiting(tx, two, waiting_since=NOW + HOUR, reminders=1)
    merge(tx)

    kept = thread_row(tx.connection, one)
    assert thread_row(tx.connection, two).merged_into == one
    assert (kept.waiting_since, kept.reminders) == (NOW + HOUR, 1)


def test_a_merged_thread_is_as_new_as_the_newest_of_both(tx: Tx) -> None:
    one, two = two_threads(tx)
    for thread_id in (one, two):
        answer(tx, thread_id)
    newest = dict.fromkeys(("last_at", "received_at", "sent_at"), NOW + HOUR)
    waiting(tx, two, **newest)
    merge(tx)

    kept = thread_row(tx.connection, one)
    assert {name: getattr(kept, name) for name in newest} == newest


def test_an_older_mail_that_comes_later_makes_a_thread_no_older(tx: Tx) -> None:
    root = recorded(tx, mail("root"))["root"]
    [late] = parsed(tx, mail("late", "root"))
    readings.record(tx, [replace(late, stored=replace(late.stored, received_at=NOW - HOUR))])

    found = thread_row(tx.connection, root.thread_id)
    assert (found.message_count, found.received_at, found.last_at) == (2, NOW, NOW)
