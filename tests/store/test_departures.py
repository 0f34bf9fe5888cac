"""Sends that leave, many in one transaction, and what events or other processes did meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from inboxkit.store import deliveries, departures, jobs, limits, suppressions
from inboxkit.store.blobs import Blobs
from inboxkit.store.deliveries import Outcome
from inboxkit.store.departures import Later, Overtaken
from inboxkit.store.jobs import LeaseLost
from inboxkit.store.leased import Job
from inboxkit.store.limit_tables import circuit, pace, slot
from inboxkit.store.limits import Rate, Rules
from inboxkit.store.looks import Look, look
from inboxkit.store.progress import Start, Took
from inboxkit.store.tables import delivery, event, job, message
from inboxkit.values import EventType

from .sending import ANN, BEN, NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx

Sends = list[tuple[Job, Look]]


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as opened:
        yield opened


def leased(tx: Tx, *sends: tuple[str, ...]) -> Sends:
    """Store sends to these recipients, lease them and look at them."""
    for to in sends:
        stored(tx, *to)
    found = jobs.claim(tx, "send", worker=1, now=NOW, limit=99, start=0)
    seen = look(tx.connection, [int(j.key) for j in found], Blobs(None))
    return [(j, seen[int(j.key)]) for j in found]


def start(send: tuple[Job, Look], rules: Rules | None = None) -> Start:
    held, look = send
    return Start(held, look.row, list(look.waiting), "mailgun", NOW, 1, rules or Rules())


def took(send: tuple[Job, Look], *recipients: str) -> Took:
    held, look = send
    people = recipients or tuple(look.waiting)
    return Took(held, look.row, people, "mailgun", f"<{look.row.id}@x>", (), NOW)


def happened(tx: Tx, send: tuple[Job, Look], kind: EventType, recipient: str) -> None:
    told = Outcome(type=kind, at=NOW, recipient=recipient, event_id="e")
    deliveries.happened(tx, send[1].row.id, told, now=NOW)


def states(tx: Tx, send: tuple[Job, Look]) -> list[str]:
    """Return the state of a send, then of its recipients in order."""
    number = send[1].row.id
    whole = tx.connection.execute(select(message.c.state).where(message.c.id == number)).scalar()
    query = select(delivery.c.state).where(delivery.c.message_id == number)
    return [str(whole), *tx.connection.execute(query.order_by(delivery.c.recipient)).scalars()]


def logged(tx: Tx, send: tuple[Job, Look]) -> list[tuple[str, str]]:
    query = select(event.c.type, event.c.recipient).where(event.c.message_id == send[1].row.id)
    return [(row.type, row.recipient) for row in tx.connection.execute(query.order_by(event.c.seq))]


def test_many_are_begun_and_taken_at_once(tx: Tx) -> None:
    one, two = leased(tx, (ANN,), (ANN, BEN))
    assert departures.proceed(tx, [start(one), start(two)]) == [None, None]
    assert [states(tx, one)[0], states(tx, two)] == ["sending", ["sending"] * 3]
    assert departures.proceed(tx, [took(one), took(two)]) == [None, None]
    assert [states(tx, one), states(tx, two)] == [["accepted"] * 2, ["accepted"] * 3]
    assert logged(tx, two)[1:] == [("accepted", ANN), ("accepted", BEN)]


def test_what_was_taken_is_known_by_the_providers_id_and_its_job_is_done(tx: Tx) -> None:
    [send] = leased(tx, (ANN,))
    departures.proceed(tx, [start(send), took(send)])
    row: Any = tx.connection.execute(select(message)).one()
    assert (row.provider, row.provider_id) == ("mailgun", f"<{row.id}@x>")
    assert tx.connection.execute(select(job.c.kind)).scalars().all() == ["plan"]


def test_each_event_is_planned_under_its_own_place_in_the_log(tx: Tx) -> None:
    sends = leased(tx, (ANN,), (BEN,))
    departures.proceed(tx, [took(s) for s in sends])
    query = select(event.c.seq).where(event.c.type == "accepted").order_by(event.c.seq)
    places = [f"event:{seq}" for seq in tx.connection.execute(query).scalars()]
    keys = tx.connection.execute(select(job.c.key).where(job.c.kind == "plan")).scalars()
    assert sorted(keys) == sorted(places)


def test_an_event_that_was_faster_is_not_undone(tx: Tx) -> None:
    one, two = leased(tx, (ANN, BEN), (ANN,))
    happened(tx, one, EventType.DELIVERED, ANN)
    departures.proceed(tx, [start(one), start(two)])
    assert states(tx, one) == ["delivered", "delivered", "sending"]
    departures.proceed(tx, [took(one), took(two)])
    assert [states(tx, one), states(tx, two)[0]] == [
        ["delivered", "delivered", "accepted"],
        "accepted",
    ]


def test_what_a_provider_told_before_is_not_logged_again(tx: Tx) -> None:
    [send] = leased(tx, (ANN, BEN))
    happened(tx, send, EventType.ACCEPTED, ANN)
    departures.proceed(tx, [took(send)])
    assert logged(tx, send)[1:] == [("accepted", ANN), ("accepted", BEN)]


def test_a_part_of_the_recipients_leaves_the_others_as_they_are(tx: Tx) -> None:
    [send] = leased(tx, (ANN, BEN))
    happened(tx, send, EventType.BOUNCED, ANN)
    departures.proceed(tx, [took(send, BEN)])
    assert states(tx, send) == ["accepted", "bounced", "accepted"]


def test_a_part_that_leaves_takes_a_send_no_further_back(tx: Tx) -> None:
    [send] = leased(tx, (ANN, BEN))
    happened(tx, send, EventType.DELIVERED, ANN)
    departures.proceed(tx, [replace(start(send), recipients=[BEN])])
    assert states(tx, send) == ["delivered", "delivered", "sending"]
    departures.proceed(tx, [took(send, BEN)])
    assert states(tx, send) == ["delivered", "delivered", "accepted"]


def test_only_who_holds_the_lease_may_begin(tx: Tx) -> None:
    one, two = leased(tx, (ANN,), (BEN,))
    jobs.put_back(tx, one[0], due_at=NOW, error="")
    lost, begun = departures.proceed(tx, [start(one), start(two)])
    assert (isinstance(lost, LeaseLost), begun) == (True, None)
    assert [states(tx, s)[0] for s in (one, two)] == ["queued", "sending"]


def test_only_who_holds_the_lease_may_record(tx: Tx) -> None:
    one, two = leased(tx, (ANN,), (BEN,))
    jobs.put_back(tx, one[0], due_at=NOW, error="")
    with pytest.raises(LeaseLost):
        departures.proceed(tx, [took(two), took(one)])


def test_the_outbox_sets_nothing_back_that_a_provider_has(tx: Tx) -> None:
    [send] = leased(tx, (ANN, BEN))
    departures.proceed(tx, [start(send)])
    happened(tx, send, EventType.DELIVERED, ANN)
    deliveries.requeue(tx, send[1].row.id, [ANN, BEN], at=NOW)
    assert states(tx, send) == ["delivered", "delivered", "queued"]
    assert deliveries.pending(tx.connection, send[1].row.id) == {BEN: "queued"}


def test_limits_let_some_go_and_tell_the_others_when(tx: Tx) -> None:
    sends = leased(tx, (ANN,), (BEN,))
    rules = Rules((Rate.parse("1/s"),))
    first, second = departures.proceed(tx, [start(s, rules) for s in sends])
    assert first is None
    assert isinstance(second, Later)
    assert ((second.until - NOW).total_seconds(), second.shut) == (1, False)
    departures.put_off(tx, sends[1][0], sends[1][1].row.id, second, NOW)
    later: Any = tx.connection.execute(select(job).where(job.c.state == "ready")).one()
    assert (later.due_at, later.attempts, later.data) == (second.until, 0, second.data)


@pytest.mark.parametrize(
    ("provider", "late", "is_good"),
    [
        ("mailgun", 0, True),
        ("mailgun", 5, True),
        ("mailgun", 6, False),
        ("mailgun", -1, False),
        ("resend", 0, False),
    ],
    ids=["now", "just missed", "missed", "not yet", "another provider's"],
)
def test_a_moment_that_was_reserved_is_good_at_its_time(
    tx: Tx, provider: str, late: int, is_good: bool
) -> None:
    first, (held, look) = leased(tx, (ANN,), (BEN,))
    rules = Rules((Rate.parse("1/s"),))
    departures.proceed(tx, [start(first, rules)])  # takes this moment
    reserved = {"reserved": [provider, (NOW - timedelta(seconds=late)).timestamp()]}
    [later] = departures.proceed(tx, [start((replace(held, data=reserved), look), rules)])
    assert (later is None) is is_good


def test_the_next_part_of_a_send_has_attempts_of_its_own(tx: Tx) -> None:
    [(held, _)] = leased(tx, (ANN,))
    departures.go_on(tx, held, NOW)
    again: Any = tx.connection.execute(select(job).where(job.c.kind == "send")).one()
    assert (held.attempts, again.attempts, again.state) == (1, 0, "ready")


def shut(tx: Tx, rules: Rules | None = None) -> tuple[Sends, Later]:
    """Let the first of two sends try a provider that has failed; the second is to wait for it."""
    for _ in range(5):
        limits.failed(tx, "mailgun", begun_at=NOW, now=NOW, reason="down")
    tx.connection.execute(update(circuit).values(until=NOW))
    sends = leased(tx, (ANN,), (BEN,))
    first, second = departures.proceed(tx, [start(s, rules) for s in sends])
    assert first is None
    assert isinstance(second, Later) and second.shut
    return sends, second


@pytest.mark.parametrize("back", [True, False])
def test_sends_wait_for_a_provider_until_another_has_shown_that_it_is_back(
    tx: Tx, back: bool
) -> None:
    sends, later = shut(tx)
    stored(tx, ANN)
    if back:
        departures.proceed(tx, [took(sends[0])])
    departures.put_off(tx, sends[1][0], sends[1][1].row.id, later, NOW)
    due = select(job.c.due_at).where(job.c.kind == "send", job.c.state == "ready")
    assert set(tx.connection.execute(due).scalars()) == {NOW if back else later.until}


@pytest.mark.parametrize("slots", [1, 2])
def test_who_waits_for_a_provider_to_be_back_has_no_slot_and_no_turn(tx: Tx, slots: int) -> None:
    sends, _ = shut(tx, Rules((Rate.parse("1/s"),), slots))
    held = tx.connection.execute(select(slot.c.job_id)).scalars().all()
    next_at = tx.connection.execute(select(pace.c.next_at)).scalar_one()
    assert (held, next_at) == ([sends[0][0].id], NOW + timedelta(seconds=1))


@pytest.mark.parametrize(("domain", "blocked"), [("", True), ("shop.example", True), ("x", False)])
def test_a_look_tells_who_must_not_be_written_to(tx: Tx, domain: str, blocked: bool) -> None:
    suppressions.add(tx, ANN.upper(), reason="bounced", now=NOW, domain=domain)
    [(_, look)] = leased(tx, (ANN, BEN))
    assert look.blocked == ({ANN: "bounced"} if blocked else {})
    assert look.waiting == {ANN: "queued", BEN: "queued"}


def test_what_was_sent_after_the_last_look_does_not_begin_again(tx: Tx) -> None:
    one, two = leased(tx, (ANN,), (ANN, BEN))
    happened(tx, one, EventType.ACCEPTED, ANN)
    happened(tx, two, EventType.ACCEPTED, ANN)
    with pytest.raises(Overtaken, match=str(one[1].row.id)):
        departures.proceed(tx, [start(one), start(two)])
    assert departures.proceed(tx, [start(two)]) == [None]
    assert states(tx, two) == ["accepted", "accepted", "sending"]
