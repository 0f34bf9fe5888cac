"""Messages that are deleted while something is done with them: nothing is left of either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from inboxkit.store import departures, jobs, limits, purge, runs
from inboxkit.store.blobs import Blobs
from inboxkit.store.looks import look
from inboxkit.store.progress import WHOLE, Start, Took
from inboxkit.store.runs import NewRun
from inboxkit.store.tables import delivery, event, job, message, run

from .sending import ANN, BEN, NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inboxkit.store.transactions import Tx


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def left(tx: Tx, table: Any) -> int:
    return tx.connection.execute(select(func.count()).select_from(table)).scalar_one()


def begun(tx: Tx, *people: str) -> Sequence[Took]:
    """Give a send to each of these people to a provider; return that it took them."""
    for recipient in people:
        stored(tx, recipient)
    taken = jobs.claim(tx, "send", worker=1, now=NOW, limit=9, start=0)
    seen = look(tx.connection, [int(one.key) for one in taken], Blobs(None))
    rows = [(one, seen[int(one.key)].row) for one in taken]
    departures.proceed(tx, [Start(j, r, r.rcpt_to, "smtp", NOW, WHOLE) for j, r in rows])
    return [Took(j, r, r.rcpt_to, "smtp", "x", (f"<{r.id}@x>",), NOW) for j, r in rows]


def test_of_a_send_nothing_is_logged(tx: Tx) -> None:
    first, second = begun(tx, ANN, BEN)
    limits.failed(tx, "smtp", begun_at=NOW, now=NOW, reason="down")
    purge.messages(tx, [first.row_id])
    departures.proceed(tx, [first, second])
    assert set(tx.connection.execute(select(event.c.message_id)).scalars()) == {second.row_id}
    assert (left(tx, message), left(tx, delivery)) == (1, 1)
    assert limits.circuits(tx.connection) == {}


def test_a_send_that_was_alone_leaves_nothing(tx: Tx) -> None:
    [only] = begun(tx, ANN)
    purge.messages(tx, [only.row_id])
    departures.proceed(tx, [only])
    assert (left(tx, event), left(tx, job)) == (0, 0)


def test_no_handler_is_called_for_it(tx: Tx) -> None:
    gone, kept = stored(tx, ANN), stored(tx, BEN)
    purge.messages(tx, [gone])
    about: dict[str, Any] = {"thread_id": None, "inbox_id": 1, "router": "r", "handler": "h"}
    found = [NewRun(message_id=n, kind="message", **about) for n in (gone, kept)]
    reminder = NewRun(message_id=gone, kind="timer", item="timer:1", **about)  # of a thread
    made = runs.insert_new(tx, [*found, reminder], NOW)
    rows = tx.connection.execute(select(run.c.message_id, run.c.kind).order_by(run.c.id))
    assert [tuple(row) for row in rows] == [(kept, "message"), (gone, "timer")]
    assert all(jobs.is_known(tx.connection, "run", str(one)) for one in made)
