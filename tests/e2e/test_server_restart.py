"""PostgreSQL restarts without warning in the midst of mail: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import smtplib
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from inboxkit import InboxKit, Message, Router
from inboxkit.store import backlog
from tests.mails import ANN, DESK, mail
from tests.postgres import RUNS_HERE, own_server

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not RUNS_HERE, reason="the server's programs are for Unix"),
]
MAILS, SENDERS, RESTARTS = 120, 4, 2
STEPS = ("read", "plan", "run", "send")


def answering() -> Router[...]:
    router = Router()

    @router.on_message(to="desk@*")
    async def answer(message: Message) -> None:
        await message.reply("We have it.")

    return router


def hand_in(port: int, subjects: Iterable[str]) -> None:
    """Send each mail until it is taken, as a mail server does."""
    for subject in subjects:
        raw = mail(subject=subject, sender=f"{subject}@example.com")
        while True:
            try:
                with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
                    client.sendmail(ANN, [DESK], raw)
            except (OSError, smtplib.SMTPException):
                continue
            break


async def settled(kit: InboxKit) -> None:
    """Return when nothing is left to do; a broken connection is no reason to give up."""
    store = kit.runtime.store
    async with asyncio.timeout(60):
        while await store.read(backlog.count, STEPS):
            await store.bell.wait("event", store.bell.count("event"), timeout=0.2)


async def test_a_server_that_restarts_in_the_midst_of_mail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subjects = [f"q{number}" for number in range(MAILS)]
    with own_server() as server, server.clean_database() as url:
        worker = InboxKit(answering(), database=url)
        edge = InboxKit(database=url)
        edge.only_look()
        async with worker, edge, asyncio.TaskGroup() as tasks:
            inbox = await edge.inbox(DESK)
            await edge.runtime.edges.open(smtp="127.0.0.1:0", http="")
            waiting = tasks.create_task(inbox.wait_for_message(timeout=60, subject=subjects[-1]))
            sending = [
                tasks.create_task(
                    asyncio.to_thread(hand_in, edge.smtp_address[1], subjects[n::SENDERS])
                )
                for n in range(SENDERS)
            ]
            for number in range(1, RESTARTS + 1):
                await taken(edge, number * MAILS // (RESTARTS + 2))
                await asyncio.to_thread(server.control, "restart", "--mode", "immediate")
            await asyncio.wait(sending)
            await settled(worker)
            assert (await waiting).subject == subjects[-1]
            came = Counter([m.subject async for m in edge.search("is:received")])
            answers = Counter([m.subject async for m in edge.search("is:sent")])
        assert caplog.text.count("notices of PostgreSQL") >= RESTARTS
        assert came == Counter(subjects)
        assert answers == Counter(f"Re: {subject}" for subject in subjects)


async def taken(kit: InboxKit, count: int) -> None:
    """Return when so many mails were taken in; until then nobody disturbs the server."""
    bell = kit.runtime.store.bell
    async with asyncio.timeout(60):
        while len([m async for m in kit.search("is:received", limit=count)]) < count:
            await bell.wait("event", bell.count("event"), timeout=0.1)
