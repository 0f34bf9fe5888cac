"""What a handler stages: committed with its Run, or not at all; refused once it has ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit import HandlerError, Message, Router, WaitTimeout

from .test_dispatch import FAST, run_states, write

if TYPE_CHECKING:
    from inboxkit.testing import Sandbox


async def test_thread_state_is_committed_with_the_run(sandbox: Sandbox) -> None:
    router = Router(retries=FAST)

    @router.on_message()
    async def counts(message: Message) -> None:
        thread = await message.thread()
        await thread.update(seen=thread.state.get("seen", 0) + 1)
        if message.subject == "fails":
            raise RuntimeError("nothing of it may stay")

    sandbox.include(router)
    ann = sandbox.person("ann@example.com")
    first = await ann.send("bot@inbox.example", "works")
    cite = {"In-Reply-To": first.message_id}
    await ann.send("bot@inbox.example", "fails", headers=cite)
    await sandbox.settle()
    thread = await (await sandbox.message(first.id)).thread()
    assert thread.state == {"seen": 1}


async def test_waiting_for_a_reply_to_a_staged_send_is_refused(sandbox: Sandbox) -> None:
    router, errors = Router(), list[Exception]()

    @router.on_message()
    async def waits(message: Message) -> None:
        sent = await message.reply("Which size?")
        try:
            await sent.wait_for_reply(timeout=1)
        except (HandlerError, WaitTimeout) as error:
            errors.append(error)

    sandbox.include(router)
    await write(sandbox)
    assert [type(e) for e in errors] == [HandlerError]
    assert "on_reply" in str(errors[0])


async def test_a_state_that_is_no_json_ends_the_run_at_once(sandbox: Sandbox) -> None:
    router, seen = Router(retries=FAST), list[object]()

    @router.on_message()
    async def remember(message: Message) -> None:
        thread = await message.thread()
        await thread.update(step="size")
        seen.append((await message.thread()).state.get("step"))
        await thread.update(when=message.received_at)

    sandbox.include(router)
    await write(sandbox)
    await sandbox.advance(timedelta(minutes=5))
    assert seen == [None]  # called once, and its own update comes with its end
    assert await run_states(sandbox) == [("remember", "failed")]


@pytest.mark.parametrize("times", [2, 5])
async def test_a_key_answers_a_thread_once(sandbox: Sandbox, times: int) -> None:
    router = Router()

    @router.on_message()
    async def acknowledge(message: Message) -> None:
        await message.reply("We have it.", key=f"ack-{message.thread_id}")

    sandbox.include(router)
    ann = sandbox.person("ann@example.com")
    first = await ann.send("bot@inbox.example", "Lamp")
    for _ in range(times - 1):
        await ann.send("bot@inbox.example", "Lamp", headers={"In-Reply-To": first.message_id})
    await sandbox.settle()
    assert len(sandbox.outbox) == 1


async def test_a_task_that_outlives_its_handler_is_refused_not_lost(sandbox: Sandbox) -> None:
    router, gate, left = Router(), asyncio.Event(), list[asyncio.Task[Message]]()

    @router.on_message()
    async def hurried(message: Message) -> None:
        async def later() -> Message:
            await gate.wait()
            return await message.reply("Too late.")

        left.append(asyncio.create_task(later()))

    async def end() -> None:
        gate.set()
        await left[0]

    sandbox.include(router)
    await write(sandbox)
    with pytest.raises(HandlerError, match="has ended"):
        await asyncio.to_thread(sandbox._runner.call, end)  # pyright: ignore[reportPrivateUsage] - the task lives in that loop
    assert list(sandbox.outbox) == []
