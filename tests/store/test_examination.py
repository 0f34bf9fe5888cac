"""A database seen from outside: what holds it up is found, and nothing in it is changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, insert, text

from inboxkit.errors import StoreError
from inboxkit.store import examination, jobs, runs, schema
from inboxkit.store.database import open_database
from inboxkit.store.examination import Waiting, Work, seen
from inboxkit.store.runs import NewRun
from inboxkit.store.tables import worker
from inboxkit.store.workers import register
from inboxkit.tokens import new_id

from .sending import NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inboxkit.store.transactions import Tx

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def test_what_is_due_for_long_is_counted_and_what_waits_for_another_is_not(tx: Tx) -> None:
    for lane in ("a", "a", None):
        job = jobs.new_job("run", new_id(), inbox_id=1, queue=1, due_at=NOW, lane=lane)
        jobs.put(tx, [job])
    jobs.put(tx, [jobs.new_job("read", new_id(), inbox_id=1, queue=1, due_at=LATER)])
    assert examination.overdue(tx.connection, LATER) == [Waiting("run", 2, NOW)]
    assert examination.overdue(tx.connection, NOW) == []


def test_leases_of_processes_that_are_gone_are_counted(tx: Tx) -> None:
    living, gone = new_id(), new_id()
    register(tx, living, LATER)
    register(tx, gone, NOW)
    for holder in (living, gone):
        jobs.put(tx, [jobs.new_job("read", new_id(), inbox_id=1, queue=1, due_at=NOW)])
        jobs.claim(tx, "read", worker=holder, now=LATER, limit=1, start=0)
    assert examination.work(tx.connection, NOW) == Work(living=1, stale=1, failed=0, unknown=0)


def test_what_failed_is_counted_a_send_once(tx: Tx) -> None:
    stored(tx, "ann@example.com", "ben@example.com")
    tx.connection.execute(text("UPDATE inboxkit_delivery SET state = 'unknown'"))
    about = stored(tx, "cyd@example.com")
    found = NewRun(message_id=about, thread_id=None, inbox_id=1, router="r", handler="h", kind="m")
    [run] = runs.insert_new(tx, [found], NOW)
    runs.settle(tx, run, "failed", attempts=3, now=NOW)
    assert examination.work(tx.connection, NOW) == Work(living=0, stale=0, failed=1, unknown=1)


def test_a_database_says_how_it_keeps_and_whether_it_can_be_written(database: str) -> None:
    with seen(database) as connection:
        assert schema.current(connection) == schema.HEAD
        assert examination.write_refusal(connection) == ""
        kept = examination.durability(connection)
        assert examination.last_at(connection) is None
    if "sqlite" in database:
        assert kept == {"journal_mode": "wal"}
    else:
        assert set(kept) == {"fsync", "synchronous_commit", "full_page_writes"}


@pytest.mark.postgres
def test_the_servers_clock_is_read(database: str) -> None:
    with seen(database) as connection:
        found = examination.servers_time(connection)
    assert found is not None
    assert abs(datetime.now(UTC) - found) < timedelta(minutes=1)


@pytest.mark.postgres
def test_a_server_that_only_reads_is_told(database: str) -> None:
    with seen(database) as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = on")
        assert "standby" in examination.write_refusal(connection)


@pytest.mark.sqlite
def test_a_file_that_another_holds_locked_is_told(database: str) -> None:
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        with seen(database) as connection:
            assert examination.write_refusal(connection) == "database is locked"


@pytest.mark.sqlite
def test_a_file_that_can_only_be_read_is_told(database: str) -> None:
    file = database.removeprefix("sqlite:///")
    engine = create_engine(f"sqlite:///file:{file}?mode=ro&uri=true", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        assert "readonly" in examination.write_refusal(connection)
    engine.dispose()


@pytest.mark.sqlite
def test_a_look_leaves_nothing_behind(database: str, tmp_path: Path) -> None:
    opened = open_database(database)
    with opened.writer.begin() as connection:
        row = {"id": 1, "host": "h", "pid": 1, "started_at": NOW, "beat_at": NOW}
        connection.execute(insert(worker), [row])
    opened.close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with seen(database) as connection:
        examination.work(connection, NOW)
        examination.write_refusal(connection)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "nosuch.db"
    with pytest.raises(StoreError, match="unable to open"), seen(f"sqlite:///{file}"):
        pass
    assert list(tmp_path.iterdir()) == []
