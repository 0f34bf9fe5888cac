"""An inbox whose mails a person approves: what its handlers send waits as a draft."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit import File, Message, ProviderOptions, Router
from inboxkit.drafting import Drafting
from inboxkit.store import drafts, inboxes
from inboxkit.store.departing import Departure
from inboxkit.store.pages import Page
from inboxkit.store.reach import EVERYTHING
from inboxkit.store.tables import content
from inboxkit.testing import Sandbox
from inboxkit.testing.runner import Runner
from inboxkit.tokens import row_id

from .sending import Sending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit.store.drafts import DraftRecord

router = Router()
DESK = "desk@inbox.example"


@router.on_message(to="desk@*")
async def answer(message: Message) -> None:
    """Answer with a file, or send on what asks for it."""
    if message.subject == "Forward":
        await message.forward("boss@example.com", "See below")
        return
    file = File("a.txt", b"abc", "text/plain")
    opens = ProviderOptions(track_opens=True)
    await message.reply(
        "Yes", tag="desk", metadata={"order": "42"}, attachments=[file], options=opens
    )


@asynccontextmanager
async def desk(policy: str) -> AsyncGenerator[Sending]:
    """Run a desk with this draft policy, to which somebody has just written."""
    runner = Runner()
    await asyncio.to_thread(runner.start)
    try:
        opened = Sending(runner, Sandbox(runner))
        opened.sandbox.include(router)
        await opened.sandbox.inbox(DESK)
        store = runner.kit.runtime.store
        read: Any = store.read
        made = await runner.acall(read, inboxes.require, DESK)
        now = store.clock.now()
        await runner.acall(store.write, inboxes.touch, made.id, now, draft_policy=policy)
        await opened.sandbox.person("ann@example.com").send(DESK, "Size?", "Large?")
        await opened.sandbox.settle()
        yield opened
    finally:
        await asyncio.to_thread(runner.stop)


async def waiting(opened: Sending) -> list[DraftRecord]:
    read: Any = opened.runner.kit.runtime.store.read
    found: list[DraftRecord] = await opened.runner.acall(read, drafts.listed, EVERYTHING, Page(10))
    return found


async def test_a_handlers_answer_waits_for_a_person_and_goes_as_it_was_written() -> None:
    async with desk("draft") as opened:
        (held,) = await waiting(opened)
        assert opened.sandbox.outbox == []
        assert (held.to, held.subject, held.text) == (("ann@example.com",), "Re: Size?", "Yes")

        runtime = opened.runner.kit.runtime
        drafting = Drafting(runtime.store, runtime.actions)
        await opened.runner.acall(drafting.send, Departure(held, (), runtime.clock.now()))
        await opened.sandbox.settle()

        (sent,) = opened.sandbox.outbox
        assert (sent.text, sent.tag, sent.metadata) == ("Yes", "desk", {"order": "42"})
        assert [file.filename for file in sent.attachments] == ["a.txt"]
        asked = select(content.c.options).where(content.c.message_id == row_id("msg", sent.id))
        assert await opened.rows(asked) == [({"track_opens": True},)]
        assert sent.thread_reason and sent.in_reply_to == held.in_reply_to != ""
        assert await waiting(opened) == []


async def test_what_a_handler_sends_on_waits_too_and_goes_with_the_mail() -> None:
    async with desk("draft") as opened:
        await opened.sandbox.person("ann@example.com").send(DESK, "Forward", "To whom it concerns")
        await opened.sandbox.settle()
        (held,) = [draft for draft in await waiting(opened) if draft.forward_of]
        assert (held.to, held.subject) == (("boss@example.com",), "Fwd: Forward")
        assert held.in_reply_to == ""

        runtime = opened.runner.kit.runtime
        drafting = Drafting(runtime.store, runtime.actions)
        await opened.runner.acall(drafting.send, Departure(held, (), runtime.clock.now()))
        await opened.sandbox.settle()
        (sent,) = opened.sandbox.outbox
        assert (sent.text, b"To whom it concerns" in await sent.raw()) == ("See below", True)


@pytest.mark.parametrize(("policy", "left"), [("auto", 1), ("deny", 0)])
async def test_other_policies_make_no_drafts(policy: str, left: int) -> None:
    async with desk(policy) as opened:
        assert await waiting(opened) == []
        assert len(opened.sandbox.outbox) == left
