"""InboxKit: what its end, orderly or not, is to those who wait for something of it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import pytest

from inboxkit import (
    InboxKit,
    InboxKitError,
)
from inboxkit.clock import Clock

from .mails import ANN, BEGINNING, DESK, mail

if TYPE_CHECKING:
    from datetime import datetime


async def test_closing_a_kit_ends_its_events_and_fails_its_waits_at_once(database: str) -> None:
    told: list[str] = []
    seen = anyio.Event()

    async def follow(kit: InboxKit) -> None:
        async for event in kit.events(after=BEGINNING):
            told.append(event.type)
            seen.set()

    async with InboxKit(database=database) as kit:
        inbox = await kit.inbox(DESK)
        sent = await inbox.send(ANN, "Size?")
        following = asyncio.create_task(follow(kit))
        waits = [
            asyncio.create_task(inbox.wait_for_message(timeout=60)),
            asyncio.create_task(sent.wait_for_reply(timeout=60)),
        ]
        async with asyncio.timeout(30):
            await seen.wait()
    async with asyncio.timeout(20):  # less than a wait for the next ring
        await following
        results = await asyncio.gather(*waits, return_exceptions=True)
    assert told
    assert [(isinstance(r, InboxKitError), str(r)) for r in results] == [
        (True, "the kit was closed")
    ] * 2


async def test_a_mail_that_nobody_has_read_when_the_kit_closes_keeps_nobody_waiting(
    database: str,
) -> None:
    kit = InboxKit(database=database)
    kit.only_look()  # so that it is stored, and never read
    async with kit:
        await kit.inbox(DESK)
        bell, seen = kit.runtime.store.bell, kit.runtime.store.bell.count("read")
        receiving = asyncio.create_task(kit.receive(mail(), mail_from=ANN, rcpt_to=[DESK]))
        await bell.wait("read", seen, timeout=30)
    async with asyncio.timeout(3):  # less than it takes until it would look again
        with pytest.raises(InboxKitError, match="closed"):
            await receiving


_SPARED: ContextVar[bool] = ContextVar("_SPARED", default=False)


class StoppableClock(Clock):
    """A clock that can break, and with it every step of the runtime, but no task that is spared.

    A wait that is woken reads the clock too; what ends it here must be the runtime.
    """

    broken = False

    def now(self) -> datetime:
        if self.broken and not _SPARED.get():
            raise RuntimeError("the clock has stopped")
        return super().now()


async def test_a_step_that_breaks_wakes_every_wait_with_an_error(database: str) -> None:
    clock = StoppableClock()
    kit = await InboxKit(database=database, clock=clock).__aenter__()
    inbox = await kit.inbox(DESK)
    sent = await inbox.send(ANN, "Size?")
    _SPARED.set(True)  # for what this test begins from here on
    waits: list[asyncio.Future[Any]] = [
        asyncio.create_task(inbox.wait_for_message(timeout=60)),
        asyncio.create_task(sent.wait_for_reply(timeout=60)),
        asyncio.create_task(kit.serve()),
    ]
    await asyncio.sleep(0)
    clock.broken = True
    kit.runtime.store.bell.ring(["read"])
    async with asyncio.timeout(30):
        results = await asyncio.gather(*waits, return_exceptions=True)
    assert [str(r) for r in results] == [
        "the runtime has stopped: RuntimeError: the clock has stopped"
    ] * 3
    with pytest.raises(InboxKitError, match="the clock has stopped"):
        await kit.__aexit__()


async def test_a_broken_runtime_is_not_ready_and_says_why_in_the_log(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = StoppableClock()
    kit = await InboxKit(database=database, clock=clock, http="127.0.0.1:0").__aenter__()
    url = f"{kit.url}/readyz"
    async with aiohttp.ClientSession() as session:
        assert await answer(session, url) == (200, "ok")
        clock.broken = True
        kit.runtime.store.bell.ring(["read"])
        with pytest.raises(InboxKitError):
            await asyncio.wait_for(kit.serve(), 30)
        reason = "the runtime has stopped: RuntimeError: the clock has stopped"
        assert await answer(session, url) == (503, reason)
        strangers = {"X-Forwarded-For": "203.0.113.9"}
        assert await answer(session, url, strangers) == (503, "the runtime has stopped")
    assert [r.message for r in caplog.records].count(f"not ready: {reason}") == 1
    with pytest.raises(InboxKitError):
        await kit.__aexit__()
    assert [r.levelname for r in caplog.records if r.message == "the runtime has stopped"] == [
        "CRITICAL"
    ]


async def answer(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    async with session.get(url, headers=headers) as response:
        return response.status, await response.text()
