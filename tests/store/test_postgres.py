"""What only PostgreSQL does: writers side by side, a server that goes away, upgrades at once."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from alembic import command
from sqlalchemy import insert, select, text, update

from inboxkit.clock import Clock
from inboxkit.errors import ConfigurationError, StoreError
from inboxkit.store import deliveries, driver, events, measures, schema, search
from inboxkit.store.bulk import BulkInsert
from inboxkit.store.database import Database, open_database
from inboxkit.store.deliveries import Outcome
from inboxkit.store.postgres import make_room
from inboxkit.store.query import parse_query
from inboxkit.store.store import Store
from inboxkit.store.tables import content, delivery, event, message, setting
from inboxkit.store.transactions import Tx
from inboxkit.tokens import new_id
from inboxkit.values import EventType

from ..postgres import Server, own_server
from .at_once import waits
from .sending import ANN, NOW, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

pytestmark = pytest.mark.postgres
AT = datetime(2026, 1, 1, tzinfo=UTC)


def append(tx: Tx, message_id: int) -> int:
    return events.append(tx, EventType.RECEIVED, at=AT, inbox_id=1, message_id=message_id)


def put(tx: Tx, key: str, value: str = "v") -> str:
    tx.connection.execute(insert(setting), [{"key": key, "value": value}])
    return key


def changed(tx: Tx, key: str) -> str:
    driver.change(tx.connection, "INSERT INTO inboxkit_setting VALUES (%s, 'v')", (key,))
    return key


class Swap:
    """Changes two rows; two that do it the other way round at once are in each other's way."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self._both = threading.Barrier(2)

    def __call__(self, tx: Tx, first: str, second: str) -> None:
        self.tried.append(first)
        for key in (first, second):
            mine = update(setting).where(setting.c.key == key)
            tx.connection.execute(mine.values(value=setting.c.value + first))
            if key == first and self.tried.count(first) == 1:
                self._both.wait(5)


def messages(connection: Connection, cursor: int) -> list[int]:
    return [row.message_id for row in events.after(connection, cursor)]


def until(fact: Callable[[], bool]) -> None:
    """Wait for what depends on other transactions of the server, those of other tests too."""
    end = time.monotonic() + 30
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def opened(database: str) -> Iterator[Database]:
    both = open_database(database)
    yield both
    both.close()


def test_an_entry_waits_for_what_may_still_come_before_it(opened: Database) -> None:
    with opened.reader.connect() as reader, ExitStack() as stack:
        slow = stack.enter_context(opened.writer.connect())
        append(Tx(slow), 1)
        with opened.writer.begin() as fast:
            append(Tx(fast), 2)
        assert (messages(reader, 0), events.last(reader)) == ([], 0)
        slow.commit()
        until(lambda: messages(reader, 0) == [1, 2])
        first, second = events.after(reader, 0)
        assert messages(reader, first.seq) == [2]
        assert events.last(reader) == second.seq


async def test_readers_are_told_when_the_older_transaction_ends(
    store: Store, opened: Database
) -> None:
    with opened.writer.connect() as older:
        put(Tx(older), "open")
        await store.write(append, 1)
        assert await store.read(messages, 0) == []
        seen = store.bell.count("event")
        older.commit()
        async with asyncio.timeout(30):
            while not await store.read(messages, 0):
                await store.bell.wait("event", seen)
                seen = store.bell.count("event")


async def test_work_that_was_in_each_others_way_is_done_again(store: Store, database: str) -> None:
    for key in "ab":
        await store.write(put, key, "")
    other, swap = Store(database, Clock()), Swap()
    await other.open()
    async with asyncio.timeout(30):
        await asyncio.gather(store.write(swap, "a", "b"), other.write(swap, "b", "a"))
    await other.close()
    assert len(swap.tried) > 2
    query = select(setting.c.value).where(setting.c.key.in_(["a", "b"]))
    found = await store.read(lambda c: set(c.execute(query).scalars()))
    assert found in ({"ab"}, {"ba"})


async def test_a_row_that_another_process_made_meanwhile_is_found(
    store: Store, opened: Database
) -> None:
    def get_or_put(tx: Tx, key: str) -> str:
        query = select(setting.c.value).where(setting.c.key == key)
        return tx.connection.execute(query).scalar() or put(tx, key, "mine")

    with opened.writer.connect() as other:
        put(Tx(other), "k", "theirs")
        getting = asyncio.ensure_future(store.write(get_or_put, "k"))
        await asyncio.wait({getting}, timeout=0.2)
        assert not getting.done()  # the index makes it wait for the other's commit
        other.commit()
    assert await asyncio.wait_for(getting, 30) == "theirs"


def test_an_outcome_told_twice_at_once_is_logged_once(opened: Database) -> None:
    outcome = Outcome(type=EventType.DELIVERED, at=NOW, recipient=ANN, event_id="e1")
    with opened.writer.begin() as connection:
        number = stored(Tx(connection), ANN)

    def tell(_: int) -> bool:
        with opened.writer.begin() as connection:
            return deliveries.happened(Tx(connection), number, outcome, now=NOW)

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(tell, range(4))) == [False, False, False, True]
    with opened.reader.connect() as reader:
        assert reader.execute(select(delivery.c.state)).scalars().all() == ["delivered"]


def test_a_connection_is_named_and_events_are_counted(opened: Database) -> None:
    with opened.writer.connect() as connection:
        before = measures.gauges(connection, NOW)["events_total"]
    with opened.writer.begin() as connection:
        for number in range(3):
            append(Tx(connection), number)
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with opened.writer.connect() as connection:
        assert connection.execute(text("SHOW application_name")).scalar_one() == "inboxkit"
        assert measures.gauges(connection, NOW)["events_total"] == before + 3


def test_text_with_nul_is_kept_without_it(opened: Database) -> None:
    with opened.writer.begin() as connection:
        put(Tx(connection), "nul", "a\0b")
        assert connection.execute(select(setting.c.value).where(setting.c.key == "nul")).one() == (
            "a\ufffdb",
        )


def many(tx: Tx, count: int) -> list[int]:
    """Store as many messages, the oldest with a word of its own; return their row ids."""
    one = stored(tx, ANN, subject="Common")
    tables = {"id": message, "message_id": content}
    rows = {
        key: dict(tx.connection.execute(select(t).where(t.c[key] == one)).mappings().one())
        for key, t in tables.items()
    }
    ids = [new_id() for _ in range(count)]
    for key, table in tables.items():
        BulkInsert(table)(tx.connection, [rows[key] | {key: number} for number in ids])
    search.remove(tx, [one])
    rare = update(message).where(message.c.id == ids[0]).values(subject="Common and rare")
    tx.connection.execute(rare)
    search.index(tx, ids)
    return ids


@pytest.mark.parametrize("count", [2_000, 2_001], ids=["all looked up", "walked"])
def test_search_is_newest_first_however_many_hits(opened: Database, count: int) -> None:
    with opened.writer.begin() as connection:
        ids = many(Tx(connection), count)

        def find(query: str, limit: int = 3, **more: int) -> list[int]:
            return search.find(connection, parse_query(query, now=NOW), limit=limit, **more)

        assert find("common") == ids[:-4:-1]
        assert find("common", before=ids[1]) == ids[:1]
        assert find("common rare") == find("rare") == ids[:1]
        assert find("common -rare", limit=count) == ids[:0:-1]
        assert find("-rare", limit=2) == ids[:-3:-1]
        assert find("common", inbox_id=7) == []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may be restarted."""
    with own_server() as started:
        yield started


async def written(store: Store, key: str) -> None:
    """Write a row however often the database refuses."""
    async with asyncio.timeout(30):
        while True:
            try:
                await store.write(put, key)
            except StoreError:
                continue
            return


async def test_a_server_that_restarts_loses_nothing_and_is_found_again(server: Server) -> None:
    with server.clean_database() as url:
        here, there = Store(url, Clock()), Store(url, Clock())
        await here.open()
        await there.open()
        keys = [f"k{number}" for number in range(40)]
        for key in keys[:10]:
            await written(here, key)
        restart = asyncio.to_thread(server.control, "restart", "--mode", "immediate")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(restart)
            for key in keys[10:]:
                tasks.create_task(written(here, key))
        query = select(setting.c.key).where(setting.c.key.like("k%"))
        assert await there.read(lambda c: set(c.execute(query).scalars())) == set(keys)
        seen = here.bell.count("event")
        await there.write(append, 1)
        await here.bell.wait("event", seen, timeout=30)
        assert here.bell.count("event") > seen
        await here.close()
        await there.close()


@pytest.mark.parametrize("way", [put, changed], ids=["SQLAlchemy's", "driver's"])
async def test_a_server_that_became_read_only_is_left(
    store: Store, way: Callable[..., str]
) -> None:
    def demote(tx: Tx) -> None:
        tx.connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")

    for number in range(4):  # of both writers
        await store.write(demote)
        assert await store.write(way, f"k{number}") == f"k{number}"


def test_two_that_upgrade_at_once_follow_each_other(server: Server) -> None:
    with server.empty_database() as url:

        def upgrade(_: int) -> str:
            database = open_database(url)
            try:
                return schema.upgrade(database)
            finally:
                database.close()

        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(upgrade, range(2))) == [schema.HEAD] * 2


async def test_an_upgrade_that_is_undone_for_the_mail_of_others_begins_anew(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with server.empty_database() as url:
        database = open_database(f"{url}&options=-c%20deadlock_timeout%3D2s")
        with database.writer.begin() as connection:
            make_room(connection)
            command.upgrade(schema.config(connection), "0021")
        with database.writer.begin() as mail:
            mail.execute(text("SET LOCAL deadlock_timeout = '1min'"))  # the upgrade looks first
            mail.execute(text("LOCK TABLE inboxkit_message IN ROW EXCLUSIVE MODE"))
            upgrading = asyncio.ensure_future(asyncio.to_thread(schema.upgrade, database))
            assert await waits(mail, upgrading)
            then = text("LOCK TABLE inboxkit_thread IN ROW EXCLUSIVE MODE")
            await asyncio.to_thread(mail.execute, then)
        assert await asyncio.wait_for(upgrading, 60) == schema.HEAD
        assert "stood in each other's way" in caplog.text
        database.close()


async def test_a_restored_database_goes_on_behind_its_last_event(server: Server) -> None:
    with server.empty_database() as url:
        database = open_database(url)
        schema.upgrade(database)
        with database.writer.begin() as connection:
            append(Tx(connection), 1)  # on a server that has counted further than this one
            connection.execute(update(event).values(seq=event.c.seq + (1 << 50)))
        with pytest.raises(ConfigurationError, match="inboxkit db upgrade"):
            schema.ensure(database)
        schema.upgrade(database)
        schema.ensure(database)
        with database.writer.begin() as connection:
            append(Tx(connection), 2)
        with database.reader.connect() as reader:
            assert messages(reader, 0) == [1, 2]
        database.close()


async def test_without_our_schema_the_start_says_what_to_do(server: Server) -> None:
    with server.empty_database() as url:
        store = Store(url, Clock())
        with pytest.raises(ConfigurationError, match="inboxkit db upgrade"):
            await store.open()
        store.database.close()
