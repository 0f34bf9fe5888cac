"""A thread that waits for an answer: what ends that, with its reminders, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit.store import readings, sends, threads, timers
from inboxkit.store.tables import job
from inboxkit.store.timers import NewTimer

from .arriving import mail, parsed, recorded, rows, thread_row
from .sending import ANN, NOW, staged, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def asked(tx: Tx) -> Any:
    """Answer a mail of Ann's and remind her once; return her mail."""
    came = recorded(tx, mail("came"))["came"]
    [sent] = sends.store(tx, [replace(staged(tx, ANN), thread_id=came.thread_id)])
    threads.remind(tx, came.thread_id, 1)
    timer = NewTimer(
        thread_id=came.thread_id,
        inbox_id=came.inbox_id,
        router="shop",
        handler="remind",
        message_id=sent,
        due_at=NOW,
    )
    timers.start(tx, [timer])
    return came


def state(tx: Tx, thread_id: int) -> tuple[bool, int, int]:
    """Return whether a thread waits, how many reminders it had, and how many are to come."""
    row = thread_row(tx.connection, thread_id)
    left = tx.connection.execute(select(job.c.id).where(job.c.kind == "timer")).all()
    return row.waiting_since is not None, row.reminders, len(left)


def answered(tx: Tx, old: bytes = b"", new: bytes = b"") -> Any:
    """Let an answer come, with something put in the place of something else."""
    readings.record(tx, parsed(tx, mail("answer", "came").replace(old, new, 1)))
    return rows(tx.connection)["answer"]


@pytest.mark.parametrize("sender", [b"ann@example.com", b"Ann@Example.com"])
def test_an_answer_of_who_was_asked_ends_it(tx: Tx, sender: bytes) -> None:
    thread_id = asked(tx).thread_id
    assert state(tx, thread_id) == (True, 1, 1)
    answer = answered(tx, b"ann@example.com", sender)
    assert (answer.thread_id, answer.participant) == (thread_id, True)
    assert state(tx, thread_id) == (False, 0, 0)


def test_who_was_not_in_the_conversation_does_not_end_it(tx: Tx) -> None:
    thread_id = asked(tx).thread_id
    answer = answered(tx, b"ann@example.com", b"eve@example.com")
    assert (answer.thread_id, answer.participant) == (thread_id, False)
    assert state(tx, thread_id) == (True, 1, 1)


def test_an_automatic_answer_does_not_end_it(tx: Tx) -> None:
    thread_id = asked(tx).thread_id
    answer = answered(tx, b"To:", b"Auto-Submitted: auto-replied\r\nTo:")
    assert (answer.thread_id, answer.participant) == (thread_id, True)
    assert state(tx, thread_id) == (True, 1, 1)
