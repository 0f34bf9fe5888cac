"""The writer thread: what shares a commit, what is taken back alone, what is on the disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy import func, insert, select

from inboxkit.errors import StoreError
from inboxkit.store.tables import setting
from inboxkit.store.writer import Writer
from tests.faults.locking import impatient, locked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from pathlib import Path

    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx


def put(tx: Tx, key: str) -> str:
    tx.connection.execute(insert(setting), [{"key": key, "value": "v"}])
    return key


def put_many(tx: Tx, keys: list[str]) -> Sequence[str]:
    return [put(tx, key) for key in keys]


def put_then_raise(tx: Tx, key: str) -> None:
    put(tx, key)
    raise RuntimeError("changed my mind")


async def keys(store: Store) -> set[str]:
    found = await store.read(lambda c: set(c.execute(select(setting.c.key)).scalars()))
    return found - {"secret", "schema_compatible"}


async def test_a_unit_is_committed_when_write_returns(store: Store) -> None:
    assert await store.write(put, "one") == "one"
    assert await keys(store) == {"one"}


async def test_a_unit_that_raises_takes_only_itself_back(store: Store) -> None:
    results = await asyncio.gather(
        store.write(put, "a"),
        store.write(put_then_raise, "b"),
        store.write(put, "c"),
        return_exceptions=True,
    )
    assert isinstance(results[1], RuntimeError)
    assert await keys(store) == {"a", "c"}


async def test_a_lone_unit_that_raises_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):
        await store.write(put_then_raise, "lone")
    assert await keys(store) == set()


@pytest.mark.parametrize("others", [(), ("a", "b")], ids=["alone", "of three"])
async def test_a_unit_that_raises_stop_iteration_is_told_and_so_are_the_others(
    store: Store, others: tuple[str, ...]
) -> None:
    def stop(_tx: Tx) -> None:
        next(iter(()))

    work = [store.write(stop), *(store.write(put, key) for key in others)]
    with anyio.fail_after(30):
        results = await asyncio.gather(*work, return_exceptions=True)
    assert isinstance(results[0], RuntimeError)
    assert "StopIteration" in str(results[0])
    assert await keys(store) == set(others)


async def test_grouped_units_run_as_one_call(store: Store) -> None:
    calls: list[int] = []

    def counted(tx: Tx, names: list[str]) -> Sequence[str]:
        calls.append(len(names))
        return put_many(tx, names)

    await asyncio.gather(*(store.write_grouped(counted, f"k{i}") for i in range(50)))
    assert sum(calls) == 50
    assert len(calls) < 50
    assert len(await keys(store)) == 50


async def test_a_bad_item_of_a_group_fails_alone(store: Store) -> None:
    await store.write(put, "taken")
    results = await store.write_each(put_many, ["x", "taken", "y"])
    assert results[0] == "x"
    assert isinstance(results[1], StoreError)
    assert results[2] == "y"
    assert await keys(store) == {"taken", "x", "y"}


async def test_wakes_ring_only_after_the_commit(store: Store) -> None:
    before = store.bell.count("read")

    def wake(tx: Tx) -> None:
        put(tx, "woken")
        tx.wake("read")

    await store.write(wake)
    await store.bell.wait("read", before, timeout=30)
    assert store.bell.count("read") > before  # PostgreSQL tells it once more, as to the others
    assert await keys(store) == {"woken"}


async def test_wakes_of_a_failed_unit_ring_nothing(store: Store) -> None:
    def wake_then_raise(tx: Tx) -> None:
        tx.wake("plan")
        raise RuntimeError("no")

    before = store.bell.count("plan")
    await asyncio.gather(
        store.write(wake_then_raise), store.write(put, "other"), return_exceptions=True
    )
    await store.write(put, "later")
    assert store.bell.count("plan") == before


@pytest.mark.sqlite
async def test_a_database_that_stays_locked_refuses_with_store_error(
    store: Store, tmp_path: Path
) -> None:
    await impatient(store)
    with locked(tmp_path / "test.db"), pytest.raises(StoreError, match="locked"):
        await store.write(put, "late")
    assert await store.write(put, "again") == "again"


@pytest.mark.sqlite
async def test_a_full_database_refuses_and_goes_on_later(store: Store) -> None:
    def fill(tx: Tx) -> None:
        tx.connection.execute(insert(setting), [{"key": "big", "value": "x" * 500_000}])

    pages = await store.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
    await store.write(lambda tx: tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(StoreError, match="full"):
        await store.write(fill)
    await store.write(
        lambda tx: tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages * 100}")
    )
    await store.write(fill)
    assert await keys(store) == {"big"}


@pytest.mark.sqlite
async def test_durable_commits_are_synced_and_light_ones_are_not(store: Store) -> None:
    def level(tx: Tx) -> int:
        return int(tx.connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    full, normal = 2, 1
    assert await store.write(level) == full
    assert await store.write_lightly(level) == normal
    assert await store.write(level) == full


async def test_counts_survive_a_crowd(store: Store) -> None:
    await asyncio.gather(*(store.write(put, f"n{i}") for i in range(600)))
    number = await store.read(lambda c: c.execute(select(func.count(setting.c.key))).scalar_one())
    assert number == 602  # with the secret and the schema's mark


async def test_what_has_a_shortcut_takes_it_beside_other_work(store: Store) -> None:
    order: list[str] = []

    def quick(_tx: Tx, _items: list[str]) -> list[str]:
        raise AssertionError

    def shortcut(tx: Tx, items: list[str]) -> list[str]:
        with tx.connection.begin():
            return [put(tx, item) for item in items]

    async def told(name: str, work: Awaitable[str]) -> None:
        order.append(f"{name}: {await work}")

    def untold(_woken: set[str], _leased: list[Job]) -> None: ...

    writer = Writer(store.database.writer, untold, shortcuts={quick: shortcut})
    writer.start()
    try:
        await asyncio.gather(
            told("plain", writer.run(put, "a")),
            told("quick", writer.run_grouped(quick, "b")),
            told("quick", writer.run_grouped(quick, "c")),
        )
    finally:
        await asyncio.to_thread(writer.stop)
    assert order == ["quick: b", "quick: c", "plain: a"]
    assert await keys(store) == {"a", "b", "c"}
