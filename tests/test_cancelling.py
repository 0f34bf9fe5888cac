"""A send that is taken back before its time, in process and in handlers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit import (
    EventType,
    HandlerError,
    InboxKit,
    Message,
    NotFound,
    Router,
    SendError,
    Thread,
)
from inboxkit.store.conversations import Conversation, find
from inboxkit.store.reach import EVERYTHING
from inboxkit.tokens import row_id

from .mails import ANN, BEGINNING, DESK, arrive

if TYPE_CHECKING:
    from inboxkit.testing import Sandbox

LATER = datetime(2099, 1, 31, 12, tzinfo=UTC)


async def test_what_is_scheduled_is_gone_and_its_key_is_free(kit: InboxKit) -> None:
    desk = await kit.inbox(DESK)
    sent = await desk.send(ANN, "Later", "Soon", key="later", at=LATER)
    await sent.cancel()
    await sent.cancel()
    with pytest.raises(NotFound, match=sent.id):
        await kit.message(sent.id)
    assert (await desk.send(ANN, "Later", "Other", key="later", at=LATER)).id != sent.id


async def test_what_has_left_says_its_state_and_stays(sandbox: Sandbox) -> None:
    desk = await sandbox.inbox("desk@inbox.example")
    tomorrow = sandbox.kit.clock.now() + timedelta(days=1)
    sent = await desk.send("ann@example.com", "Later", "Soon", at=tomorrow)
    await sandbox.advance(timedelta(days=1))
    with pytest.raises(SendError, match=f"{sent.id}: is accepted; only what is still scheduled"):
        await sent.cancel()
    assert [m.id for m in sandbox.outbox] == [sent.id]


async def test_what_came_is_not_cancelled(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit)
    with pytest.raises(SendError, match="was received"):
        await came.cancel()
    assert (await kit.message(came.id)).id == came.id


async def test_a_handler_takes_back_what_it_has_staged_and_nothing_else(sandbox: Sandbox) -> None:
    router = Router()

    @router.on_message()
    async def answers(message: Message) -> None:
        one = await message.reply("One")
        await message.reply("Two")
        await one.cancel()
        await one.cancel()
        await message.reply("Three")

    sandbox.include(router)
    await sandbox.person("ann@example.com").send("desk@inbox.example", "Hello", "Hi")
    await sandbox.settle()
    assert [m.text for m in sandbox.outbox] == ["Two", "Three"]


async def test_for_a_reply_to_what_a_handler_took_back_nobody_waits(sandbox: Sandbox) -> None:
    router, told = Router(), list[str]()

    @router.on_message()
    async def answers(message: Message) -> None:
        sent = await message.forward("ben@example.com")
        await sent.cancel()
        try:
            await sent.wait_for_reply(timeout=30)
        except NotFound as error:
            told.append(str(error))

    sandbox.include(router)
    await sandbox.person(ANN).send(DESK, "Hello", "Hi")
    await sandbox.settle()
    assert [text.endswith("it was taken back") for text in told] == [True]


async def test_a_handler_takes_back_a_follow_up_at_once(sandbox: Sandbox) -> None:
    router, left = Router(), list[Message]()

    @router.on_reply(tag="offer")
    async def answered(message: Message) -> None:
        thread = await message.thread()
        for one in await thread.messages():
            if one.state == "scheduled":
                await one.cancel()
        left.extend(await thread.messages())

    sandbox.include(router)
    desk, ann = await sandbox.inbox("desk@inbox.example"), sandbox.person("ann@example.com")
    offer = await desk.send(ann.address, "Offer", "Ten boxes", tag="offer")
    week = sandbox.kit.clock.now() + timedelta(days=7)
    await (await offer.thread()).send("Still interested?", at=week)
    await ann.reply(await ann.next_message(), "Yes")
    await sandbox.settle()
    assert [m.direction for m in left] == ["outbound", "inbound"]


async def test_a_task_that_a_handler_has_left_takes_nothing_back(database: str) -> None:
    router, tasks, stored = Router(), list[asyncio.Task[None]](), asyncio.Event()

    async def change_its_mind(staged: Message) -> None:
        await stored.wait()
        await staged.cancel()

    @router.on_message(to="desk@*")
    async def answers(message: Message) -> None:
        tasks.append(asyncio.create_task(change_its_mind(await message.reply("Later", at=LATER))))

    async with InboxKit(router, database=database) as kit:
        await kit.inbox(DESK)
        await arrive(kit)
        async with asyncio.timeout(30):
            await anext(e async for e in kit.events(after=BEGINNING) if e.type == EventType.QUEUED)
        stored.set()
        with pytest.raises(HandlerError, match="the handler that started this task has ended"):
            await asyncio.gather(*tasks)
        assert [m.state async for m in kit.search("state:scheduled")] == ["scheduled"]


async def test_a_thread_is_what_it_was_before_the_send_that_is_taken_back(
    sandbox: Sandbox,
) -> None:
    await sandbox.inbox(DESK)
    asked = await sandbox.person(ANN).send(DESK, "Hello", "Is it blue?")
    thread = await (await sandbox.kit.message(asked.id)).thread()
    before = await shown(sandbox, thread.id)
    assert not before[1]
    later = await thread.send("It is green", at=sandbox.kit.clock.now() + timedelta(days=7))
    await later.cancel()
    assert await shown(sandbox, thread.id) == before


async def test_a_reminder_counts_from_when_a_send_leaves_and_never_of_one_taken_back(
    sandbox: Sandbox,
) -> None:
    router, reminded = Router(), list[str]()

    @router.on_no_reply(tag="offer", after=timedelta(days=3))
    async def remind(thread: Thread) -> None:
        reminded.append(thread.subject)

    sandbox.include(router)
    desk, now = await sandbox.inbox(DESK), sandbox.kit.clock.now()
    for subject in ("Kept", "Taken back"):
        sent = await desk.send(ANN, subject, "Ten", tag="offer", at=now + timedelta(days=7))
    await desk.send(ANN, "Now", "Nine", tag="offer")
    follow_up = await (await sandbox.outbox[-1].thread()).send(
        "Still?", tag="offer", at=now + timedelta(days=2)
    )
    await sent.cancel()
    await follow_up.cancel()
    await sandbox.advance(timedelta(days=4))
    assert reminded == ["Now"]
    await sandbox.advance(timedelta(days=7))
    assert reminded == ["Now", "Kept"]


async def shown(sandbox: Sandbox, thread_id: str) -> tuple[Conversation, datetime | None]:
    """Return what lists show of a thread, and since when it waits."""
    found = await sandbox.kit.runtime.store.read(find, EVERYTHING, row_id("thd", thread_id))
    assert found is not None
    waits = (await sandbox.kit.thread(thread_id)).waiting_since
    return replace(found, updated_at=found.created_at), waits


async def waits(sandbox: Sandbox, thread_id: str) -> datetime | None:
    return (await sandbox.kit.thread(thread_id)).waiting_since


async def test_a_thread_waits_for_an_answer_from_when_its_send_goes(sandbox: Sandbox) -> None:
    desk, now = await sandbox.inbox(DESK), sandbox.kit.clock.now()
    week = now + timedelta(days=7)
    thread = await (await desk.send(ANN, "Offer", "Ten", at=week)).thread()
    assert await waits(sandbox, thread.id) == week
    sooner = await thread.send("Nine", at=now + timedelta(days=2))
    assert await waits(sandbox, thread.id) == now + timedelta(days=2)
    await sooner.cancel()
    assert await waits(sandbox, thread.id) == week


async def test_a_time_that_is_over_is_not_when_a_thread_began_to_wait(sandbox: Sandbox) -> None:
    desk, now = await sandbox.inbox(DESK), sandbox.kit.clock.now()
    sent = await desk.send(ANN, "Offer", "Ten", at=now - timedelta(days=7))
    since = await waits(sandbox, (await sent.thread()).id)
    assert since is not None
    assert since >= now
