"""What is to be posted is queued once, however often its event comes up while it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit.store import endpoints, events, jobs, mailgun_webhooks
from inboxkit.store.endpoints import EndpointRecord, Portion
from inboxkit.store.tables import job
from inboxkit.values import EventType

from .sending import NOW, staged, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def keys(tx: Tx, kind: str) -> list[str]:
    query = select(job.c.key).where(job.c.kind == kind).order_by(job.c.id)
    return list(tx.connection.execute(query).scalars())


def test_the_log_goes_on_past_a_mail_that_is_read_again(tx: Tx) -> None:
    """Its second event asks for the posts of the first, which still wait."""
    kind = mailgun_webhooks.KIND
    names = ("route:msg_1:0", "route:msg_1:0", "route:msg_1:1")
    posts = [jobs.new_job(kind, name, inbox_id=1, due_at=NOW) for name in names]
    mailgun_webhooks.begin(tx, "http://localhost")
    start = mailgun_webhooks.cursor(tx.connection) or 0
    assert mailgun_webhooks.advance(tx, start, start + 1, posts[:2])
    assert mailgun_webhooks.advance(tx, start + 1, start + 2, posts[1:])
    assert mailgun_webhooks.cursor(tx.connection) == start + 2
    assert keys(tx, kind) == ["route:msg_1:0", "route:msg_1:1"]


def test_an_event_given_by_its_id_is_not_given_twice(tx: Tx) -> None:
    made = endpoints.create(
        tx,
        EndpointRecord(
            url="https://x.example",
            secret="whsec_x",
            event_types=[],
            headers={},
            created_at=NOW,
            updated_at=NOW,
        ),
    )
    inbox_id = staged(tx).row["inbox_id"]
    about: dict[str, Any] = {"at": NOW, "inbox_id": inbox_id, "message_id": 1}
    first, second = (events.append(tx, EventType.RECEIVED, **about) for _ in range(2))
    assert endpoints.give_again(tx, made.id, [first], NOW) == 1
    wanted = [(seq, inbox_id, "message.received") for seq in (first, second)]
    endpoints.give(tx, [Portion(made, second, wanted)], NOW)
    assert keys(tx, endpoints.TOPIC) == [f"{made.id}:{first}", f"{made.id}:{second}"]
