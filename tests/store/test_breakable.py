"""Queries that take too long: they are broken off, and hold up nothing afterwards."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from inboxkit.errors import StoreError
from inboxkit.store.breakable import Breakable
from inboxkit.store.refusals import TooLong

if TYPE_CHECKING:
    from inboxkit.store.store import Store

SECONDS = 30
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n"


def endless(connection: Connection) -> None:
    connection.execute(text(ENDLESS))


def one(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


def broken(connection: Connection) -> None:
    connection.execute(text("SELECT nothing_of_that_name"))


async def test_a_query_that_takes_too_long_is_broken_off(store: Store) -> None:
    store.longest_query = 0.05
    with anyio.fail_after(SECONDS), pytest.raises(TooLong, match=r"after 0\.05 s: ask for less"):
        await store.read_at_length(endless)
    assert [await store.read_at_length(one) for _ in range(4)] == [1] * 4


async def test_queries_that_nobody_waits_for_any_more_hold_up_no_others(store: Store) -> None:
    begun = threading.Semaphore(0)

    def unwanted(connection: Connection) -> None:
        begun.release()
        endless(connection)

    async with anyio.create_task_group() as tasks:
        for _ in range(2):  # as many as there are threads for them
            tasks.start_soon(store.read_at_length, unwanted)
            await anyio.to_thread.run_sync(partial(begun.acquire, timeout=SECONDS))
        tasks.cancel_scope.cancel()
    with anyio.fail_after(SECONDS):
        assert await store.read_at_length(one) == 1


async def test_a_query_that_is_cancelled_before_its_turn_never_begins(store: Store) -> None:
    query = Breakable(SECONDS)
    asked = store.read(lambda c: query.run(c, lambda: one(c)))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await query.watch(asked)
    with pytest.raises(StoreError, match="nobody waits"):
        await store.read(lambda c: query.run(c, lambda: one(c)))


@pytest.mark.parametrize(("seconds", "is_broken"), [(SECONDS, False), (0, True)])
async def test_a_query_has_its_seconds_from_its_own_beginning_on(
    store: Store, seconds: float, *, is_broken: bool
) -> None:
    query = Breakable(seconds)
    query.break_off()  # before it has begun

    def broken_off(connection: Connection) -> None:
        query.break_off()
        broken(connection)

    with pytest.raises(StoreError) as raised:
        await store.read(lambda c: query.run(c, lambda: broken_off(c)))
    assert isinstance(raised.value, TooLong) == is_broken


async def test_what_a_query_fails_with_is_told_as_it_is(store: Store) -> None:
    with pytest.raises(StoreError, match="nothing_of_that_name") as raised:
        await store.read_at_length(broken)
    assert not isinstance(raised.value, TooLong)
    assert isinstance(raised.value.__cause__, DBAPIError)
