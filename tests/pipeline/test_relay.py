"""The outbox through an SMTP relay: our own listener on loopback takes what it sends."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import File, SendError
from inboxkit.clock import Clock
from inboxkit.smtp.incoming import Incoming
from inboxkit.smtp.listener import Listener
from inboxkit.smtp.replies import SmtpRefused
from inboxkit.smtp.settings import SmtpSettings
from inboxkit.testing import Sandbox
from inboxkit.testing.runner import Runner

from .sending import Sending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ANN, BEN, DEAD, FULL = (f"{name}@example.com" for name in ("ann", "ben", "dead", "full"))


@dataclass
class Server:
    """A listener's end: whom it refuses, and what it has taken."""

    replies: dict[str, SmtpRefused] = field(default_factory=dict[str, SmtpRefused])
    mails: list[Incoming] = field(default_factory=list[Incoming])

    async def check(self, address: str) -> None:
        if refused := self.replies.get(address):
            raise refused

    async def keep(self, mail: Incoming) -> None:
        self.mails.append(mail)

    @property
    def recipients(self) -> list[tuple[str, ...]]:
        return [mail.rcpt_to for mail in self.mails]


@dataclass
class Relay(Sending):
    """A sandbox that sends through a relay."""

    server: Server


@asynccontextmanager
async def relay() -> AsyncGenerator[Relay]:
    server = Server()
    server.replies[DEAD] = SmtpRefused(550, "5.1.1", "no such user")
    server.replies[FULL] = SmtpRefused(452, "4.2.2", "mailbox full")
    listener = Listener(SmtpSettings(), server.keep, server.check, Clock())
    await listener.start()
    options = {"smtp": {"host": "127.0.0.1", "port": listener.port, "timeout": 5}}
    runner = Runner(provider=("smtp",), domain="shop.example", options=options)
    await asyncio.to_thread(runner.start)
    try:
        yield Relay(runner, Sandbox(runner), server)
    finally:
        await asyncio.to_thread(runner.stop)
        await listener.stop(0)


async def test_text_html_and_files_arrive_as_they_are_stored() -> None:
    photo = File("ü.png", bytes(range(256)) * 300, "image/png")
    async with relay() as opened:
        sent = await opened.send(
            ANN, text=".\n..Grüße\n.\n", html="<p>Grüße</p>", attachments=[photo]
        )
        stored = await (await opened.sandbox.message(sent.id)).raw()
        [mail] = opened.server.mails
        assert (mail.rcpt_to, mail.body) == ((ANN,), stored)
    parsed: Any = message_from_bytes(stored, policy=policy.default)
    assert parsed.get_body(("plain",)).get_content().split() == [".", "..Grüße", "."]
    assert [part.get_content() for part in parsed.iter_attachments()] == [photo.data]


async def test_no_body_ends_its_mail_or_begins_another() -> None:
    second = "MAIL FROM:<v@x.example>\r\nRCPT TO:<v@x.example>\r\nDATA\r\nSubject: smuggled\r\n"
    ends = ("\r\n.\r\n", "\n.\n", "\r.\r", "\r\n.\n", "\n.\r\n", "\r\n\0.\r\n", "\r\n..\r\n")
    async with relay() as opened:
        stored: list[bytes] = []
        for end in ends:
            sent = await opened.send(ANN, text=f"Hello{end}{second}")
            stored.append(await (await opened.sandbox.message(sent.id)).raw())
        assert [mail.body for mail in opened.server.mails] == stored
        assert opened.server.recipients == [(ANN,)] * len(ends)
        with pytest.raises(SendError, match="line break"):
            await opened.send("a@b.example>\r\nRCPT TO:<v@x.example")


async def test_only_those_refused_for_now_are_tried_again() -> None:
    async with relay() as opened:
        sent = await opened.send(ANN, DEAD, FULL)
        assert await opened.deliveries(sent) == {ANN: "accepted", DEAD: "bounced", FULL: "queued"}
        assert await opened.state(sent) == "accepted"
        assert await opened.suppressed() == [(DEAD, "bounced")]
        del opened.server.replies[FULL]
        await opened.sandbox.advance(timedelta(minutes=1))
        assert await opened.deliveries(sent) == {ANN: "accepted", DEAD: "bounced", FULL: "accepted"}
        assert opened.server.recipients == [(ANN,), (FULL,)]


async def test_a_recipient_that_stays_refused_fails_alone() -> None:
    async with relay() as opened:
        sent = await opened.send(ANN, FULL)
        await opened.sandbox.advance(timedelta(days=7))
        assert await opened.deliveries(sent) == {ANN: "accepted", FULL: "failed"}
        assert (await opened.happened(sent))[-1] == "failed"
        assert opened.server.recipients == [(ANN,)]


@pytest.mark.parametrize(
    ("reply", "state", "suppressed"),
    [
        pytest.param(SmtpRefused(550, "5.1.1", "no such user"), "bounced", True, id="dead"),
        pytest.param(SmtpRefused(550, "5.7.1", "no spam here"), "rejected", False, id="spam"),
        pytest.param(SmtpRefused(450, "4.2.0", "greylisted"), "queued", False, id="greylisted"),
    ],
)
async def test_a_reply_to_the_only_recipient_decides(
    reply: SmtpRefused, state: str, suppressed: bool
) -> None:
    async with relay() as opened:
        opened.server.replies[BEN] = reply
        sent = await opened.send(BEN)
        assert await opened.state(sent) == state
        assert await opened.suppressed() == ([(BEN, "bounced")] if suppressed else [])
