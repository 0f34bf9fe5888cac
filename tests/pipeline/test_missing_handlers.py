"""A Run whose handler is not loaded in the process that takes it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from inboxkit import InboxKit, Message, Retries, Router
from inboxkit.clock import Clock
from inboxkit.store import runs
from inboxkit.testing.settling import advance, settle
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from sqlalchemy import Row

MINUTE = timedelta(minutes=1)


class Broken:
    """A handler that fails until it is mended."""

    def __init__(self) -> None:
        self.router = Router(retries=Retries(attempts=2, first=MINUTE))
        self.is_mended = False
        self.router.on_message(to="desk@*")(self.answer)

    async def answer(self, message: Message) -> None:
        if not self.is_mended:
            raise ValueError("the printer is on fire")
        await message.reply("Done.")


async def found(kit: InboxKit) -> Row[Any]:
    rows: Sequence[Row[Any]] = await kit.runtime.store.read(runs.listed)
    [row] = rows
    return row


async def failed_once(database: str, clock: Clock, broken: Broken) -> None:
    async with InboxKit(broken.router, database=database, clock=clock) as kit:
        await kit.inbox(DESK)
        await kit.receive(mail(), mail_from=ANN, rcpt_to=[DESK])
        await settle(kit, timeout=10)
        assert ((await found(kit)).state, (await found(kit)).attempts) == ("retrying", 1)


@asynccontextmanager
async def without_it(database: str, clock: Clock, broken: Broken) -> AsyncGenerator[InboxKit]:
    """Let the handler fail once, then go on in a process that has none."""
    await failed_once(database, clock, broken)
    kit = InboxKit(database=database, clock=clock)
    kit.plan_messages()
    async with kit:
        yield kit


async def test_it_is_left_to_a_process_that_has_it_and_that_is_no_attempt(database: str) -> None:
    clock, broken = Clock(), Broken()
    async with without_it(database, clock, broken) as kit:
        await advance(kit, MINUTE + timedelta(seconds=1), timeout=10)
        run = await found(kit)
        assert (run.state, run.attempts) == ("retrying", 1)
        assert "printer is on fire" in run.error
    broken.is_mended = True
    async with InboxKit(broken.router, database=database, clock=clock) as kit:
        await advance(kit, MINUTE, timeout=10)
        run = await found(kit)
        assert (run.state, run.attempts) == ("done", 2)


async def test_when_nobody_has_it_the_run_fails_in_the_end_and_says_both(database: str) -> None:
    clock, broken = Clock(), Broken()
    async with without_it(database, clock, broken) as kit:
        await advance(kit, timedelta(hours=1), timeout=10)
        run = await found(kit)
        assert run.state == "failed"
        assert "printer is on fire" in run.error and "answer is not loaded" in run.error
