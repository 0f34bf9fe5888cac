"""Counts by Mailgun's names, tags and lists to validate, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from inboxkit.store import events, mailgun_stats, mailgun_tags, mailgun_validations
from inboxkit.store.mailgun_events import Wanted
from inboxkit.store.mailgun_tables import mailgun_send
from inboxkit.store.reach import EVERYTHING, Reach
from inboxkit.store.tables import message
from inboxkit.values import EventType

from .sending import ANN, BEN, NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx

DOMAIN = "shop.example"
DAY = timedelta(days=1)
EDGES = (NOW, NOW + DAY, NOW + 2 * DAY)
MONTHS = tuple(datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def sent(tx: Tx, *to: str, tags: tuple[str, ...] = ()) -> int:
    number = stored(tx, *to, tag=tags[0] if tags else "")
    if len(tags) > 1:
        row = {"message_id": number, "tags": list(tags), "is_test": False}
        tx.connection.execute(insert(mailgun_send), [row])
    return number


def happened(tx: Tx, kind: EventType, number: int, *, at: datetime = NOW, **more: Any) -> None:
    row = tx.connection.execute(message.select().where(message.c.id == number)).one()
    about: dict[str, Any] = {"inbox_id": row.inbox_id, "message_id": number, "thread_id": None}
    events.append(tx, kind, at=at, **about, **more)


def counted(
    tx: Tx, edges: tuple[datetime, ...], *names: str, **by: Any
) -> list[mailgun_stats.Count]:
    wanted = Wanted(reach=EVERYTHING, domains=(DOMAIN,), tags=by.pop("tags", ()))
    found = mailgun_stats.counts(tx.connection, wanted, edges, **by)
    found = [one for one in found if not names or one.name in names]
    return sorted(found, key=lambda one: (one.stretch, one.name, one.detail))


def test_an_entry_counts_for_each_recipient_and_stretch(tx: Tx) -> None:
    number = sent(tx, ANN, BEN)  # which logs that it was accepted
    happened(tx, EventType.DELIVERED, number, at=NOW + DAY, recipient=ANN)
    happened(tx, EventType.BOUNCED, number, at=NOW + DAY, recipient=BEN, hard=True)
    happened(tx, EventType.DELIVERED, number, at=NOW + 2 * DAY, recipient=BEN)

    found = [(one.stretch, one.name, one.detail, one.amount) for one in counted(tx, EDGES)]
    assert found == [(0, "accepted", "", 2), (1, "delivered", "", 1), (1, "failed", "hard", 1)]


def test_readers_are_counted_once_in_a_stretch(tx: Tx) -> None:
    number = sent(tx, ANN, BEN)
    for at, recipient in ((0, ANN), (1, ANN), (1, BEN), (32, ANN)):
        happened(tx, EventType.OPENED, number, at=MONTHS[0] + at * DAY, recipient=recipient)

    found = [(one.stretch, one.amount, one.unique) for one in counted(tx, MONTHS, "opened")]
    assert found == [(0, 3, 2), (1, 1, 1)]


def test_what_was_suppressed_says_why(tx: Tx) -> None:
    number = sent(tx, ANN)
    why: dict[str, Any] = {"reason_class": "suppressed", "reason": "suppressed (complained)"}
    happened(tx, EventType.REJECTED, number, recipient=ANN, **why)
    happened(tx, EventType.DEFERRED, number, recipient=ANN)
    details = [(one.detail, one.amount) for one in counted(tx, EDGES, "failed")]
    assert details == [("suppressed (complained)", 1), ("temporary", 1)]


def test_tags_are_counted_and_looked_for(tx: Tx) -> None:
    for tags in (("a", "b"), ("a",), ()):
        sent(tx, ANN, tags=tags)

    found = {one.tags: one.amount for one in counted(tx, EDGES, by_tag=True, by_address=True)}
    assert found == {("a", "b"): 1, ("a",): 1, (): 1}
    assert [sum(one.amount for one in counted(tx, EDGES, tags=[tag])) for tag in "abc"] == [2, 1, 0]


def test_tags_are_listed_with_their_times(tx: Tx) -> None:
    sent(tx, ANN, tags=("a", "ü"))
    mailgun_tags.describe(tx, "", "ü", "everywhere")
    mailgun_tags.describe(tx, DOMAIN, "a", "here")
    found = mailgun_tags.listed(tx.connection, EVERYTHING, DOMAIN)
    assert [(one.name, one.first_at, one.description) for one in found] == [
        ("a", NOW, "here"),
        ("ü", NOW, "everywhere"),
    ]
    assert mailgun_tags.listed(tx.connection, EVERYTHING, "other.example") == []
    assert mailgun_tags.listed(tx.connection, Reach(pod_id="pod_other")) == []
    mailgun_tags.remove(tx, DOMAIN, "a", NOW)
    assert [one.name for one in mailgun_tags.listed(tx.connection, EVERYTHING, DOMAIN)] == ["ü"]


def test_old_lists_are_forgotten_once_they_are_done(tx: Tx) -> None:
    for name in ("done", "waiting"):
        new = mailgun_validations.NewList("", name, 1, False, NOW)
        mailgun_validations.create(tx, new, mailgun_validations.packed([ANN]))
    done = mailgun_validations.find(tx.connection, "", "done")
    assert done is not None
    mailgun_validations.put_part(tx, done.id, 0, mailgun_validations.Verdicts.of([]))
    mailgun_validations.finish(tx, done.id)
    assert mailgun_validations.forget(tx, NOW) == 0
    assert mailgun_validations.forget(tx, NOW + DAY) == 1
    assert mailgun_validations.listed(tx.connection, "", 9)[0] == 1
    assert mailgun_validations.verdicts(tx.connection, done.id, 0) is None


@pytest.mark.sqlite
def test_tags_are_found_by_their_index(tx: Tx) -> None:
    driver: Any = tx.connection.connection.dbapi_connection
    asked: list[str] = []
    driver.set_trace_callback(asked.append)
    mailgun_tags.listed(tx.connection, EVERYTHING)
    driver.set_trace_callback(None)
    [query] = [one for one in asked if "inboxkit_message.tag" in one]
    steps = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert any("inboxkit_message_tag" in step for step in steps), steps
