"""Replays: what is under way is left out, the others are done again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit.store import arrivals, endpoints, events, inboxes, jobs, messages, runs
from inboxkit.store.arrivals import Arrival
from inboxkit.store.blobs import Packed
from inboxkit.store.runs import NewRun
from inboxkit.store.tables import job
from inboxkit.store.workers import register
from inboxkit.tokens import new_id
from inboxkit.values import EventType

from .sending import ANN, NOW, stored, transaction
from .test_endpoints import wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.leased import Job
    from inboxkit.store.transactions import Tx


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def begin(tx: Tx, kind: str) -> Job:
    """Begin the first job of a kind."""
    worker = new_id()
    register(tx, worker, NOW)
    [begun] = jobs.claim(tx, kind, worker=worker, now=NOW, limit=1, start=0)
    return begun


def waiting(tx: Tx, kind: str) -> set[str]:
    """Return the keys of the jobs that nobody has begun."""
    ready = select(job.c.key).where(job.c.kind == kind, job.c.state == "ready")
    return set(tx.connection.execute(ready).scalars())


def test_of_runs_those_under_way_go_on_and_the_others_are_done_again(tx: Tx) -> None:
    found = [
        NewRun(message_id=n, thread_id=None, inbox_id=1, router="r", handler="h", kind="message")
        for n in (stored(tx, ANN) for _ in range(3))
    ]
    ids = runs.insert_new(tx, found, NOW)
    busy = begin(tx, "run")
    for row in ids:
        runs.settle(tx, row, "retrying", attempts=3, now=NOW)

    assert runs.again(tx, ids, NOW) == 2
    assert waiting(tx, "run") == {str(row) for row in ids} - {busy.key}
    states = {str(row.id): (row.state, row.attempts) for row in runs.by_ids(tx.connection, ids)}
    assert states.pop(busy.key) == ("retrying", 3)
    assert set(states.values()) == {("pending", 0)}


def test_of_events_those_that_are_being_posted_are_left_out(tx: Tx) -> None:
    to = endpoints.create(tx, wanted(NOW)).id
    happened = partial(events.append, tx, EventType.RECEIVED, at=NOW, inbox_id=1)
    seqs = [happened(message_id=n) for n in (1, 2)]

    assert endpoints.give_again(tx, to, seqs, NOW) == 2
    busy = begin(tx, endpoints.TOPIC)
    assert endpoints.give_again(tx, to, seqs, NOW) == 1
    assert waiting(tx, endpoints.TOPIC) == {f"{to}:{seq}" for seq in seqs} - {busy.key}


def test_a_message_that_is_being_read_is_not_queued_beside(tx: Tx) -> None:
    mine = inboxes.create(tx, "support@shop.example", now=NOW).id
    mail = Arrival(
        id=new_id(),
        inbox_id=mine,
        received_at=NOW,
        mail_from="",
        rcpt_to=(),
        packed=Packed(b""),
        size=0,
        sha256="",
    )
    arrivals.accept(tx, [(mail,)])
    begin(tx, "read")
    messages.read_again(tx, mail.id, NOW)
    assert waiting(tx, "read") == set()
