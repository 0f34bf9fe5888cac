"""The outbox through an SMTP relay: our own listener on loopback takes what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

from inboxkit import File, Message
from inboxkit.smtp.incoming import Incoming
from inboxkit.smtp.listener import Listener
from inboxkit.smtp.replies import SmtpRefused
from inboxkit.smtp.settings import SmtpSettings
from inboxkit.testing import Sandbox
from inboxkit.testing.runner import Runner

from .mailgun import Stored

ANN, BEN, DEAD, FULL = (f"{name}@example.com" for name in ("ann", "ben", "dead", "full"))
REPLIES = {
    DEAD: SmtpRefused(550, "5.1.1", "no such user"),
    FULL: SmtpRefused(452, "4.2.2", "mailbox full"),
}


@dataclass
class Relay(Stored):
    """A sandbox that sends through a listener, and what that accepted."""

    mails: list[Incoming] = field(default_factory=list[Incoming])
    replies: dict[str, SmtpRefused] = field(default_factory=dict[str, SmtpRefused])

    async def check(self, address: str) -> None:
        """Refuse those who have a reply of their own."""
        if refused := self.replies.get(address):
            raise refused

    async def keep(self, mail: Incoming) -> None:
        """Keep a mail."""
        self.mails.append(mail)

    @property
    def body(self) -> bytes:
        """The bytes of the only mail."""
        [mail] = self.mails
        return mail.body if isinstance(mail.body, bytes) else mail.body.read()


@asynccontextmanager
async def relay(**replies: SmtpRefused) -> AsyncGenerator[Relay]:
    server: list[Relay] = []
    listener = Listener(
        SmtpSettings(), lambda mail: server[0].keep(mail), lambda to: server[0].check(to)
    )
    await listener.start()
    options = {"smtp": {"host": "127.0.0.1", "port": listener.port, "timeout": 5}}
    runner = Runner(provider=("smtp",), domain="shop.example", options=options)
    await asyncio.to_thread(runner.start)
    server.append(Relay(runner, Sandbox(runner), replies={f"{k}@example.com": v for k, v in replies.items()}))
    try:
        yield server[0]
    finally:
        await asyncio.to_thread(runner.stop)
        await listener.stop(0)


async def test_text_html_and_files_arrive_as_they_are_stored() -> None:
    async with relay() as server:
        photo = File("ü.png", bytes(range(256)) * 300, "image/png")
        sent = await server.send(
            ANN, text=".\n..Grüße\n.\n", html="<p>Grüße</p>", attachments=[photo]
        )
        stored = await (await server.sandbox.message(sent.id)).raw()
        assert server.body == stored
        assert server.mails[0].rcpt_to == (ANN,)
    mail: Any = message_from_bytes(server.body, policy=policy.default)
    assert mail.get_body(("plain",)).get_content() == ".\n..Grüße\n.\n"
    assert [a.get_content() for a in mail.iter_attachments()] == [photo.data]
