"""Lanes on PostgreSQL: of transactions that do not see each other, one leases from a lane."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text

from inboxkit.clock import Clock
from inboxkit.store import jobs
from inboxkit.store.bell import Bell
from inboxkit.store.database import Database, open_database
from inboxkit.store.tables import job
from inboxkit.store.takers import Takers
from inboxkit.store.transactions import Tx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from inboxkit.store.leased import Job

pytestmark = pytest.mark.postgres
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def opened(database: str) -> Iterator[Database]:
    both = open_database(database)
    yield both
    both.close()


def put(connection: Connection, *keys: str, waits: bool = False, lane: str = "l") -> list[str]:
    """Store jobs; return the keys of those that were leased to a step that ``waits`` for them."""
    takers = Takers(7, Clock(), Bell())
    if waits:
        takers.offer("run", 5, left=takers.left("run"))
    tx = Tx(connection, takers)
    jobs.put(tx, [jobs.new_job("run", k, inbox_id=1, due_at=NOW, lane=lane) for k in keys])
    return [taken.key for taken in tx.leased]


def claim(tx: Tx) -> list[Job]:
    return jobs.claim(tx, "run", worker=8, now=NOW, limit=10, start=0)


def claimed(database: Database) -> list[Job]:
    with database.writer.begin() as connection:
        return claim(Tx(connection))


def keys(found: list[Job]) -> list[str]:
    return [taken.key for taken in found]


def test_of_two_births_at_once_one_is_leased(opened: Database) -> None:
    with opened.writer.connect() as first, opened.writer.connect() as second:
        assert put(first, "a", waits=True) == ["a"]
        assert put(second, "b", "c", waits=True) == []
        assert put(second, "other", waits=True, lane="m") == ["other"]
        first.rollback()
        assert put(second, "d", waits=True, lane="l") == []  # behind what is stored as ready
        second.commit()
    assert keys(claimed(opened)) == ["b"]


def test_nothing_is_claimed_from_a_lane_that_another_is_leasing_from(opened: Database) -> None:
    with opened.writer.connect() as first:
        assert put(first, "a", waits=True) == ["a"]
        with opened.writer.begin() as second:
            put(second, "b")
            put(second, "c", lane="m")
        assert keys(claimed(opened)) == ["c"]
        first.commit()
    assert claimed(opened) == []


def test_a_lane_is_free_again_when_who_leases_from_it_gives_up(opened: Database) -> None:
    with opened.writer.connect() as first, opened.writer.begin() as second:
        put(second, "a")
        second.commit()
        assert keys(claim(Tx(first))) == ["a"]
        assert claimed(opened) == []
        first.rollback()
    assert keys(claimed(opened)) == ["a"]


_GATE = 1_042


@pytest.fixture
def gate(opened: Database) -> Iterator[Connection]:
    """Give a transaction that holds up whoever leases a job, within the statement, until it ends.

    The tables outlive a test, so what is put into them for it is taken out.
    """
    function = f"BEGIN PERFORM pg_advisory_xact_lock({_GATE}); RETURN NEW; END"
    made = (
        f"CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS '{function}'",
        "CREATE TRIGGER gate BEFORE UPDATE ON inboxkit_job FOR EACH ROW EXECUTE FUNCTION gate()",
    )
    with opened.writer.begin() as connection:
        for statement in made:
            connection.execute(text(statement))
    with opened.writer.connect() as holder:
        holder.execute(select(func.pg_advisory_xact_lock(_GATE)))
        yield holder
    with opened.writer.begin() as connection:
        connection.execute(text("DROP FUNCTION gate CASCADE"))


def wait_for_who_is_held_up(connection: Connection) -> None:
    waiting = text(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND objid = {_GATE}")
    end = time.monotonic() + 30
    while not connection.execute(waiting).scalar_one():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_claim_takes_nothing_that_was_held_up_since_it_began(
    opened: Database, gate: Connection
) -> None:
    """A lease is committed after the claim's statement has looked for one in the lane."""
    with opened.writer.begin() as connection:
        put(connection, "b")
        put(connection, "c", lane="m")
    with ThreadPoolExecutor(1) as thread, gate:
        claiming = thread.submit(claimed, opened)
        with opened.writer.begin() as other:
            wait_for_who_is_held_up(other)
            row = jobs.new_job("run", "a", inbox_id=1, due_at=NOW, lane="l")
            other.execute(job.insert(), [row | {"state": "leased", "worker_id": 9}])
        gate.rollback()
        assert keys(claiming.result(30)) == ["c"]
    with opened.writer.begin() as connection:
        left = connection.execute(select(job.c.state, job.c.attempts).where(job.c.key == "b"))
        assert left.one() == ("ready", 0)
