"""Wake-ups between processes on one PostgreSQL, whatever happens to the thread that hears them."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import insert

from inboxkit.clock import Clock
from inboxkit.store import events
from inboxkit.store.database import open_database
from inboxkit.store.notices import Notices
from inboxkit.store.store import Store
from inboxkit.store.tables import setting
from inboxkit.store.transactions import Tx
from inboxkit.values import EventType

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

pytestmark = pytest.mark.postgres
MANY, ENOUGH = 1_100, 2_200
AT = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def many_open_files() -> Generator[None]:
    """Let every further file have a number above 1,024."""
    import resource  # exists on Unix only

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] <= MANY:
        pytest.skip("no file of any process has such a number here")
    most = ENOUGH if before[1] == resource.RLIM_INFINITY else min(ENOUGH, before[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], most), before[1]))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(MANY)]
    try:
        yield
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def put(tx: Tx, topic: str) -> None:
    tx.connection.execute(insert(setting), [{"key": topic, "value": ""}])
    tx.wake(topic)


async def test_it_hears_with_more_than_a_thousand_open_files(database: str) -> None:
    with many_open_files():
        here, there = Store(database, Clock()), Store(database, Clock())
        await here.open()
        await there.open()
        seen = here.bell.count("read")
        await there.write(put, "read")
        async with asyncio.timeout(30):
            await here.bell.wait("read", seen)
        await here.close()
        await there.close()


def test_an_error_of_our_own_ends_nothing(database: str) -> None:
    opened, heard, rung = open_database(database), threading.Event(), list[str]()

    def hear(topics: Iterable[str]) -> None:
        rung.extend(topics)
        if rung == ["read"]:
            raise ValueError("the first time")
        heard.set()

    notices = Notices(opened.writer, ["read", "plan"])
    notices.listen(hear)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("NOTIFY inboxkit, 'read'")
    assert heard.wait(30)
    assert rung == ["read", "read", "plan"]  # every topic, as some may have been missed
    notices.close()
    opened.close()


def test_a_server_that_stays_away_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        port = server.getsockname()[1]
        opened = open_database(f"postgresql://a@127.0.0.1:{port}/mail?sslmode=disable")
        notices = Notices(opened.writer, [])
        listening = threading.Thread(target=lambda: notices.listen(lambda _topics: None))
        listening.start()
        for _ in range(4):  # attempts, the first of which has been told of before the third
            server.accept()[0].close()
    listening.join(30)
    notices.stop()
    notices.close()
    opened.close()
    assert len([r for r in caplog.records if r.name == "inboxkit.notices"]) == 1


def test_what_could_not_be_told_is_told_by_the_next_connection(database: str) -> None:
    opened, heard = open_database(database), threading.Event()
    notices = Notices(opened.writer, [])
    notices.listen(lambda _topics: None)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("LISTEN inboxkit")
        listening = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s"
        other.execute(listening, ("LISTEN inboxkit",))
        notices.ring(["send"])
        for notice in other.notifies(timeout=30, stop_after=1):
            assert notice.payload == "send"
            heard.set()
    assert heard.is_set()
    notices.close()
    opened.close()


def appended(tx: Tx) -> None:
    events.append(tx, EventType.RECEIVED, at=AT, inbox_id=1, message_id=1)


async def test_readers_of_every_process_are_told_when_an_older_transaction_ends(
    database: str,
) -> None:
    here, there = Store(database, Clock()), Store(database, Clock())
    await here.open()
    await there.open()
    opened, seen = open_database(database), here.bell.count("event")
    async with asyncio.timeout(30):
        with opened.writer.connect() as older:
            put(Tx(older), "open")
            await there.write(appended)
            await here.bell.wait("event", seen)
            assert await here.read(events.after, 0) == []
            seen = here.bell.count("event")
            older.commit()
        await here.bell.wait("event", seen)
    assert len(await here.read(events.after, 0)) == 1
    await here.close()
    await there.close()
    opened.close()


async def test_a_process_that_ends_tells_of_what_an_older_transaction_held_up(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inboxkit.store.notices._LAST_SECONDS", 30.0)
    here, there = Store(database, Clock()), Store(database, Clock())
    await here.open()
    await there.open()
    opened = open_database(database)
    with opened.writer.connect() as older:
        put(Tx(older), "open")
        await there.write(appended)
        closing = asyncio.create_task(there.close())
        await asyncio.wait({closing}, timeout=0.5)  # it does not end before the transaction does
        assert await here.read(events.after, 0) == []
        seen = here.bell.count("event")
        older.commit()
    async with asyncio.timeout(30):
        await here.bell.wait("event", seen)
        await closing
    assert len(await here.read(events.after, 0)) == 1
    await here.close()
    opened.close()


def test_entries_are_looked_at_before_they_are_told_of(database: str) -> None:
    opened = open_database(database)
    notices = Notices(opened.writer, [])
    notices.listen(lambda _topics: None)
    with opened.writer.connect() as older, psycopg.connect(database, autocommit=True) as told:

        class Quicker:
            """Lets the older transaction end as soon as the others are told."""

            def execute(self, *args: Any) -> Any:
                found = told.execute(*args)
                if "pg_notify" in args[0]:
                    older.commit()
                return found

        told.execute("SET search_path TO inboxkit")
        put(Tx(older), "open")
        with opened.writer.begin() as ours:
            appended(Tx(ours))
        assert notices.rest(Quicker(), None, ["event"]) == 0.005
    notices.close()
    opened.close()


def test_it_looks_ever_more_rarely_while_nothing_changes(database: str) -> None:
    opened, rests = open_database(database), [0.0]
    notices = Notices(opened.writer, [])
    notices.listen(lambda _topics: None)
    with opened.writer.connect() as older, psycopg.connect(database, autocommit=True) as looking:
        put(Tx(older), "open")
        with opened.writer.begin() as ours:
            appended(Tx(ours))
        looking.execute("SET search_path TO inboxkit")
        while rests[-1] < 0.5:  # transactions of other tests may end meanwhile
            rests.append(notices.rest(looking, rests[-1] or None) or 0.0)
            assert rests[-1] in (0.005, 2 * rests[-2], 0.5)
        older.commit()
        until = time.monotonic() + 30  # one of another test may hold it up for longer
        while notices.rest(looking, 0.5) not in (None, 0.005):
            assert time.monotonic() < until
    notices.close()
    opened.close()
