"""PostgreSQL restarts without warning in the midst of mail: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import smtplib
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from inboxkit import InboxKit, Message, Router
from inboxkit.store import backlog
from inboxkit.store.store import TOPICS
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
FOLLOWERS = ("event log", "webhooks", "Mailgun's webhooks and routes")


def answering() -> Router[...]:
    router = Router()

    @router.on_message(to="desk@*")
    async def answer(message: Message) -> None:
        await message.reply("We have it.")

    return router


def hand_in(port: int, subjects: Iterable[str]) -> None:
    """Send each mail until it is taken, as a mail server does; give up after a minute."""
    end = time.monotonic() + 60
    for subject in subjects:
        raw = mail(subject=subject, sender=f"{subject}@example.com")
        while not handed_in(port, raw):
            assert time.monotonic() < end, f"{subject} was not taken"


def handed_in(port: int, raw: bytes) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.sendmail(ANN, [DESK], raw)
    except (OSError, smtplib.SMTPException):
        return False
    return True


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


async def test_every_step_outlives_a_server_that_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    names = {*FOLLOWERS, *TOPICS} - {"event", "endpoint"}
    with own_server() as server, server.clean_database() as url:
        async with InboxKit(answering(), database=url) as kit:
            await asyncio.to_thread(server.control, "stop", "--mode", "immediate")
            async with asyncio.timeout(60):
                while any(f"{name}: " not in said(caplog) for name in names):
                    kit.runtime.store.bell.ring(TOPICS)
                    kit.runtime.check()
                    await kit.runtime.store.bell.wait("none", 0, timeout=0.05)
            await asyncio.to_thread(server.launch)
            await kit.inbox(DESK)
            await kit.runtime.edges.open(smtp="127.0.0.1:0", http="")
            await asyncio.to_thread(hand_in, kit.smtp_address[1], ["after"])
            await settled(kit)
            assert [m.subject async for m in kit.search("is:sent")] == ["Re: after"]


def said(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


async def taken(kit: InboxKit, count: int) -> None:
    """Return when so many mails were taken in; until then nobody disturbs the server."""
    bell = kit.runtime.store.bell
    async with asyncio.timeout(60):
        while len([m async for m in kit.search("is:received", limit=count)]) < count:
            await bell.wait("event", bell.count("event"), timeout=0.1)
