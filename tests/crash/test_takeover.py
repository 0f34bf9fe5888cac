"""One of two processes is gone: others take its leases, and what it does later counts nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from inboxkit import InboxKit, Message, Router
from inboxkit.store import backlog, runs, workers
from inboxkit.testing.settling import settle
from tests.faults.logs import said
from tests.mails import DESK, mail

if TYPE_CHECKING:
    import pytest

    from inboxkit.store.store import Store

ANN = "ann@inbox.example"


class Holding:
    """A handler that is called for the first time in a process that seems to die meanwhile."""

    def __init__(self) -> None:
        self.router = Router()
        self.calls = 0
        self.called = anyio.Event()
        self.go_on = anyio.Event()
        self.router.on_message(to="desk@*")(self.answer)

    async def answer(self, message: Message) -> None:
        self.calls += 1
        number = self.calls
        await message.reply(f"Answer {number}", key=f"answer-{number}")
        if number == 1:
            self.called.set()
            await self.go_on.wait()


async def bury(store: Store, dead: Store) -> None:
    """Do what the beat does when another worker has not been heard of for ten seconds."""
    silent = store.clock.beat() + workers.DEAD_AFTER + timedelta(seconds=1)
    await store.write(workers.beat, store.worker_id, silent)
    gone = await store.write(workers.bury, silent, locks=None, myself=store.worker_id)
    assert gone == [dead.worker_id]


async def test_a_late_completion_by_the_old_holder_changes_nothing(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    holding = Holding()
    old = InboxKit(holding.router, database=database)
    new = InboxKit(holding.router, database=database)
    async with old:
        ann, desk = await old.inbox(ANN), await old.inbox(DESK)
        await old.runtime.accept.mail(mail(sender=ANN), mail_from=ANN, rcpt_to=[DESK])
        with anyio.fail_after(10):
            await holding.called.wait()
        async with new:
            await bury(new.runtime.store, old.runtime.store)
            assert (await ann.wait_for_message(timeout=10)).text.strip() == "Answer 2"
            holding.go_on.set()
            await said(caplog, "the lease was taken over; nothing of it was kept")
            await settle(new, timeout=10)
            assert [m.text.strip() async for m in desk.search("is:outbound")] == ["Answer 2"]
            found = await new.runtime.store.read(runs.listed)
            assert [(run.state, run.attempts) for run in found] == [("done", 2)]


async def test_a_process_that_was_buried_alive_works_on(database: str) -> None:
    holding = Holding()
    holding.go_on.set()
    async with InboxKit(holding.router, database=database) as old:
        ann = await old.inbox(ANN)
        await old.inbox(DESK)
        other = InboxKit(database=database)
        other.only_look()
        async with other:
            await bury(other.runtime.store, old.runtime.store)
        await old.runtime.store.write(old.runtime.store.beat)
        await old.runtime.accept.mail(mail(sender=ANN), mail_from=ANN, rcpt_to=[DESK])
        assert (await ann.wait_for_message(timeout=10)).subject == "Re: Question"
        assert await old.runtime.store.read(backlog.count, ["run"]) == 0
