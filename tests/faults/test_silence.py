"""A database that no longer answers, nor ends its connections: nobody waits for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import to_thread

from inboxkit import InboxKit
from tests.mails import DESK, mail
from tests.silence import Line

from .delivering import send

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
