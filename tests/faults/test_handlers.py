"""Handlers that are slow, hang or block: others are not held up, and somebody hears of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from inboxkit import InboxKit, Message, Router
from inboxkit.store import backlog, runs
from tests.mails import ANN, DESK, mail

from .logs import said

if TYPE_CHECKING:
    import pytest

QUICK = "quick@inbox.example"


async def take(kit: InboxKit, to: str, count: int = 1) -> None:
    for number in range(count):
        raw = mail(to=to, subject=f"{to} {number}")
        await kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=[to])


async def test_the_backlog_of_a_slow_router_holds_up_no_other(database: str) -> None:
    slow, quick = Router(concurrency=2), Router()
    released, handled, started = anyio.Event(), anyio.Event(), anyio.Event()

    @slow.on_message(to="desk@*")
    async def hang(message: Message) -> None:
        started.set()
        await released.wait()

    @quick.on_message(to="quick@*")
    async def note(message: Message) -> None:
        handled.set()

    async with InboxKit(slow, quick, database=database) as kit:
        await kit.inbox(DESK)
        await kit.inbox(QUICK)
        await take(kit, DESK, 80)  # more than the places there are
        with anyio.fail_after(30):
            await started.wait()
            while left := await kit.runtime.store.read(backlog.count, ["read", "plan"]):
                seen = kit.runtime.store.bell.count("done")
                await kit.runtime.store.bell.wait("done", seen, timeout=0.1)
            assert not left
            await take(kit, QUICK)
            await handled.wait()
        left = await kit.runtime.store.read(backlog.count, ["run"])
        released.set()
    assert left >= 80


async def test_a_slow_router_holds_up_no_other_that_takes_the_same_mail(database: str) -> None:
    slow, quick = Router(concurrency=1, ordered=False), Router(ordered=False)
    released, handled, called = anyio.Event(), anyio.Event(), list[str]()

    @slow.on_message(to="desk@*")
    async def hang(message: Message) -> None:
        called.append(message.id)
        await released.wait()

    @quick.on_message(to="*@inbox.example")
    async def note(message: Message) -> None:
        noted.add(message.id)
        if len(noted) == 100:
            handled.set()

    noted = set[str]()
    async with InboxKit(slow, quick, database=database) as kit:
        await kit.inbox(DESK)
        await take(kit, DESK, 100)  # twice the places there are
        with anyio.fail_after(60):
            await handled.wait()
            assert len(called) == 1
            while (await kit.runtime.store.read(backlog.summary))["run leased"] > 1:
                seen = kit.runtime.store.bell.count("done")
                await kit.runtime.store.bell.wait("done", seen, timeout=0.1)
            released.set()
            while await kit.runtime.store.read(backlog.count, ["run"]):
                seen = kit.runtime.store.bell.count("done")
                await kit.runtime.store.bell.wait("done", seen, timeout=0.1)
        done = await kit.runtime.store.read(runs.listed, state="done", limit=999)
    assert (len(set(called)), len(called), len(done)) == (100, 100, 200)
    assert {row.attempts for row in done} == {1}  # to wait is no attempt


async def test_what_the_only_call_of_a_router_did_is_stored_before_the_next(database: str) -> None:
    seen: list[int] = []
    over = anyio.Event()
    router = Router(concurrency=1, ordered=False)

    @router.on_message()
    async def count(message: Message) -> None:
        seen.append(len(await kit.runtime.store.read(runs.listed, state="done")))
        if len(seen) == 5:
            over.set()

    async with InboxKit(router, database=database) as kit:
        await kit.inbox(DESK)
        await take(kit, DESK, 5)
        with anyio.fail_after(30):
            await over.wait()
    assert seen == [0, 1, 2, 3, 4]


async def test_a_handler_that_blocks_the_loop_is_named_in_the_log(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()

    @router.on_message()
    async def blocks(message: Message) -> None:
        time.sleep(1.0)  # noqa: ASYNC251 - that is the fault

    async with InboxKit(router, database=database) as kit:
        await kit.inbox(DESK)
        await take(kit, DESK)
        await said(caplog, "the event loop stood still")
