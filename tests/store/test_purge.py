"""What is too old: by when it came, also where that was long before it was stored, or after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select, text, update

from inboxkit.store import events, jobs, messages, purge, runs
from inboxkit.store.columns import metadata
from inboxkit.store.mailgun_tables import mailgun_send
from inboxkit.store.runs import NewRun
from inboxkit.store.tables import message, reference, run, thread
from inboxkit.tokens import first_id
from inboxkit.values import EventType
from tests.mails import mail as wire

from .arriving import SUPPORT, mail, recorded
from .sending import NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx

LONG_AGO = datetime(2003, 1, 2, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, microsecond=999_999, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def came(tx: Tx, at: datetime, *, stored_at: datetime | None = None, state: str = "sent") -> int:
    """Store a message that came at a moment, or long before or after it is stored."""
    return stored(tx, id=first_id(stored_at or at), received_at=at, state=state)


@pytest.mark.parametrize(
    ("at", "stored_at"),
    [
        (MARCH - INSTANT, MARCH - INSTANT),
        (MARCH - INSTANT, MARCH + timedelta(seconds=59)),
        (MARCH - INSTANT, MARCH - INSTANT + timedelta(minutes=1)),
        (MARCH - INSTANT, MARCH + timedelta(minutes=1, seconds=1)),
        (MARCH - INSTANT, MARCH + 100 * DAY),
        (MARCH - INSTANT, MARCH - 100 * DAY),
        (LONG_AGO, MARCH + 100 * DAY),
        (LONG_AGO, MARCH - DAY),
    ],
    ids=str,
)
def test_what_came_before_a_moment_is_found_once_whenever_it_was_stored(
    tx: Tx, at: datetime, stored_at: datetime
) -> None:
    old = came(tx, at, stored_at=stored_at)
    came(tx, MARCH + INSTANT, stored_at=stored_at + DAY)
    assert purge.older_than(tx.connection, MARCH, now=NOW) == [old]


def test_the_oldest_go_first_and_no_more_than_a_portion(tx: Tx) -> None:
    imported = [came(tx, LONG_AGO + n * DAY, stored_at=MARCH + n * DAY) for n in (1, 0)]
    ordinary = [came(tx, MARCH - n * DAY) for n in (1, 2, 3)]

    def found(limit: int) -> list[int]:
        return purge.older_than(tx.connection, MARCH, now=NOW, limit=limit)

    assert found(2) == sorted(ordinary)[:2]
    assert found(4) == [*sorted(ordinary), imported[1]]
    assert found(9) == [*sorted(ordinary), *imported[::-1]]


def test_what_is_not_done_with_and_what_is_of_another_inbox_stays(tx: Tx) -> None:
    came(tx, LONG_AGO, stored_at=MARCH, state="queued")
    came(tx, MARCH - DAY, state="queued")
    assert purge.older_than(tx.connection, MARCH, now=NOW) == []
    came(tx, MARCH - 2 * DAY)
    assert purge.older_than(tx.connection, MARCH, now=NOW, inbox_id=7) == []


@pytest.mark.parametrize("state", ["stored", "queued", "scheduled", "sending"])
def test_what_waits_or_leaves_stays_however_old_and_many(tx: Tx, state: str) -> None:
    at_work = stored(tx, state=state, received_at=LONG_AGO)
    done, newest = (stored(tx, state="sent", received_at=LONG_AGO) for _ in range(2))
    inbox = tx.connection.execute(select(message.c.inbox_id).limit(1)).scalar_one()
    assert at_work < done < newest
    assert purge.older_than(tx.connection, MARCH, now=NOW) == [done, newest]
    assert purge.beyond(tx.connection, inbox, 1, now=NOW) == [done]


@pytest.mark.parametrize("state", ["pending", "retrying", "completed", "failed"])
def test_what_a_handler_is_not_done_with_stays(tx: Tx, state: str) -> None:
    old, _ = (stored(tx, state="sent", received_at=LONG_AGO) for _ in range(2))
    inbox = tx.connection.execute(select(message.c.inbox_id).limit(1)).scalar_one()
    about: dict[str, Any] = {"router": "r", "handler": "h", "kind": "message"}
    runs.insert_new(tx, [NewRun(message_id=old, thread_id=None, inbox_id=inbox, **about)], NOW)
    tx.connection.execute(update(run).values(state=state))
    is_over = state in ("completed", "failed")
    assert (old in purge.older_than(tx.connection, MARCH, now=NOW)) == is_over
    assert (old in purge.beyond(tx.connection, inbox, 1, now=NOW)) == is_over


@pytest.mark.parametrize(("due_at", "is_over"), [(NOW - DAY + INSTANT, False), (NOW - DAY, True)])
@pytest.mark.parametrize("key", ["{id}", "sent:{id}", "event:{seq}"])
def test_what_handlers_are_to_be_planned_for_stays(
    tx: Tx, key: str, due_at: datetime, is_over: bool
) -> None:
    old, _ = (stored(tx, state="sent", received_at=LONG_AGO) for _ in range(2))
    inbox = tx.connection.execute(select(message.c.inbox_id).limit(1)).scalar_one()
    seq = events.append(tx, EventType.BOUNCED, at=NOW, inbox_id=inbox, message_id=old)
    jobs.cancel_prefix(tx, "plan", "event:")
    planned = key.format(id=old, seq=seq)
    jobs.put(tx, [jobs.new_job("plan", planned, inbox_id=inbox, due_at=due_at)])
    assert (old in purge.older_than(tx.connection, MARCH, now=NOW)) == is_over
    assert (old in purge.beyond(tx.connection, inbox, 1, now=NOW)) == is_over


def test_of_a_thread_that_is_left_no_answer_leads_to_what_is_deleted(tx: Tx) -> None:
    found = recorded(tx, mail("one"), mail("two", "one"))
    purge.messages(tx, [found["one"].id])
    named = select(reference.c.message_id).distinct()
    assert set(tx.connection.execute(named).scalars()) == {None, found["two"].id}
    again = recorded(tx, mail("three", "one"))["three"]
    assert again.thread_id == found["two"].thread_id


def test_with_the_last_message_goes_its_thread_and_what_was_merged_into_it(tx: Tx) -> None:
    found = recorded(tx, mail("one"), mail("two", subject="Colour"), mail("left", subject="Cut"))
    found |= recorded(tx, mail("both", "one", "two", subject="Colour"))
    for number in {row.thread_id for row in found.values()}:
        jobs.put(tx, [jobs.new_job("timer", f"{number}:1", inbox_id=1, due_at=NOW)])
    purge.messages(tx, [found[name].id for name in ("one", "two", "both")])
    left = found["left"].thread_id
    for column in (thread.c.id, reference.c.thread_id):
        assert set(tx.connection.execute(select(column)).scalars()) == {left}
    for number, is_left in ((left, True), (found["both"].thread_id, False)):
        assert jobs.is_known(tx.connection, "timer", f"{number}:1") == is_left


def test_a_thread_whose_number_begins_like_that_of_a_deleted_one_keeps_its_reminders(
    tx: Tx,
) -> None:
    row = recorded(tx, mail("one"))["one"]
    timer = jobs.new_job("timer", f"{row.thread_id}0:1", inbox_id=row.inbox_id, due_at=NOW)
    jobs.put(tx, [timer])
    purge.messages(tx, [row.id])
    assert jobs.is_known(tx.connection, "timer", timer["key"])


def hung(tx: Tx, name: str) -> int:
    """Store a message on which something hangs in each table; return its row id."""
    letter = wire(to=SUPPORT, subject=name, files={"a.txt": b"a"})
    id_ = f"Message-ID: <{name}@x.example>\r\nX-Id: <"
    row = recorded(tx, letter.replace(b"Message-ID: <", id_.encode()))[name]
    messages.set_labels(tx, row.id, add=["vip"], remove=[], now=NOW)
    about: dict[str, Any] = {"router": "r", "handler": "h", "kind": "message"}
    about |= {"thread_id": row.thread_id, "inbox_id": row.inbox_id, "withheld": "no handler"}
    runs.insert_new(tx, [NewRun(message_id=row.id, **about)], NOW)
    tx.connection.execute(insert(mailgun_send).values(message_id=row.id, tags=[], is_test=False))
    return int(row.id)


def hanging(tx: Tx) -> dict[str, int]:
    """Count what there is of messages and of what hangs on them, the index included."""
    tables = [t for t in metadata.sorted_tables if "message_id" in t.c or t in (message, thread)]
    counts = {t.name: select(func.count()).select_from(t) for t in tables}
    found = {name: tx.connection.execute(query).scalar_one() for name, query in counts.items()}
    is_sqlite = tx.connection.dialect.name == "sqlite"
    words = " WHERE inboxkit_search MATCH 'hello'" if is_sqlite else ""
    indexed = text(f"SELECT count(*) FROM inboxkit_search{words}")
    return found | {"index": tx.connection.execute(indexed).scalar_one()}


def test_with_a_message_goes_all_that_hangs_on_it_and_nothing_of_another(tx: Tx) -> None:
    hung(tx, "kept")
    before = hanging(tx)
    gone = hung(tx, "gone")
    both = hanging(tx)
    purge.messages(tx, [gone])
    assert hanging(tx) == before
    assert {name: n for name, n in both.items() if n == before[name]} == {"inboxkit_delivery": 0}
