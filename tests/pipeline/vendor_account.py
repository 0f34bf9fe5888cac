"""A sandbox that sends through a vendor's Fake on a loopback port, and what its mail comes to."""

from __future__ import annotations

import asyncio
import email
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inboxkit.providers.registry import provider
from inboxkit.testing import Sandbox
from inboxkit.testing.fake_provider import FakeProvider
from inboxkit.testing.runner import Runner

from .sending import SENDER, Sending, StandingClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from inboxkit import Message
    from inboxkit.providers.base import WebhookRequest
    from inboxkit.providers.fakes.fake import Caught, Fake


@dataclass(frozen=True)
class Vendor:
    """A vendor, the settings of its account, and how its Fake is made."""

    name: str
    make: Callable[[Any, Callable[[], datetime]], Fake]
    options: Mapping[str, str] = field(repr=False)


@dataclass
class Account(Sending):
    """An account at one vendor that a sandbox sends through."""

    server: FakeProvider
    fake: Fake
    vendor: str

    async def post(self, request: WebhookRequest) -> int:
        """Post a webhook to the runtime and wait for what it does."""
        status = await self.server.post(request, f"{self.sandbox.url}/webhooks/{self.vendor}")
        await self.sandbox.settle()
        return status

    async def received(self) -> Message:
        """Return the one mail that came in."""
        inbox = await self.sandbox.inbox(SENDER)
        [found] = [message async for message in inbox.search("is:inbound")]
        return found


@asynccontextmanager
async def account(vendor: Vendor) -> AsyncGenerator[Account]:
    """Run a sandbox that sends through a vendor's Fake."""
    clock = [lambda: datetime.now(UTC)]
    fake = vendor.make(provider(vendor.name).configure(vendor.options), lambda: clock[0]())
    async with FakeProvider(fake) as server:
        runner = Runner(
            clock=StandingClock(),
            provider=(vendor.name,),
            domain="shop.example",
            any_recipient=True,
            options={vendor.name: {**vendor.options, "api_url": server.url}},
        )
        clock[0] = runner.clock.now
        await asyncio.to_thread(runner.start)
        try:
            yield Account(runner, Sandbox(runner), server, fake, vendor.name)
        finally:
            await asyncio.to_thread(runner.stop)


def reply_to(caught: Caught) -> bytes:
    """Return the answer of a mail program that cites the one id it has seen (as iOS Mail does)."""
    seen = email.message_from_bytes(caught.mime)
    lines = [
        "From: Ann <ann@example.com>",
        f"To: {SENDER}",  # not to the address with the token
        "Subject: An answer under another subject",
        "Message-ID: <reply@example.com>",
        f"In-Reply-To: {seen['message-id']}",
    ]
    return "\r\n".join([*lines, "", "Size 42, please.", ""]).encode()
