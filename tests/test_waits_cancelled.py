"""Waits that are cancelled, or that a database refuses: what they took is given back, or had."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import event

from inboxkit import InboxKit, Message, StoreError, WaitTimeout
from inboxkit.models import Want
from inboxkit.store import inboxes
from inboxkit.waits import Waits

from .mails import DESK, arrive
from .outages import lose_an_answer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit import Inbox
    from inboxkit.store.inboxes import InboxRecord

MARK = "SET taken_at"
GIVE_BACK = "AND inboxkit_message.taken_at ="


async def desk(kit: InboxKit) -> tuple[Waits, InboxRecord]:
    runtime = kit.runtime
    await kit.inbox(DESK)
    record = await runtime.store.read(inboxes.require, DESK)
    return Waits(runtime.store, runtime.notify, runtime.actions), record


async def test_a_wait_cancelled_while_it_takes_loses_nothing(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    came = await arrive(kit)
    loop = asyncio.get_running_loop()

    def cancel_soon(message: Message) -> bool:
        loop.call_soon(waiting.cancel)  # comes while the mark is on its way to the disk
        return True

    waiting = asyncio.create_task(inbox.wait_for_message(timeout=30, when=cancel_soon))
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert await inbox.wait_for_message(timeout=30) == came


async def held_back(kit: InboxKit) -> tuple[Inbox, asyncio.Task[Message], threading.Event]:
    """Begin a wait, and hold the transaction in which it marks; return what lets it go."""
    inbox, engine = await kit.inbox(DESK), kit.runtime.store.database.writer
    loop, marked, go = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    left = [marked.set]

    def executed(_connection: Connection, _cursor: Any, sql: str, *_rest: Any) -> None:
        if MARK in sql and left:
            loop.call_soon_threadsafe(left.pop())
            assert go.wait(30)

    event.listen(engine, "after_cursor_execute", executed)
    waiting = asyncio.create_task(inbox.wait_for_message(timeout=30))
    await asyncio.sleep(0)
    await arrive(kit)
    await marked.wait()
    return inbox, waiting, go


async def cancelled(waiting: asyncio.Task[Message]) -> bool:
    await asyncio.wait({waiting})
    return waiting.cancelled()


@pytest.mark.parametrize("n", [1, 2])
async def test_a_woken_wait_cancelled_while_it_takes_loses_nothing(kit: InboxKit, n: int) -> None:
    inbox, waiting, go = await held_back(kit)
    for _ in range(n):
        waiting.cancel()
        await asyncio.sleep(0)
    go.set()
    assert await cancelled(waiting)
    assert await inbox.wait_for_message(timeout=30)


@pytest.mark.postgres
async def test_what_is_given_back_does_not_overtake_its_mark(kit: InboxKit) -> None:
    inbox, waiting, go = await held_back(kit)
    waiting.cancel()
    for _ in range(3):  # by the other thread, and so is what was written before
        await kit.runtime.store.write(lambda _tx: None)
    go.set()
    assert await cancelled(waiting)
    assert await inbox.wait_for_message(timeout=30)


async def test_a_cancelled_wait_gives_back_later_when_the_database_refuses(
    kit: InboxKit, caplog: pytest.LogCaptureFixture
) -> None:
    lose_an_answer(kit.runtime.store.database.writer, GIVE_BACK)
    inbox, waiting, go = await held_back(kit)
    waiting.cancel()
    go.set()
    assert await cancelled(waiting)
    assert await inbox.wait_for_message(timeout=30)
    assert "a cancelled wait: the database refused" in caplog.text


async def test_a_scope_cancelled_while_a_wait_takes_loses_nothing(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    came = await arrive(kit)

    def cancel_now(message: Message) -> bool:
        scope.cancel()
        return True

    with anyio.CancelScope() as scope:
        await inbox.wait_for_message(timeout=30, when=cancel_now)
    assert scope.cancelled_caught
    assert await inbox.wait_for_message(timeout=30) == came


async def test_a_wait_has_what_it_marked_although_the_database_did_not_answer(
    kit: InboxKit, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = await kit.inbox(DESK)
    came = await arrive(kit)
    lose_an_answer(kit.runtime.store.database.writer, MARK)
    assert await inbox.wait_for_message(timeout=30) == came
    assert "a wait: the database refused" in caplog.text


async def test_a_wait_says_that_the_database_refused_until_its_end(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    came = await arrive(kit)
    lose_an_answer(kit.runtime.store.database.writer, MARK)
    with pytest.raises(StoreError):
        await inbox.wait_for_message(timeout=0)
    assert await inbox.wait_for_message(timeout=0) == came


async def test_a_wait_gives_back_what_it_marked_and_no_other(kit: InboxKit) -> None:
    (waits, record), (other, _) = await desk(kit), await desk(kit)
    came = await arrive(kit)
    lose_an_answer(kit.runtime.store.database.writer, MARK)
    with pytest.raises(StoreError):
        await waits.message(record, Want(), timeout=0)
    await other.give_back(record, came)  # as if the mark had been lost as well
    assert await other.message(record, Want(), timeout=0) == came
    with pytest.raises(WaitTimeout):
        await waits.message(record, Want(), timeout=0)


async def test_what_is_given_back_wakes_another_wait(kit: InboxKit) -> None:
    waits, record = await desk(kit)
    came = await arrive(kit)
    taken = await waits.message(record, Want(), timeout=30)
    waiting = asyncio.create_task(waits.message(record, Want(), timeout=30))
    await asyncio.sleep(0)
    await waits.give_back(record, taken)
    assert await waiting == came


async def test_a_cancel_scope_around_a_wait_loses_nothing(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    with anyio.move_on_after(0.01) as scope:
        await inbox.wait_for_message(timeout=30)
    assert scope.cancelled_caught
    came = await arrive(kit)
    assert await inbox.wait_for_message(timeout=30) == came
