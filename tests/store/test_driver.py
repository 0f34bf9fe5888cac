"""Statements straight to the driver: what they raise, who hears them, what one look sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from inboxkit.store import driver, events, lists, suppressions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

INSERT = "INSERT INTO inboxkit_setting (key, value) VALUES ('twice', 'v')"
COUNT = "SELECT COUNT(*) FROM inboxkit_setting"


async def test_what_is_refused_is_raised_as_sqlalchemy_does(store: Store) -> None:
    def twice(tx: Tx) -> None:
        assert driver.change(tx.connection, INSERT) == 1
        with pytest.raises(IntegrityError) as refused, tx.connection.begin_nested():
            driver.change(tx.connection, INSERT)
        assert not refused.value.connection_invalidated
        with pytest.raises((OperationalError, ProgrammingError)), tx.connection.begin_nested():
            driver.fetch(tx.connection, "SELECT nothing FROM nowhere")

    await store.write(twice)


async def test_whoever_listens_hears_every_statement(store: Store) -> None:
    heard: list[str] = []

    def hear(_connection: Connection, _cursor: Any, sql: str, *_rest: Any) -> None:
        heard.append(sql)

    def look(connection: Connection) -> int:
        return len(events.after(connection, 0)) + lists.any_of(connection, ["receive"])

    assert await store.read(look) == 0
    event.listen(store.database.reader, "before_cursor_execute", hear)
    assert await store.read(look) == 0
    assert ["event" in heard[0], "listentry" in heard[1]] == [True, True]


async def test_a_text_with_a_nul_finds_no_other(store: Store) -> None:
    odd = ["ann@example.com", 'quo"te\\@example.com', "жанна@example.com", "😀@example.com"]
    for address in odd:
        await store.write(suppressions.add, address, reason="manual", now=store.clock.now())
    wanted = [*odd, "bob@example.com", "ann@example.com\0"]
    assert set(await store.read(suppressions.of_addresses, wanted)) == set(odd)
    assert await store.read(suppressions.of_addresses, ["ann@example.com\0zoe"]) == {}


@pytest.mark.sqlite
async def test_a_look_sees_one_moment(store: Store) -> None:
    """As without the short way; PostgreSQL's readers commit each statement."""

    def put(tx: Tx) -> None:
        driver.change(tx.connection, INSERT)

    with store.database.reader.connect() as connection:
        before = driver.fetch(connection, COUNT)
        await store.write(put)
        assert driver.fetch(connection, COUNT) == before
    assert await store.read(driver.fetch, COUNT) != before


@pytest.mark.postgres
async def test_a_connection_that_is_gone_is_not_used_again(store: Store) -> None:
    def end(connection: Connection) -> None:
        own = driver.fetch(connection, "SELECT pg_backend_pid()")
        with pytest.raises(DBAPIError) as lost:
            driver.fetch(connection, "SELECT pg_terminate_backend(%s)", own[0])
        assert lost.value.connection_invalidated
        assert connection.invalidated

    await store.read(end)
    assert (await store.read(driver.fetch, COUNT))[0][0] > 0
