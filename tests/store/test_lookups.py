"""What a mail without known ids is compared with: its own inbox's threads, as they are now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from inboxkit.store import readings, sends
from inboxkit.store.tables import inbox, message, reference, thread

from .arriving import SUPPORT, mail, parsed, recorded, rows, thread_row
from .sending import ANN, NOW, staged, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx

OTHER = "other@shop.example"
SUBJECT = "Garden shed"
WORDS = b"We would like to have the larger one of the two\r\n"
VENDOR = "<vendor@example.com>"


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def answer(name: str, subject: str = SUBJECT) -> bytes:
    return mail(name, subject=f"Re: {subject}")


def quoting(name: str) -> bytes:
    return answer(name) + b"\r\n> " + WORDS


def named(tx: Tx, rfc_id: str) -> dict[str, Any]:
    """Return what the inboxes know under an id, by their addresses."""
    joined = select(inbox.c.address, reference).join(reference, reference.c.inbox_id == inbox.c.id)
    found = tx.connection.execute(joined.where(reference.c.rfc_id == rfc_id))
    return {row.address: row for row in found}


@pytest.mark.parametrize("together", [False, True], ids=["later", "in one batch"])
def test_a_subject_is_looked_for_in_ones_own_inbox(tx: Tx, together: bool) -> None:
    theirs = parsed(tx, mail("root", subject=SUBJECT), to=OTHER)
    if not together:
        readings.record(tx, theirs)
    ours = parsed(tx, answer("reply"))
    readings.record(tx, [*theirs, *ours] if together else ours)

    found = rows(tx.connection)
    assert found["reply"].thread_id != found["root"].thread_id


def test_a_thread_that_was_merged_is_found_by_no_subject(tx: Tx) -> None:
    before = recorded(tx, mail("one", subject="Rain"), mail("two", subject=SUBJECT))
    recorded(tx, mail("both", "one", "two", subject="Rain"))
    assert thread_row(tx.connection, before["two"].thread_id).merged_into is not None

    late = recorded(tx, answer("late"))["late"]
    assert thread_row(tx.connection, late.thread_id).merged_into is None


@pytest.mark.parametrize(("days", "joins"), [(179, True), (181, False)])
def test_words_are_looked_for_in_threads_of_half_a_year(tx: Tx, days: int, joins: bool) -> None:
    root = recorded(tx, mail("root", subject=SUBJECT) + b"\r\n" + WORDS)["root"]
    mine, at = thread.c.id == root.thread_id, NOW - timedelta(days=days)
    tx.connection.execute(update(thread).where(mine).values(last_at=at))

    reply = recorded(tx, quoting("reply"))["reply"]
    assert (reply.thread_id == root.thread_id) is joins


def test_a_parent_that_comes_late_is_that_of_its_own_inbox(tx: Tx) -> None:
    recorded(tx, mail("theirs", "root"), to=OTHER)
    recorded(tx, mail("reply", "root"))
    root = recorded(tx, mail("root"))["root"]

    known = named(tx, "<root@example.com>")
    assert {name: row.message_id for name, row in known.items()} == {SUPPORT: root.id, OTHER: None}


def test_an_id_that_is_learned_of_a_send_is_its_own_inboxs(tx: Tx) -> None:
    recorded(tx, mail("theirs", "vendor"), to=OTHER)
    recorded(tx, mail("early", "vendor"))
    sent = stored(tx, ANN)
    sends.learn_aliases(tx, sent, [VENDOR])

    known = named(tx, VENDOR)
    assert {name: row.message_id for name, row in known.items()} == {SUPPORT: sent, OTHER: None}


def test_an_id_that_another_inbox_knows_is_learned_all_the_same(tx: Tx) -> None:
    recorded(tx, mail("theirs", "vendor"), to=OTHER)
    sent = stored(tx, ANN)
    sends.learn_aliases(tx, sent, [VENDOR])

    reply = recorded(tx, mail("reply", "vendor"))["reply"]
    assert reply.answers_id == sent


def test_an_answer_by_its_subject_is_to_our_last_message(tx: Tx) -> None:
    sent = stored(tx, ANN)
    recorded(tx, answer("first", "Size"))

    second = recorded(tx, answer("second", "Size"))["second"]
    assert second.answers_id == sent


def test_after_a_merge_it_is_to_the_last_of_both(tx: Tx) -> None:
    before = recorded(tx, mail("one"), mail("two", subject="Rain"))
    first, last = (
        sends.store(tx, [replace(staged(tx, ANN), thread_id=before[name].thread_id)])[0]
        for name in ("one", "two")
    )
    found = recorded(
        tx, answer("before", "Size"), mail("both", "one", "two"), answer("after", "Size")
    )

    assert (found["before"].answers_id, found["after"].answers_id) == (first, last)
    assert len(set(tx.connection.execute(select(message.c.thread_id)).scalars())) == 1
