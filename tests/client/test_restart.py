"""A server that starts anew while a client waits: the wait goes on."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from inboxkit import Event, InboxKit
from inboxkit.client import AsyncClient, Client, Unreachable, waiting
from inboxkit.client.actions import RemoteActions
from inboxkit.client.asynchronous import AsyncTransport
from inboxkit.client.server import Server
from inboxkit.client.transport import Answer, Question, place
from inboxkit.client.waiting import Waiting
from inboxkit.models import Want
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

NOBODY = "http://127.0.0.1:9"


class Telling(AsyncTransport):
    """Tells when a wait has been answered once."""

    def __init__(self, url: str) -> None:
        super().__init__(place(url))
        self.answered = asyncio.Event()

    async def ask(self, question: Question) -> Answer:
        answer = await super().ask(question)
        if "/wait?" in question.target:
            self.answered.set()
        return answer


@pytest.fixture
def file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mail.db'}"


@asynccontextmanager
async def served(file: str, url: str = "http://127.0.0.1:0") -> AsyncGenerator[InboxKit]:
    async with InboxKit(database=file, http=url.removeprefix("http://")) as kit:
        await kit.inbox(DESK)
        yield kit


async def following_one(events: AsyncIterator[Event]) -> Event:
    return await anext(events)


async def deliver(kit: InboxKit, text: str) -> None:
    await kit.receive(mail(text, subject=text), mail_from=ANN, rcpt_to=[DESK])


async def test_a_wait_goes_on_when_the_server_starts_anew(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_POLL_SECONDS", 0.1)
    async with served(file) as old:
        url, transport = old.url, Telling(old.url)
        transport.open()
        inbox = await RemoteActions(Server(transport, None)).open_inbox(DESK)
        code = asyncio.create_task(inbox.wait_for_otp(timeout=60))
        async with asyncio.timeout(20):
            await transport.answered.wait()
    async with served(file, url) as new:
        await deliver(new, "Your code is 482913.")
        assert await code == "482913"
    await transport.close()


async def test_a_wait_that_begins_while_the_server_starts_anew_goes_on(file: str) -> None:
    async with AsyncExitStack() as stack:
        async with served(file) as old:
            url = old.url
            client = await stack.enter_async_context(AsyncClient(url))
            inbox = await client.inbox(DESK)
        code = asyncio.create_task(inbox.wait_for_otp(timeout=60))
        await asyncio.wait({code}, timeout=0)
        async with served(file, url) as new:
            await deliver(new, "Your code is 482913.")
            async with asyncio.timeout(20):
                assert await code == "482913"


async def test_the_event_log_is_followed_beyond_a_new_start(file: str) -> None:
    async with AsyncExitStack() as stack:
        async with served(file) as old:
            url = old.url
            client = await stack.enter_async_context(AsyncClient(url))
            await deliver(old, "before")
            events = client.events(after="evt_0")
            assert (await anext(events)).message.subject == "before"
            following = asyncio.create_task(following_one(events))
            await asyncio.wait({following}, timeout=0)
        async with served(file, url) as new:
            await deliver(new, "after")
            async with asyncio.timeout(20):
                assert (await following).message.subject == "after"


async def test_a_server_that_is_not_there_is_unreachable_at_once() -> None:
    with Client(NOBODY) as client, pytest.raises(Unreachable):
        client.inbox(DESK)
    transport = AsyncTransport(place(NOBODY))
    transport.open()
    with pytest.raises(Unreachable):
        async with asyncio.timeout(20):
            await Waiting(Server(transport, None), RemoteActions(Server(transport, None))).message(
                DESK, Want(kind="otp"), timeout=60
            )
    await transport.close()
