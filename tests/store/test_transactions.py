"""On PostgreSQL nobody waits for ever: not for a host that died, and not for its locks."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from sqlalchemy import insert, text, update

from inboxkit.clock import Clock
from inboxkit.errors import StoreError
from inboxkit.store import postgres
from inboxkit.store.database import open_database
from inboxkit.store.refusals import Unstorable
from inboxkit.store.store import Store
from inboxkit.store.tables import setting

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy import Connection

    from inboxkit.store.transactions import Tx

pytestmark = pytest.mark.postgres
NAMES = ("lock_timeout", "idle_in_transaction_session_timeout", "work_mem")


def hasty(url: str, **settings: str) -> str:
    """Return the URL with settings of the server's, as a user may give them."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return f"{url}&options={quote(options)}"


def limits(connection: Connection) -> list[str]:
    return [str(connection.execute(text(f"SHOW {name}")).scalar()) for name in NAMES]


def shown(url: str) -> list[str]:
    """Return what a new connection is set to."""
    opened = open_database(url)
    with opened.reader.connect() as connection:
        found = limits(connection)
    opened.close()
    return found


@contextmanager
def held(url: str, key: str) -> Generator[None]:
    """Change a row and stay silent, as a host does that lost its power before the commit."""
    opened = open_database(url)
    with opened.writer.connect() as connection:
        connection.execute(update(setting).where(setting.c.key == key).values(value="theirs"))
        yield
        connection.invalidate()
    opened.close()


def put(tx: Tx, key: str) -> None:
    tx.connection.execute(insert(setting), [{"key": key, "value": ""}])


class Mark:
    """Changes rows, and notes how long it waits for each lock at most."""

    def __init__(self) -> None:
        self.waits: list[str] = []

    def __call__(self, tx: Tx, keys: Sequence[str]) -> Sequence[str]:
        self.waits += limits(tx.connection)[:1]
        for key in keys:
            tx.connection.execute(update(setting).where(setting.c.key == key).values(value="ours"))
        return keys


@contextmanager
def connected(url: str) -> Generator[Any]:
    """Give the driver's connection, as the engine makes it."""
    opened = open_database(url)
    pooled = opened.writer.raw_connection()
    yield pooled.driver_connection
    pooled.close()
    opened.close()


def test_a_connection_has_limits_but_those_of_the_user_go_first(database: str) -> None:
    assert shown(database) == ["5s", "15s", "32MB"]
    assert shown(hasty(database, lock_timeout="7s", work_mem="9MB")) == ["7s", "15s", "9MB"]


def test_the_network_has_limits_but_those_of_the_user_go_first(database: str) -> None:
    with connected(f"{database}&keepalives_idle=60") as connection:
        given = connection.info.get_parameters()
    assert given["keepalives_idle"] == "60"
    assert {given["connect_timeout"], given["keepalives_interval"]} == {"10", "3"}
    assert given["tcp_user_timeout"] == "10000"


def test_an_upgrade_may_wait_for_another(database: str) -> None:
    opened = open_database(hasty(database, statement_timeout="7s"))
    with opened.writer.begin() as connection:
        postgres.make_room(connection)
        assert limits(connection)[:2] == ["0", "0"]
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "0"
    with opened.writer.begin() as connection:
        assert limits(connection)[:2] == ["5s", "15s"]
    opened.close()


class Dozes:
    """Writes a row, and forgets at first to go on."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, tx: Tx, key: str) -> str:
        put(tx, key)
        self.calls += 1
        if self.calls == 1:
            time.sleep(0.5)
        return key


async def test_what_idled_too_long_before_its_commit_is_done_again(database: str) -> None:
    url = hasty(database, idle_in_transaction_session_timeout="100ms")
    store, dozes = Store(url, Clock()), Dozes()
    await store.open()
    assert await store.write(dozes, "a") == "a"
    assert dozes.calls == 2
    await store.close()


async def test_what_a_dead_host_holds_stops_nobody_else(database: str) -> None:
    store = Store(hasty(database, lock_timeout="300ms"), Clock())
    await store.open()
    for key in "abc":
        await store.write(put, key)
    mark = Mark()
    with held(database, "b"):
        first, stuck, last = await store.write_each(mark, ["a", "b", "c"])
        assert (first, last) == ("a", "c")
        assert isinstance(stuck, StoreError)
        assert not isinstance(stuck, Unstorable)
    assert (mark.waits[0], set(mark.waits[1:])) == ("300ms", {"100ms"})  # together, then each
    assert await store.write_grouped(mark, "b") == "b"
    await store.close()
