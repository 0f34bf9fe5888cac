"""Lanes on PostgreSQL: of transactions that do not see each other, one leases from a lane."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inboxkit.clock import Clock
from inboxkit.store import jobs
from inboxkit.store.bell import Bell
from inboxkit.store.database import Database, open_database
from inboxkit.store.tables import job
from inboxkit.store.takers import Takers
from inboxkit.store.writer import Tx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from inboxkit.store.jobs import Job

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


class Between(set[int]):
    """Leases of a claim that something else happens before, after it has found its jobs."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self._then = then

    def add(self, element: int) -> None:
        super().add(element)
        self._then()


def test_a_claim_takes_nothing_that_was_held_up_since_it_looked(opened: Database) -> None:
    """A lease is committed after the claim's first statement began, before it has the lane."""

    def lease_another() -> None:
        with opened.writer.begin() as other:
            row = jobs.new_job("run", "a", inbox_id=1, due_at=NOW, lane="l")
            other.execute(job.insert(), [row | {"state": "leased", "worker_id": 9}])

    with opened.writer.begin() as connection:
        put(connection, "b")
        put(connection, "c", lane="m")
    with opened.writer.begin() as connection:
        assert keys(claim(Tx(connection, leases=Between(lease_another)))) == ["c"]
