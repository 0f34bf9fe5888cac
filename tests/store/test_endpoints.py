"""Endpoints of outgoing webhooks: whose they are, what signs, and how far each was served."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from inboxkit.errors import NotFound
from inboxkit.store import attempts, endpoints, events, jobs
from inboxkit.store.api_tables import attempt
from inboxkit.store.attempts import AttemptRecord
from inboxkit.store.endpoints import EndpointRecord, Portion
from inboxkit.store.pages import Page
from inboxkit.store.reach import EVERYTHING, Reach
from inboxkit.store.tables import event, job, label, message

from .sending import ANN, NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

HALF_A_DAY = timedelta(hours=12)
SHOP = Reach("pod_default")


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as opened:
        yield opened


def wanted(now: datetime = NOW, **given: Any) -> EndpointRecord:
    made = EndpointRecord(
        url="https://example.com/hook",
        secret="whsec_x",
        event_types=["message.received"],
        headers={},
        created_at=now,
        updated_at=now,
    )
    return replace(made, **given)


def found(tx: Tx, made: EndpointRecord) -> EndpointRecord:
    record = endpoints.by_id(tx.connection, made.id, NOW)
    assert record is not None
    return record


def listed(tx: Tx, reach: Reach) -> list[int]:
    page: Page[int] = Page(9, ascending=True)
    return [one.id for one in endpoints.listed(tx.connection, reach, page, NOW)]


def posts(tx: Tx) -> list[str]:
    query = select(job.c.key).where(job.c.kind == endpoints.TOPIC).order_by(job.c.id)
    return list(tx.connection.execute(query).scalars())


async def is_heard(store: Store, before: int) -> bool:
    await store.bell.wait(endpoints.CHANGED, before, timeout=30)  # no heartbeat rings here
    return store.bell.count(endpoints.CHANGED) > before


async def test_a_new_endpoint_rings(store: Store) -> None:
    before = store.bell.count(endpoints.CHANGED)
    await store.write(endpoints.create, wanted(store.clock.now()))
    assert await is_heard(store, before)


async def test_an_endpoint_that_is_enabled_anew_rings(store: Store) -> None:
    made = await store.write(endpoints.create, wanted(store.clock.now()))
    now = store.clock.now()
    await store.write(endpoints.disable, made.id, now, "gone")
    assert await store.read(endpoints.enabled, now) == []
    before = store.bell.count(endpoints.CHANGED)
    await store.write(endpoints.change, made.id, now, {"enabled": True})
    assert await is_heard(store, before)
    assert [e.id for e in await store.read(endpoints.enabled, now)] == [made.id]


def test_earlier_secrets_sign_until_their_time_is_over(tx: Tx) -> None:
    made = endpoints.create(tx, wanted(secret="a"))
    for number, secret in enumerate("bc"):
        at = NOW + number * HALF_A_DAY
        endpoints.rotate(tx, made.id, secret, at, 2 * HALF_A_DAY)
    now = NOW + HALF_A_DAY
    assert found(tx, made).signing(now) == ["c", "b", "a"]
    assert found(tx, made).signing(now + HALF_A_DAY) == ["c", "b"]
    assert found(tx, made).old_until() == NOW + 3 * HALF_A_DAY

    endpoints.rotate(tx, made.id, "c", now, HALF_A_DAY)
    assert found(tx, made).signing(now) == ["c", "b", "a"]
    endpoints.rotate(tx, made.id, "b", now, HALF_A_DAY)
    assert found(tx, made).signing(now) == ["b", "c", "a"]
    endpoints.rotate(tx, made.id, "d", now + HALF_A_DAY, HALF_A_DAY)
    assert [secret for secret, _ in found(tx, made).earlier()] == ["b"]
    endpoints.rotate(tx, made.id, "e", now, timedelta(0))
    assert (found(tx, made).signing(now), found(tx, made).old_until()) == (["e"], None)


def test_the_latest_four_earlier_secrets_sign(tx: Tx) -> None:
    made = endpoints.create(tx, wanted(secret="a"))
    for secret in "bcdefg":
        endpoints.rotate(tx, made.id, secret, NOW, HALF_A_DAY)
    assert found(tx, made).signing(NOW) == list("gfedc")


def test_a_client_id_is_one_endpoint_in_each_scope(tx: Tx) -> None:
    whole = endpoints.create(tx, wanted(client_id="mine"))
    shop = endpoints.create(tx, wanted(client_id="mine", pod_id="pod_default"))
    again = endpoints.create(tx, wanted(client_id="mine", pod_id="pod_default", secret="other"))
    assert (again.id, again.secret) == (shop.id, shop.secret)
    assert whole.id != shop.id
    with pytest.raises(NotFound):
        endpoints.create(tx, wanted(pod_id="pod_gone"))


def test_an_endpoint_is_seen_within_its_pod_and_from_above(tx: Tx) -> None:
    whole = endpoints.create(tx, wanted())
    shop = endpoints.create(tx, wanted(pod_id="pod_default"))
    for reach, seen in ((EVERYTHING, [whole, shop]), (SHOP, [shop]), (Reach("pod_other"), [])):
        ids = [one.id for one in seen]
        assert listed(tx, reach) == ids
        each = [endpoints.find(tx.connection, reach, one.id, NOW) for one in (whole, shop)]
        assert [one.id for one in each if one is not None] == ids
    endpoints.remove_of(tx, pod_id="pod_default")
    assert listed(tx, EVERYTHING) == [whole.id]


@pytest.mark.sqlite  # elsewhere the log ends before what this transaction adds
def test_an_endpoint_gets_what_happens_after_it_was_made_or_enabled(tx: Tx) -> None:
    stored(tx, ANN)
    made = endpoints.create(tx, wanted())
    assert not endpoints.are_behind(tx.connection)
    endpoints.failed(tx, made.id, NOW)
    endpoints.disable(tx, made.id, NOW, "too slow")
    stored(tx, ANN)
    assert not endpoints.are_behind(tx.connection)
    endpoints.change(tx, made.id, NOW, {"enabled": True})
    again = found(tx, made)
    assert (again.failing_since, again.disabled_because) == (None, "")
    assert not endpoints.are_behind(tx.connection)
    stored(tx, ANN)
    endpoints.change(tx, made.id, NOW, {"enabled": True})  # it was
    assert endpoints.are_behind(tx.connection)


def test_what_was_given_is_given_once(tx: Tx) -> None:
    stored(tx, ANN)
    made, last = endpoints.create(tx, wanted()), events.last(tx.connection)
    endpoints.give(tx, [Portion(made, last + 3, [(last + 2, 7, "a"), (last + 3, 8, "b")])], NOW)
    late = Portion(made, last + 1, [(last + 1, 7, "c")])  # of who has looked before
    endpoints.give(tx, [late], NOW)
    assert posts(tx) == [f"{made.id}:{last + 2}", f"{made.id}:{last + 3}"]
    assert found(tx, made).cursor == last + 3


def test_posts_of_one_inbox_to_one_endpoint_are_made_one_after_the_other(tx: Tx) -> None:
    made = [endpoints.create(tx, wanted()) for _ in range(2)]
    told = [(1, 7, "a"), (2, 7, "b"), (3, 8, "c")]
    endpoints.give(tx, [Portion(one, 3, told) for one in made], NOW)
    due = jobs.claim(tx, endpoints.TOPIC, worker=1, now=NOW, limit=9, start=0)
    assert sorted(one.key for one in due) == sorted(f"{e.id}:{seq}" for e in made for seq in (1, 3))


def test_an_endpoint_that_has_ended_with_its_key_is_given_nothing(tx: Tx) -> None:
    made = endpoints.create(tx, wanted())
    over = replace(made, enabled=False, disabled_because=endpoints.KEY_ENDED)
    endpoints.give(tx, [Portion(over, made.cursor + 1, [(made.cursor + 1, 7, "a")])], NOW)
    assert (posts(tx), found(tx, made).disabled_because) == ([], endpoints.KEY_ENDED)


def test_an_endpoint_takes_its_posts_and_their_log_with_it(tx: Tx) -> None:
    gone, kept = endpoints.create(tx, wanted()), endpoints.create(tx, wanted())
    for one in (gone, kept):
        endpoints.give(tx, [Portion(one, one.cursor + 1, [(one.cursor + 1, 7, "a")])], NOW)
        tried = AttemptRecord(
            endpoint_id=one.id, event_seq=1, number=1, status=500, error="", milliseconds=1, at=NOW
        )
        attempts.add(tx, tried)
    endpoints.remove(tx, [gone.id])
    assert posts(tx) == [f"{kept.id}:{kept.cursor + 1}"]
    assert tx.connection.execute(select(attempt.c.endpoint_id)).scalars().all() == [kept.id]


def test_one_endpoint_fails_and_recovers_alone(tx: Tx) -> None:
    first, second = endpoints.create(tx, wanted()), endpoints.create(tx, wanted())
    assert endpoints.failed(tx, first.id, NOW) == NOW
    assert endpoints.failed(tx, first.id, NOW + HALF_A_DAY) == NOW
    assert found(tx, second).failing_since is None
    endpoints.failed(tx, second.id, NOW)
    endpoints.recovered(tx, first.id)
    assert [found(tx, one).failing_since for one in (first, second)] == [None, NOW]
    assert [endpoints.disable(tx, first.id, NOW, "slow") for _ in range(2)] == [True, False]
    assert found(tx, second).enabled


def test_what_is_asked_for_again_waits_for_nothing_and_is_posted_once(tx: Tx) -> None:
    made = endpoints.create(tx, wanted())
    number = stored(tx, ANN)
    query = select(event.c.seq).where(event.c.message_id == number)
    seq = tx.connection.execute(query).scalar_one()
    endpoints.give(tx, [Portion(made, seq, [(seq - 1, inbox_of(tx, number), "a")])], NOW)
    claim = partial(jobs.claim, tx, endpoints.TOPIC, worker=1, now=NOW, limit=9, start=0)
    assert len(claim()) == 1
    assert endpoints.give_again(tx, made.id, [seq, seq + 1], NOW) == 1
    assert [one.key for one in claim()] == [f"{made.id}:{seq}"]
    assert endpoints.give_again(tx, made.id, [seq], NOW) == 0  # it is being posted


def inbox_of(tx: Tx, number: int) -> int:
    query = select(message.c.inbox_id).where(message.c.id == number)
    return int(tx.connection.execute(query).scalar_one())


@pytest.mark.parametrize(
    ("given", "is_told"),
    [
        ({}, True),
        ({"pod_id": "pod_default"}, True),
        ({"pod_id": "pod_other"}, False),
        ({"inbox_id": 1}, False),
        ({"forbidden": ["trash"]}, True),
        ({"forbidden": ["spam"]}, False),
    ],
    ids=str,
)
def test_an_endpoint_is_told_again_of_what_is_within_its_reach(
    tx: Tx, given: dict[str, Any], is_told: bool
) -> None:
    number = stored(tx, ANN)
    tx.connection.execute(insert(label).values(message_id=number, label="spam"))
    query = select(event.c.seq).where(event.c.message_id == number)
    seqs = list(tx.connection.execute(query).scalars())
    known = endpoints.reachable(tx.connection, wanted(**given), [*seqs, max(seqs) + 1])
    assert known == (seqs if is_told else [])


def test_an_endpoint_says_why_it_was_disabled_first(tx: Tx) -> None:
    made = endpoints.create(tx, wanted(key_id=7))  # which is no key any more
    assert found(tx, made).disabled_because == endpoints.KEY_ENDED
    [known] = endpoints.enabled(tx.connection, NOW)  # to be disabled by who serves it
    assert not known.enabled
    endpoints.disable(tx, made.id, NOW, "too slow")
    assert found(tx, made).disabled_because == "too slow"
    assert endpoints.enabled(tx.connection, NOW) == []
