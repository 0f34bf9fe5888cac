"""A sandbox that sends through Mailgun, whose Fake answers on a loopback port."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inboxkit.providers.fakes.mailgun import MailgunFake
from inboxkit.providers.mailgun import Mailgun
from inboxkit.testing import Sandbox
from inboxkit.testing.fake_provider import FakeProvider
from inboxkit.testing.runner import Runner

from .sending import Sending, StandingClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit import EventType, Message
    from inboxkit.providers.base import WebhookRequest

OPTIONS = {"api_key": "key-secret-1", "domain": "shop.example", "signing_key": "signing-secret-2"}


@dataclass
class Account(Sending):
    """A Mailgun account that a sandbox sends through."""

    server: FakeProvider
    fake: MailgunFake

    async def event(
        self, kind: EventType, sent: Message, recipient: str = "", *, hard: bool = True
    ) -> WebhookRequest:
        """Return the webhook of an event about a send that the Fake has caught."""
        [caught] = [c for c in self.fake.caught if c.message_id == sent.message_id]
        return self.fake.event(kind, caught, recipient or caught.rcpt_to[0], hard=hard)

    async def post(self, request: WebhookRequest) -> int:
        """Post a webhook to the runtime; return the status of the answer."""
        return await self.server.post(request, f"{self.sandbox.url}/webhooks/mailgun")


@asynccontextmanager
async def account(**settings: Any) -> AsyncGenerator[Account]:
    """Run a sandbox that sends through Mailgun's Fake."""
    clock = [lambda: datetime.now(UTC)]
    fake = MailgunFake(Mailgun().configure(OPTIONS), lambda: clock[0]())
    async with FakeProvider(fake) as server:
        options = {"mailgun": {**OPTIONS, "base_url": server.url}}
        given: dict[str, Any] = {"provider": ("mailgun",), "domain": "shop.example"}
        given |= {"any_recipient": True, "options": options}
        runner = Runner(**{"clock": StandingClock()} | given | settings)
        clock[0] = runner.clock.now
        await asyncio.to_thread(runner.start)
        try:
            yield Account(runner, Sandbox(runner), server, fake)
        finally:
            await asyncio.to_thread(runner.stop)
