"""What a client says of a send when an answer is lost, and of who stands before the server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from inboxkit import RemoteError, StoreError, WaitTimeout
from inboxkit.client import Client, Unreachable, actions
from inboxkit.client.actions import RemoteActions
from inboxkit.client.asynchronous import AsyncTransport
from inboxkit.client.server import Server
from inboxkit.client.transport import place

from .conftest import KEY
from .scripted import CUT, OPENED, Scripted, answer, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit import Inbox
    from inboxkit.client.transport import Answer, Question
    from tests.http.api import Api

OPEN = answer(200, OPENED)
STORED = answer(200, {"inboxkit": {"id": "msg_1"}})
BUSY = refusal(503, "service_unavailable", "The server is stopping; ask again")
LACKING = refusal(403, "missing_permission", "The key lacks the permission message_read")
PAGE = b"<html>Bad gateway</html>"


def send(*answers: bytes, key: str | None = None) -> Exception:
    """Send a message at a server that answers so; return what is raised."""
    server = Scripted(OPEN, *answers)
    with Client(server.url) as client:
        inbox = client.inbox("desk@inbox.example")
        with pytest.raises(Exception) as raised:
            inbox.send("ann@example.com", "Size?", key=key)
    server.close()
    return raised.value


@pytest.mark.parametrize("reading", [BUSY, LACKING], ids=["stopping", "may not read"])
def test_a_send_that_is_stored_is_never_said_to_be_unsent(
    reading: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "_STORED_SECONDS", 0.0)
    error = send(STORED, reading)
    assert type(error) is RemoteError
    assert "message msg_1: is stored and will leave, but cannot be read: " in str(error)


@pytest.mark.parametrize(
    ("key", "way_out"),
    [(None, "look before you send it again"), ("k1", "send it again with the same key")],
    ids=["without a key", "with a key"],
)
def test_a_send_whose_answers_are_lost_is_said_to_be_unknown(key: str | None, way_out: str) -> None:
    error = send(CUT, CUT, key=key)
    assert isinstance(error, Unreachable)
    assert f"whether the send was stored is not known: {way_out}" in str(error)


def test_a_send_that_nobody_has_heard_is_not_said_to_be_unknown() -> None:
    server = Scripted(OPEN)
    with Client(server.url) as client:
        inbox = client.inbox("desk@inbox.example")
        server.close()
        with pytest.raises(Unreachable, match="connection refused") as raised:
            inbox.send("ann@example.com", "Size?")
    assert "not known" not in str(raised.value)


def test_a_send_that_the_server_refuses_for_now_is_said_to_be_unsent() -> None:
    assert type(send(BUSY)) is StoreError


@pytest.mark.parametrize("status", [502, 503, 504])
def test_who_stands_before_a_server_that_is_away_is_not_taken_for_it(status: int) -> None:
    error = send(answer(status, PAGE), answer(status, PAGE))
    assert isinstance(error, Unreachable)
    assert f"nobody answers: what stands before the server, a proxy, says {status}" in str(error)


class Losing(AsyncTransport):
    """Loses the first answer to a wait; ``asked`` is for how long each was asked to last.

    ``holds``: that answer does not arrive, until whoever waits for it gives up.
    """

    def __init__(self, url: str, *, holds: bool = False) -> None:
        super().__init__(place(url))
        self.asked: list[float] = []
        self.held = asyncio.Event()
        self._holds = holds

    async def ask(self, question: Question) -> Answer:
        answer = await super().ask(question)
        if "/wait?" in question.target:
            self.asked.append(float(question.target.rpartition("timeout=")[2]))
            if len(self.asked) == 1 and self._holds:
                self.held.set()
                await anyio.sleep_forever()
            if len(self.asked) == 1:
                raise Unreachable("the connection broke")
        return answer


@asynccontextmanager
async def losing(
    api: Api, address: str, *, holds: bool = False
) -> AsyncGenerator[tuple[Inbox, Losing]]:
    transport = Losing(api.url, holds=holds)
    transport.open()
    try:
        yield await RemoteActions(Server(transport, KEY)).open_inbox(address), transport
    finally:
        await transport.close()


async def test_a_wait_that_is_asked_again_ends_when_it_should(api: Api) -> None:
    async with losing(api, "lost@inbox.example") as (inbox, transport):
        with pytest.raises(WaitTimeout, match=r"within 0\.1 s"):
            await inbox.wait_for_otp(timeout=0.1)
    assert len(transport.asked) == 2
    assert 0.0 < transport.asked[0] <= 0.1 and transport.asked[1] == 0.0


async def test_a_code_whose_answer_is_lost_is_returned_all_the_same_and_once(api: Api) -> None:
    async with losing(api, "again@inbox.example") as (inbox, transport):
        await asyncio.to_thread(api.arrive, inbox.address, "Your code is 482913.")
        assert await inbox.wait_for_otp(timeout=30) == "482913"
        with pytest.raises(WaitTimeout, match="taken by an earlier wait"):
            await inbox.wait_for_otp(timeout=0)
    assert len(transport.asked) == 3


async def test_what_a_wait_was_sent_that_was_cancelled_meanwhile_the_next_one_gets(
    api: Api,
) -> None:
    async with losing(api, "given-up@inbox.example", holds=True) as (inbox, transport):
        await asyncio.to_thread(api.arrive, inbox.address, "Your code is 482913.")
        waiting = asyncio.create_task(inbox.wait_for_otp(timeout=30))
        async with asyncio.timeout(30):
            await transport.held.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
        assert (await inbox.wait_for_message(timeout=30)).otp == "482913"
        with pytest.raises(WaitTimeout, match="taken by an earlier wait"):
            await inbox.wait_for_otp(timeout=0)
