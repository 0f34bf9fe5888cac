"""A database that no longer answers, nor ends its connections: nobody waits for ever."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread

from inboxkit import InboxKit
from inboxkit.errors import StoreError
from inboxkit.store import inboxes
from tests.mails import DESK, mail
from tests.silence import Line

from .delivering import send
from .logs import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.postgres
LIMIT = 0.3


@pytest.fixture
async def line(database: str) -> AsyncIterator[Line]:
    line = Line(database)
    async with line.listening():
        yield line


async def ready(kit: InboxKit) -> None:
    with anyio.fail_after(30):
        while await kit.runtime.problem():
            await kit.runtime.store.bell.wait("none", 0, timeout=0.05)


async def test_a_sender_is_told_to_come_back(line: Line) -> None:
    async with InboxKit(database=line.url, smtp="127.0.0.1:0") as kit:
        kit.runtime.store.patience.seconds = LIMIT
        await kit.inbox(DESK)
        assert await to_thread.run_sync(send, kit, mail()) == 250
        line.cut()
        with anyio.fail_after(30):
            assert await to_thread.run_sync(send, kit, mail("two")) == 451
            assert await to_thread.run_sync(send, kit, mail("three")) == 451
        line.mend()
        await ready(kit)
        assert await to_thread.run_sync(send, kit, mail("two")) == 250


async def test_a_probe_is_told_that_the_database_does_not_answer(line: Line) -> None:
    async with InboxKit(database=line.url) as kit:
        kit.runtime.store.patience.seconds = LIMIT
        line.cut()
        with anyio.fail_after(30):
            assert "does not answer" in await kit.runtime.problem()
        line.mend()
        await ready(kit)


def threads() -> set[threading.Thread]:
    """Return the threads that wait for a database, those of other kits too."""
    return {each for each in threading.enumerate() if each.name.startswith("inboxkit-")}


async def test_a_close_leaves_a_database_that_does_not_answer(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    of_others = threads()
    kit = await InboxKit(database=f"{line.url}&connect_timeout=2").__aenter__()
    store = kit.runtime.store
    assert threads() - of_others
    store.patience.seconds = LIMIT
    line.cut()
    asked: list[asyncio.Task[Any]] = [
        asyncio.create_task(store.read(inboxes.everything)),
        asyncio.create_task(store.write(store.beat)),
        asyncio.create_task(store.write_lightly(store.beat)),
    ]
    await asyncio.sleep(0)
    with anyio.fail_after(20):
        await kit.runtime.stop()
        results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(result, StoreError) for result in results), results
    assert re.search(r"had not stored: [1-9]\d*; what it has leased is taken over", caplog.text)
    await until(lambda: not threads() - of_others)
    line.mend()
