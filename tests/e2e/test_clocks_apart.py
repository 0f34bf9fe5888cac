"""Two hosts whose clocks differ, on one database: what comes after a send is its reply."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from inboxkit import InboxKit, Message, Router, Thread, WaitTimeout
from inboxkit.clock import Clock
from inboxkit.testing.settling import advance
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from collections.abc import Mapping

BEHIND, AHEAD = -30, 30  # seconds
# Row ids follow ``time.time``, all other moments the Clock: both are another host's.
_HOST = """\
import sys, time
from datetime import timedelta

database, apart, real = sys.argv[1], float(sys.argv[2]), time.time
time.time = lambda: real() + apart

import asyncio
from inboxkit import InboxKit
from inboxkit.clock import Clock
from inboxkit.settings import Settings

class Theirs(Clock):
    def now(self):
        return super().now() + timedelta(seconds=apart)

async def take():
    async with InboxKit(settings=Settings(database=database), clock=Theirs()) as kit:
        raw = sys.stdin.buffer.read()
        await kit.receive(raw, mail_from="ann@example.com", rcpt_to=["desk@inbox.example"])

asyncio.run(take())
"""


async def takes(database: str, apart: float, headers: Mapping[str, str]) -> None:
    """Let a host whose clock is ahead by so many seconds, or behind, take a mail in."""
    raw = mail("The blue one.", subject="Re: Size", headers=headers)
    command = [sys.executable, "-c", _HOST, database, str(apart)]
    await anyio.run_process(command, input=raw, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("apart", [BEHIND, pytest.param(AHEAD, marks=pytest.mark.long)])
async def test_a_reply_that_another_host_took_is_found(database: str, apart: float) -> None:
    async with InboxKit(database=database) as kit:
        desk = await kit.inbox(DESK)
        sent = await desk.send(ANN, "Size", "Which size?")
        await takes(database, apart, {"In-Reply-To": sent.message_id})
        found = await sent.wait_for_reply(timeout=20)
    assert found.text.strip() == "The blue one."


@pytest.mark.long
@pytest.mark.parametrize("apart", [BEHIND, AHEAD])
async def test_a_question_that_another_host_took_is_no_reply_to_its_answer(
    database: str, apart: float
) -> None:
    async with InboxKit(database=database) as kit:
        await kit.inbox(DESK)
        await takes(database, apart, {})
        [question] = [found async for found in kit.search()]
        sent = await question.reply("In stock.")
        with pytest.raises(WaitTimeout):
            await sent.wait_for_reply(timeout=0)
        await takes(database, apart, {"In-Reply-To": sent.message_id})
        assert (await sent.wait_for_reply(timeout=20)).id != question.id


@pytest.mark.long
@pytest.mark.parametrize("apart", [AHEAD, BEHIND])
async def test_a_question_that_another_host_took_ends_no_wait_for_the_answer(
    database: str, apart: float
) -> None:
    router, reminded, clock = Router(), list[str](), Clock()

    @router.on_message(to="desk@*")
    async def answer(message: Message) -> None:
        await message.reply("Which size?", tag="size")

    @router.on_no_reply(tag="size", after=timedelta(days=1))
    async def remind(thread: Thread) -> None:
        reminded.append(thread.id)

    async with InboxKit(router, database=database, clock=clock) as kit:
        await kit.inbox(DESK)
        await takes(database, apart, {})
        await advance(kit, timedelta(hours=1), timeout=30)
        assert [found.tag async for found in kit.search("is:sent")] == ["size"]
        await advance(kit, timedelta(days=2), timeout=30)
    assert len(reminded) == 1
