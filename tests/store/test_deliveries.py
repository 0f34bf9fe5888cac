"""The life cycle of a send: whatever the order and repetition of events, the same end."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from inboxkit.store import deliveries, suppressions
from inboxkit.store.deliveries import STATES, Outcome, happened
from inboxkit.store.tables import delivery, event, message, thread
from inboxkit.values import EventType

from ..databases import BACKENDS, empty
from .sending import ANN, BEN, NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from inboxkit.store.transactions import Tx

EVENTS = [state.event for state in STATES if state.event is not None]
RANK = {state.name: rank for rank, state in enumerate(STATES)}


@pytest.fixture(scope="module", params=BACKENDS)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tx]:
    folder: Path = tmp_path_factory.mktemp("deliveries")
    with empty(request.param, folder) as url, transaction(url) as tx:
        yield tx


@pytest.fixture
def tx(opened: Tx) -> Iterator[Tx]:
    with opened.connection.begin_nested() as held:
        yield opened
        held.rollback()


def outcome(kind: EventType, recipient: str = "", number: int = 0) -> Outcome:
    """Return an event as a provider tells it; a bounce is a hard one."""
    return Outcome(
        type=kind,
        at=NOW,
        recipient=recipient,
        hard=kind == EventType.BOUNCED,
        event_id=f"{kind}-{recipient}-{number}",
    )


def states(tx: Tx, number: int) -> dict[str, str]:
    query = select(delivery).where(delivery.c.message_id == number)
    return {row.recipient: row.state for row in tx.connection.execute(query)}


def state(tx: Tx, number: int) -> str:
    query = select(message.c.state).where(message.c.id == number)
    return str(tx.connection.execute(query).scalar_one())


def logged(tx: Tx, number: int) -> list[str]:
    query = select(event.c.type).where(event.c.message_id == number).order_by(event.c.seq)
    return list(tx.connection.execute(query).scalars())


def suppressed(tx: Tx) -> set[tuple[str, str, str]]:
    rows = suppressions.everything(tx.connection)
    return {(row.address, row.domain, row.reason) for row in rows}


STORY = [outcome(kind, to, n) for kind in EVENTS for to in (ANN, BEN) for n in (0, 1)]
TOLD = st.lists(st.sampled_from(STORY), min_size=1, max_size=12)


def end(tx: Tx, told: Sequence[Outcome]) -> object:
    """Return all there is to see when this was told of a new send, and take it back."""
    with tx.connection.begin_nested() as held:
        number = stored(tx, ANN, BEN)
        for one in told:
            happened(tx, number, one, now=NOW)
        seen = sorted(logged(tx, number))
        found = (states(tx, number), state(tx, number), suppressed(tx), seen)
        held.rollback()
    return found


@settings(deadline=None)
@given(st.data(), TOLD)
def test_every_order_of_events_ends_alike(
    opened: Tx, data: st.DataObject, told: list[Outcome]
) -> None:
    again = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told)))]))
    assert end(opened, again) == end(opened, told)


@pytest.mark.parametrize(
    ("early", "late"), list(itertools.combinations(EVENTS, 2)), ids=lambda kind: str(kind)
)
def test_the_later_of_two_states_stays(tx: Tx, early: EventType, late: EventType) -> None:
    for told in ((early, late), (late, early)):
        number = stored(tx, ANN)
        for kind in told:
            happened(tx, number, outcome(kind), now=NOW)
        assert deliveries.STATES[RANK[state(tx, number)]].event == late


def test_an_event_is_told_once_to_each_recipient(tx: Tx) -> None:
    number = stored(tx, ANN, BEN)
    told = [
        Outcome(type=EventType.REJECTED, at=NOW, recipient=r, event_id="e1") for r in (ANN, BEN)
    ]
    assert [happened(tx, number, one, now=NOW) for one in told * 2] == [True, True, False, False]
    assert states(tx, number) == {ANN: "rejected", BEN: "rejected"}


def test_events_of_one_kind_are_told_apart_by_their_ids(tx: Tx) -> None:
    number = stored(tx, ANN)
    told = [outcome(EventType.OPENED, ANN, n) for n in (1, 2, 1)]
    assert [happened(tx, number, one, now=NOW) for one in told] == [True, True, False]


def test_a_provider_takes_a_send_once_whoever_tells_of_it(tx: Tx) -> None:
    number = stored(tx, ANN)
    happened(tx, number, Outcome(type=EventType.ACCEPTED, at=NOW, recipient=ANN), now=NOW)
    happened(tx, number, outcome(EventType.ACCEPTED, ANN), now=NOW)
    assert logged(tx, number) == ["queued", "accepted"]


def test_a_recipient_is_known_whatever_its_case(tx: Tx) -> None:
    number = stored(tx, "Ann@Example.com", BEN)
    happened(tx, number, outcome(EventType.DELIVERED, "ann@EXAMPLE.com"), now=NOW)
    assert states(tx, number) == {"Ann@Example.com": "delivered", BEN: "queued"}


@pytest.mark.parametrize(
    ("told", "whole"),
    [
        ([(ANN, EventType.REJECTED)], "queued"),
        ([(ANN, EventType.BOUNCED), (BEN, EventType.DELIVERED)], "delivered"),
        ([(ANN, EventType.BOUNCED), (BEN, EventType.FAILED)], "bounced"),
        ([(ANN, EventType.OPENED), (BEN, EventType.DELIVERED)], "opened"),
    ],
    ids=["one rejected", "one bounced", "all lost", "one opened"],
)
def test_a_send_is_lost_only_when_nobody_gets_it(
    tx: Tx, told: list[tuple[str, EventType]], whole: str
) -> None:
    number = stored(tx, ANN, BEN)
    for to, kind in told:
        happened(tx, number, outcome(kind, to), now=NOW)
    assert state(tx, number) == whole


@pytest.mark.parametrize(
    ("kind", "hard", "entries"),
    [
        (EventType.BOUNCED, True, {(ANN, "", "bounced")}),
        (EventType.BOUNCED, False, set[object]()),
        (EventType.DEFERRED, False, set[object]()),
        (EventType.COMPLAINED, False, {(ANN, "shop.example", "complained")}),
        (EventType.UNSUBSCRIBED, False, {(ANN, "shop.example", "unsubscribed")}),
    ],
)
def test_who_must_not_be_written_to_is_suppressed(
    tx: Tx, kind: EventType, hard: bool, entries: set[object]
) -> None:
    told = Outcome(type=kind, at=NOW, recipient=ANN, hard=hard)
    happened(tx, stored(tx, ANN, BEN), told, now=NOW)
    assert suppressed(tx) == entries


def test_a_report_suppresses_nobody_who_did_not_get_the_send(tx: Tx) -> None:
    number = stored(tx, ANN, BEN)
    happened(tx, number, outcome(EventType.BOUNCED, "boss@rival.example"), now=NOW)
    assert "boss@rival.example" not in {address for address, _, _ in suppressed(tx)}


@pytest.mark.parametrize(("dead", "waits"), [((ANN,), True), ((ANN, BEN), False)])
def test_a_thread_waits_while_somebody_can_answer(
    tx: Tx, dead: tuple[str, ...], waits: bool
) -> None:
    number = stored(tx, ANN, BEN)
    for to in dead:
        happened(tx, number, outcome(EventType.BOUNCED, to), now=NOW)
    query = select(thread.c.waiting_since).join(message, message.c.thread_id == thread.c.id)
    since = tx.connection.execute(query.where(message.c.id == number)).scalar()
    assert (since is not None) == waits


def test_one_outcome_for_everybody_is_one_event(tx: Tx) -> None:
    number = stored(tx, ANN, BEN)
    failed = Outcome(type=EventType.FAILED, at=NOW)
    deliveries.happened_to(tx, number, [BEN], failed, now=NOW)
    deliveries.happened_to(tx, number, [ANN, BEN], failed, now=NOW)
    rows = tx.connection.execute(select(event).where(event.c.message_id == number)).all()
    assert [row.recipient for row in rows if row.type == "failed"] == [BEN, ""]


def test_an_event_that_names_nobody_moves_only_who_is_alone(tx: Tx) -> None:
    one, many = stored(tx, ANN), stored(tx, ANN, BEN)
    for number in (one, many):
        assert deliveries.happened(tx, number, outcome(EventType.DELIVERED), now=NOW)
    assert states(tx, one) == {ANN: "delivered"}
    assert states(tx, many) == {ANN: "queued", BEN: "queued"}
    assert logged(tx, many)[-1] == "delivered"


def test_what_happened_to_everybody_moves_everybody(tx: Tx) -> None:
    number = stored(tx, ANN, BEN)
    refused = outcome(EventType.FAILED)
    deliveries.happened_to(tx, number, [ANN, BEN], refused, now=NOW)
    assert set(states(tx, number).values()) == {"failed"}


def test_what_is_set_back_is_what_was_not_sent_alone(tx: Tx) -> None:
    one, other = stored(tx, ANN, BEN), stored(tx, ANN)
    tx.connection.execute(update(delivery).values(state="sending"))
    tx.connection.execute(update(message).values(state="sending"))
    deliveries.requeue(tx, one, [ANN], at=NOW)
    assert states(tx, one) == {ANN: "queued", BEN: "sending"}
    assert (states(tx, other), state(tx, other)) == ({ANN: "sending"}, "sending")
    assert deliveries.pending(tx.connection, one) == {ANN: "queued", BEN: "sending"}


def test_what_was_taken_meanwhile_is_not_set_back(tx: Tx) -> None:
    number = stored(tx, ANN, BEN)
    tx.connection.execute(update(delivery).values(state="sending"))
    tx.connection.execute(update(message).values(state="sending"))
    happened(tx, number, outcome(EventType.REJECTED, BEN), now=NOW)
    deliveries.requeue(tx, number, [ANN, BEN], at=NOW)
    assert (states(tx, number), state(tx, number)) == ({ANN: "queued", BEN: "rejected"}, "queued")


def test_nothing_happens_to_a_send_that_is_not_there(tx: Tx) -> None:
    assert not happened(tx, 7, outcome(EventType.DELIVERED, ANN), now=NOW)
    deliveries.happened_to(tx, 7, [ANN], outcome(EventType.DELIVERED), now=NOW)
    assert logged(tx, 7) == []


def test_an_event_about_somebody_else_moves_nobody(tx: Tx) -> None:
    number = stored(tx, ANN, BEN)
    assert happened(tx, number, outcome(EventType.DELIVERED, "eve@example.com"), now=NOW)
    assert (states(tx, number), state(tx, number)) == ({ANN: "queued", BEN: "queued"}, "queued")


def test_what_has_no_id_is_told_each_time_and_an_acceptance_once_to_each(tx: Tx) -> None:
    number = stored(tx, ANN, BEN)
    told = [
        Outcome(type=kind, at=NOW, recipient=to)
        for kind in (EventType.OPENED, EventType.ACCEPTED)
        for to in (ANN, ANN, BEN)
    ]
    assert [happened(tx, number, one, now=NOW) for one in told] == [True] * 4 + [False, True]


@pytest.mark.parametrize(
    ("believed", "scope", "entries"),
    [
        (True, "", {(ANN, "shop.example", "complained")}),
        (True, "pod_1", {(ANN, "pod_1", "complained")}),
        (False, "pod_1", set[object]()),
    ],
    ids=["a provider's", "a pod's", "not believed"],
)
def test_what_is_not_believed_suppresses_nobody(
    tx: Tx, believed: bool, scope: str, entries: set[object]
) -> None:
    told = replace(outcome(EventType.COMPLAINED, ANN), believed=believed, scope=scope)
    number = stored(tx, ANN, sender_email="support@Shop.Example")
    happened(tx, number, told, now=NOW)
    assert (suppressed(tx), state(tx, number)) == (entries, "complained")


def test_a_soft_bounce_may_still_be_answered(tx: Tx) -> None:
    number = stored(tx, ANN)
    happened(tx, number, Outcome(type=EventType.BOUNCED, at=NOW, recipient=ANN), now=NOW)
    assert tx.connection.execute(select(thread.c.waiting_since)).scalar_one() is not None


def test_a_reason_is_kept_up_to_its_bound(tx: Tx) -> None:
    number = stored(tx, ANN)
    told = Outcome(type=EventType.FAILED, at=NOW, reason="x" * 2_001, reason_class="expired")
    happened(tx, number, told, now=NOW)
    row = tx.connection.execute(select(delivery.c.reason, delivery.c.reason_class)).one()
    assert tuple(row) == ("x" * 2_000, "expired")


@pytest.mark.parametrize("reason_class", ["", "mailbox_unknown"])
def test_what_was_told_of_a_bounce_is_kept(tx: Tx, reason_class: str) -> None:
    number, later = stored(tx, ANN), NOW + timedelta(hours=1)
    told = replace(
        outcome(EventType.BOUNCED, ANN),
        reason="550 no such user",
        reason_class=reason_class,
        data={"code": 550},
    )
    happened(tx, number, told, now=later)
    [entry] = suppressions.everything(tx.connection)
    assert entry.detail == (reason_class or "550 no such user")
    query = select(event.c.at, event.c.data).where(event.c.type == "bounced")
    at, data = tx.connection.execute(query).one()
    assert (at, data["code"], data["happened_at"]) == (later, 550, NOW.isoformat())
    assert tx.connection.execute(select(delivery.c.updated_at)).scalar_one() == later


def test_a_state_that_only_a_newer_release_knows_is_moved_by_none_and_ends_nothing(
    tx: Tx,
) -> None:
    number = stored(tx, ANN, BEN)
    parked = update(delivery).where(delivery.c.recipient == ANN).values(state="parked")
    tx.connection.execute(parked)
    for recipient in (ANN, BEN):
        happened(tx, number, outcome(EventType.SENT, recipient), now=NOW)
    assert states(tx, number) == {ANN: "parked", BEN: "sent"}
    assert state(tx, number) == "sent"
