"""A start that fails, at whatever step: the first error is shown, and nothing is left open."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import event

from inboxkit import ConfigurationError, InboxKit, InboxKitError, Router, Settings
from inboxkit.clock import Clock
from inboxkit.edges import Shared
from inboxkit.pipeline.configured import configure
from inboxkit.runtime import Runtime
from inboxkit.store.database import open_database
from inboxkit.store.filelock import try_lock
from inboxkit.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from datetime import datetime
    from pathlib import Path


_BEFORE: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def what_was_there_before() -> None:
    _BEFORE.clear()
    _BEFORE.update(threading.enumerate())


class BrokenClock(Clock):
    """Tells the time so many times, then never again."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self._good = good

    def now(self) -> datetime:
        self._strike()
        return super().now()

    def beat(self) -> datetime:
        self._strike()
        return super().beat()

    def _strike(self) -> None:
        self._good -= 1
        if self._good < 0:
            raise ZeroDivisionError("the clock is broken")


def left_open(folder: Path) -> list[str]:
    """Return what of a runtime is still there; runtimes of the whole session are not meant."""
    mine = [t for t in threading.enumerate() if t not in _BEFORE]
    threads = [t.name for t in mine if t.name.startswith("inboxkit")]
    tasks = [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}]
    locks = [path.name for path in folder.glob("*.files/worker-*.lock")]
    held = [path.name for path in folder.glob("*.files/*.lock") if not is_free(path)]
    return [*threads, *tasks, *locks, *held]


def is_free(path: Path) -> bool:
    with path.open("ab") as file:
        return try_lock(file)


async def works_again(database: str) -> bool:
    async with InboxKit(database=database) as kit:
        return not await kit.runtime.problem()


@pytest.mark.parametrize("good", range(8))
async def test_a_start_that_breaks_at_any_reading_of_the_clock(
    database: str, tmp_path: Path, good: int
) -> None:
    kit = InboxKit(database=database)
    kit.clock = BrokenClock(good)
    with pytest.raises((ZeroDivisionError, InboxKitError), match="the clock is broken"):
        async with kit:
            await anyio.sleep_forever() if kit.runtime.stopping.is_set() else await kit.serve()
    assert left_open(tmp_path) == []
    assert await works_again(database)


async def test_a_step_that_cannot_be_made_shows_its_own_error(
    database: str, tmp_path: Path
) -> None:
    settings = Settings.model_construct(database=database, egress_networks=("no network",))
    runtime = Runtime(settings, Clock(), configure(settings))
    with pytest.raises(ValueError, match="'no network' does not appear to be"):
        await runtime.start((), plans=True)
    assert left_open(tmp_path) == []
    assert await works_again(database)


async def test_a_schema_that_is_refused(database: str, tmp_path: Path) -> None:
    opened = open_database(database)
    with opened.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE inboxkit_version SET version_num = '9999'")
        connection.exec_driver_sql("DELETE FROM inboxkit_setting WHERE key = 'schema_compatible'")
    opened.close()
    with pytest.raises(ConfigurationError, match="9999 is newer"):
        await InboxKit(database=database).__aenter__()
    assert left_open(tmp_path) == []


async def test_a_resource_that_breaks_when_it_opens_and_another_when_it_closes(
    database: str, tmp_path: Path
) -> None:
    @asynccontextmanager
    async def stubborn() -> AsyncGenerator[int]:
        yield 1
        raise OSError("cannot be closed")

    @asynccontextmanager
    async def broken() -> AsyncGenerator[int]:
        raise OSError("cannot be opened")
        yield 1

    kit = InboxKit(Router(resource=stubborn), Router(resource=broken), database=database)
    with pytest.raises(OSError, match="cannot be opened"):
        await kit.__aenter__()
    assert left_open(tmp_path) == []


async def test_a_timeout_around_a_kit_leaves_nothing_open(database: str, tmp_path: Path) -> None:
    with anyio.move_on_after(0.3):
        async with InboxKit(database=database, smtp="127.0.0.1:0"):
            await anyio.sleep_forever()
    assert left_open(tmp_path) == []
    assert await works_again(database)


@pytest.mark.parametrize("name", ["smtp", "http"])
async def test_a_start_that_is_cancelled_as_its_port_opens_leaves_it_closed(
    database: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with InboxKit(database=database) as kit:
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        bound.setblocking(False)
        where, loop = bound.getsockname(), asyncio.get_running_loop()
        create = loop.create_server

        def create_and_cancel(*args: Any, **kwargs: Any) -> Coroutine[Any, Any, asyncio.Server]:
            loop.call_soon(opening.cancel)
            return create(*args, **kwargs)

        monkeypatch.setattr(loop, "create_server", create_and_cancel)
        binds = {"smtp": "", "http": "", name: "127.0.0.1:0"}
        shared = Shared(**{name: bound})
        opening = asyncio.create_task(kit.runtime.edges.open(**binds, shared=shared))
        await asyncio.wait({opening})
        assert opening.cancelled()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where)


async def test_a_start_that_is_cancelled_waits_for_what_its_resource_cleans_up(
    database: str, tmp_path: Path
) -> None:
    opening, closing, go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def slow() -> AsyncGenerator[int]:
        opening.set()
        try:
            await anyio.sleep_forever()
            yield 1
        finally:
            closing.set()
            await go.wait()

    start = asyncio.create_task(InboxKit(Router(resource=slow), database=database).__aenter__())
    await asyncio.wait_for(opening.wait(), 30)
    start.cancel()
    await asyncio.wait_for(closing.wait(), 30)
    start.cancel()
    assert await asyncio.wait({start}, timeout=0.3) == (set(), {start})
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert left_open(tmp_path) == []


async def test_a_start_that_is_cancelled_as_it_connects_leaves_nothing_open(
    database: str, tmp_path: Path
) -> None:
    store, connecting, go = Store(database, Clock()), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @event.listens_for(store.database.writer, "do_connect")
    def wait(*_: object) -> None:  # pyright: ignore[reportUnusedFunction] - called by its event
        loop.call_soon_threadsafe(connecting.set)
        go.wait(30)

    opening = asyncio.create_task(store.open())
    await asyncio.wait_for(connecting.wait(), 30)
    opening.cancel()
    assert await asyncio.wait({opening}, timeout=0.3) == (set(), {opening})
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert left_open(tmp_path) == []


async def test_a_close_that_is_cancelled_leaves_nothing_open(database: str, tmp_path: Path) -> None:
    kit, reading, go = InboxKit(database=database), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def wait(_: object) -> bool:
        loop.call_soon_threadsafe(reading.set)
        return go.wait(30)

    await kit.__aenter__()
    query = asyncio.create_task(kit.runtime.store.read(wait))
    await asyncio.wait_for(reading.wait(), 30)
    closing = asyncio.create_task(kit.__aexit__())
    for _ in range(2):
        assert await asyncio.wait({closing}, timeout=0.2) == (set(), {closing})
        closing.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert await query
    assert left_open(tmp_path) == []


async def test_a_kit_is_entered_once_however_many_try_at_once(
    database: str, tmp_path: Path
) -> None:
    kit = InboxKit(database=database)
    entered = await asyncio.gather(*(kit.__aenter__() for _ in range(3)), return_exceptions=True)
    assert entered[0] is kit
    assert [type(other) for other in entered[1:]] == [ConfigurationError] * 2
    await kit.__aexit__()
    assert left_open(tmp_path) == []


async def test_a_kit_whose_start_has_failed_may_be_entered_again(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        kit = InboxKit(database=database, smtp=f"127.0.0.1:{other.getsockname()[1]}")
        with pytest.raises(ConfigurationError, match="cannot listen"):
            await kit.__aenter__()
    async with kit:
        assert kit.smtp_address[1] > 0
