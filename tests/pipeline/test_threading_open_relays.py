"""Mandrill, SparkPost and Postal through a real runtime: replies that cite what recipients see."""

from __future__ import annotations

import asyncio
import email
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import EventType
from inboxkit.providers.mandrill_fake import MandrillFake
from inboxkit.providers.postal_fake import PostalFake, signing_key
from inboxkit.providers.registry import provider
from inboxkit.providers.sparkpost_fake import SparkPostFake
from inboxkit.testing import Sandbox
from inboxkit.testing.fake_provider import FakeProvider
from inboxkit.testing.runner import Runner

from .sending import SENDER, Sending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from inboxkit import Message
    from inboxkit.providers.base import WebhookRequest
    from inboxkit.providers.fake import Caught, Fake

ANN, BEN = "ann@example.com", "ben@example.com"


@dataclass
class Vendor:
    """A vendor, the settings of its account, and its Fake."""

    name: str
    options: Mapping[str, str]
    make: Callable[[Any, Callable[[], datetime]], Fake]


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
    """Run a sandbox that sends through a vendor's Fake on a loopback port."""
    clock = [lambda: datetime.now(UTC)]
    given: dict[str, Any] = {"api_url": "https://vendor.example", **vendor.options}
    fake = vendor.make(provider(vendor.name).configure(given), lambda: clock[0]())
    async with FakeProvider(fake) as server:
        runner = Runner(
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


def replacing_ids(config: Any, now: Callable[[], datetime]) -> Fake:
    """Return a SparkPost that gives every mail a Message-ID of its own."""
    fake = SparkPostFake(config, now)
    fake.replaces_ids = True
    return fake


SPARKPOST = {"api_key": "k", "webhook_password": "p", "webhook_token": "t"}
MANDRILL = {"api_key": "k", "webhook_key": "s", "webhook_url": "https://shop.example/webhooks/m"}


@pytest.fixture(params=["mandrill", "sparkpost", "sparkpost that replaces ids", "postal"])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    if request.param == "mandrill":
        return Vendor("mandrill", MANDRILL, MandrillFake)
    if request.param == "postal":
        pytest.importorskip("cryptography")
        key = {"api_key": "k", "webhook_key": signing_key().public}
        return Vendor("postal", key, PostalFake)
    make = SparkPostFake if request.param == "sparkpost" else replacing_ids
    return Vendor("sparkpost", SPARKPOST, make)


def reply_to(caught: Caught) -> bytes:
    """Return what a mail program answers: it knows the mail as its recipient got it."""
    seen = email.message_from_bytes(caught.mime)
    chain = f"{seen['references'] or ''} {seen['message-id']}".strip()
    lines = [
        "From: Ann <ann@example.com>",
        f"To: {SENDER}",  # not to the address with the token
        f"Subject: Re: {seen['subject']}",
        "Message-ID: <reply@example.com>",
        f"In-Reply-To: {seen['message-id']}",
        f"References: {chain}",
    ]
    return "\r\n".join([*lines, "", "Size 42, please.", ""]).encode()


async def test_a_reply_joins_the_send_that_it_answers(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        first, second = [await opened.send(ANN, BEN, subject="Size") for _ in range(2)]
        caught = opened.fake.caught[0]

        reply = opened.fake.inbound(reply_to(caught), recipient=SENDER, mail_from=ANN)
        status = await opened.post(reply)

        answer = await opened.received()
        assert status == 200
        assert (answer.answers, answer.thread_id) == (first, first.thread_id)
        assert second.thread_id != first.thread_id
        assert answer.reply_text == "Size 42, please."


async def test_events_find_the_send_for_each_of_its_recipients(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        sent = await opened.send(ANN, BEN, metadata={"order": "42"})
        [caught] = opened.fake.caught

        for kind, to in ((EventType.DELIVERED, ANN), (EventType.BOUNCED, BEN)):
            assert await opened.post(opened.fake.event(kind, caught, to)) == 200

        assert await opened.deliveries(sent) == {ANN: "delivered", BEN: "bounced"}
        assert await opened.suppressed() == [(BEN, "bounced")]
        assert await opened.webhooks() == [("done", "")] * 2
