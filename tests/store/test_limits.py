"""Rates, slots and circuits, as rows."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from inboxkit.store import jobs, limits
from inboxkit.store.database import open_database
from inboxkit.store.limit_tables import slot
from inboxkit.store.limits import Closed, Rate, Rules
from inboxkit.store.tables import job, worker
from inboxkit.store.transactions import Tx

from .sending import NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store

SECOND = timedelta(seconds=1)
LIMIT = "waits"


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as opened:
        yield opened


def after(tx: Tx, text: str, count: int, now: float = 0) -> list[float]:
    """Reserve places; return after how many seconds each send may leave."""
    rates = [Rate.parse(word) for word in text.split()]
    moments = limits.reserve(tx, "ses", rates, count, NOW + now * SECOND)
    return [round((moment - NOW).total_seconds(), 3) for moment in moments]


# rates


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("1/s", [0, 1, 2, 3]),
        ("4/s", [0, 0.25, 0.5, 0.75]),
        ("20/s", [0, 0, 0.05, 0.1]),  # a tenth at once
        ("3/d", [0, 0, 0, 28_800]),  # a quota may be used up at once
        ("2/s 2/h", [0, 0.5, 1_800, 3_600]),
    ],
)
def test_sends_leave_no_faster_than_the_rate(tx: Tx, rate: str, expected: list[float]) -> None:
    assert after(tx, rate, 4) == expected


def test_what_others_have_reserved_is_theirs(tx: Tx) -> None:
    assert after(tx, "1/s", 2) == [0, 1]
    assert after(tx, "1/s", 1) == [2]


def test_what_was_not_used_does_not_add_up(tx: Tx) -> None:
    after(tx, "1/s", 2)
    assert after(tx, "1/s", 3, now=60) == [60, 61, 62]


def test_a_clock_that_was_ahead_holds_sends_back_no_longer_than_a_minute_and_what_is_under_way(
    tx: Tx,
) -> None:
    assert after(tx, "256/s", 1, now=3_600) == [3_600]
    [next_] = after(tx, "256/s", 1)
    assert next_ == 61


def test_moments_that_sends_wait_for_stay_theirs(tx: Tx) -> None:
    moments = [NOW + second * SECOND for second in after(tx, "1/s", 1_000)]
    rows = [jobs.new_job("send", n, inbox_id=1, due_at=at) for n, at in enumerate(moments)]
    jobs.put(tx, rows)
    assert after(tx, "1/s", 1) == [1_000]


@pytest.mark.parametrize("text", ["", "14", "0/s", "14/w", "14/ss", "-1/s", "1.5/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        Rate.parse(text)


# slots


def leased(tx: Tx, count: int) -> list[Job]:
    """Lease so many new sends."""
    rows = [jobs.new_job("send", f"s{n}", inbox_id=1, due_at=NOW) for n in range(count)]
    jobs.put(tx, rows)
    tx.connection.execute(
        insert(worker), [{"id": 9, "host": "h", "pid": 1, "started_at": NOW, "beat_at": NOW}]
    )
    return jobs.claim(tx, "send", worker=9, now=NOW, limit=count, start=0)


def test_no_more_slots_are_given_than_there_are(tx: Tx) -> None:
    first, *others = leased(tx, 3)
    assert limits.take_slots(tx, "ses", Rules(slots=2), [first]) == 1
    assert limits.take_slots(tx, "ses", Rules(slots=2), others) == 1
    assert limits.take_slots(tx, "mailgun", Rules(slots=1), others[1:]) == 1


def test_a_slot_is_free_when_its_lease_is_gone(tx: Tx) -> None:
    first, second = leased(tx, 2)
    limits.take_slots(tx, "ses", Rules(slots=1), [first])
    assert limits.take_slots(tx, "ses", Rules(slots=1), [second]) == 0
    jobs.release(tx, [9])  # its process died
    assert limits.take_slots(tx, "ses", Rules(slots=1), [second]) == 1
    assert len(tx.connection.execute(select(slot)).all()) == 1


@pytest.mark.postgres
async def test_two_that_ask_at_once_do_not_both_get_the_last_slot(
    store: Store, database: str
) -> None:
    first, second = await store.write(leased, 2)
    opened = open_database(database)
    with opened.writer.connect() as other:
        assert limits.take_slots(Tx(other), "ses", Rules(slots=1), [first]) == 1
        asking = store.write(limits.take_slots, "ses", Rules(slots=1), [second])
        waiting = asyncio.ensure_future(asking)
        await asyncio.wait({waiting}, timeout=0.2)
        assert not waiting.done()
        other.commit()
    assert await asyncio.wait_for(waiting, 30) == 0
    opened.close()


# the circuit


def fail(tx: Tx, times: int, *, at: timedelta = timedelta(0)) -> None:
    for _ in range(times):
        limits.failed(tx, "ses", begun_at=NOW + at, now=NOW + at, reason=LIMIT)


def shut(tx: Tx, at: float = 0) -> list[float | None]:
    """Return until when the first send and the others have to wait, in seconds."""
    found = limits.closed(tx, "ses", NOW + at * SECOND)
    return [None if c is None else (c.until - NOW).total_seconds() for c in found]


def test_a_few_failures_are_no_outage(tx: Tx) -> None:
    fail(tx, 4)
    assert shut(tx) == [None, None]


def test_five_failures_in_a_row_open_the_circuit(tx: Tx) -> None:
    fail(tx, 5)
    assert shut(tx, 29) == [30, 30]


def test_then_one_send_tries_and_the_others_wait_for_it(tx: Tx) -> None:
    fail(tx, 5)
    assert shut(tx, 30) == [None, 90]
    assert shut(tx, 31) == [90, 90]


def test_each_further_failure_doubles_the_wait_up_to_ten_minutes(tx: Tx) -> None:
    fail(tx, 5)
    fail(tx, 1, at=31 * SECOND)
    assert shut(tx, 31)[0] == 31 + 60
    for hour in range(1, 9):
        fail(tx, 1, at=timedelta(hours=hour))
    assert shut(tx, 8 * 3_600)[0] == 8 * 3_600 + 600


def test_failures_of_what_was_under_way_already_do_not_add_up(tx: Tx) -> None:
    fail(tx, 5, at=SECOND)
    limits.failed(tx, "ses", begun_at=NOW, now=NOW + 2 * SECOND, reason=LIMIT)
    assert shut(tx, 2)[0] == 31


def test_a_success_closes_the_circuit_and_calls_back_what_waits(tx: Tx) -> None:
    fail(tx, 5)
    jobs.put(tx, [jobs.new_job("send", "s", inbox_id=1, due_at=NOW)])
    until = NOW + 30 * SECOND
    assert limits.postpone(tx, until, NOW) == 1
    limits.succeeded(tx, {"ses"}, NOW + SECOND)
    assert shut(tx) == [None, None]
    assert tx.connection.execute(select(job.c.due_at)).scalar() == NOW + SECOND
    assert "send" in tx.woken


def test_a_pause_that_was_asked_for_outlasts_a_success(tx: Tx) -> None:
    limits.pause(tx, "ses", NOW + 60 * SECOND, now=NOW, reason=LIMIT)
    limits.succeeded(tx, {"ses"}, NOW + SECOND)
    assert shut(tx, 59) == [60, 60]
    assert shut(tx, 60) == [None, None]


def test_a_pause_is_never_cut_short(tx: Tx) -> None:
    limits.pause(tx, "ses", NOW + 60 * SECOND, now=NOW, reason=LIMIT)
    limits.pause(tx, "ses", NOW + 10 * SECOND, now=NOW, reason=LIMIT)
    assert limits.circuits(tx.connection) == {"ses": Closed(NOW + 60 * SECOND, LIMIT)}


def test_another_providers_success_changes_nothing(tx: Tx) -> None:
    fail(tx, 5)
    limits.succeeded(tx, {"mailgun"}, NOW)
    assert shut(tx)[0] == 30
