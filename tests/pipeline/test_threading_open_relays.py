"""Mandrill, SparkPost, Postal and Unisender Go: replies that cite what their recipients see."""

from __future__ import annotations

import email
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import EventType
from inboxkit.providers.fakes.mandrill import MandrillFake
from inboxkit.providers.fakes.postal import VERIFICATION_KEY, PostalFake
from inboxkit.providers.fakes.sparkpost import SparkPostFake
from inboxkit.providers.fakes.unisender_go import UnisenderGoFake

from .sending import SENDER
from .vendor_account import Vendor, account, reply_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inboxkit.providers.fakes.fake import Caught

ANN, BEN = "ann@example.com", "ben@example.com"
SPARKPOST = {"api_key": "k", "webhook_password": "p", "webhook_token": "t"}
MANDRILL = {"api_key": "k", "webhook_key": "s", "webhook_url": "https://shop.example/webhooks/m"}
POSTAL = {"api_key": "k", "api_url": "https://v.example", "webhook_key": VERIFICATION_KEY}
UNISENDER = {"api_key": "k", "api_url": "https://v.example"}
VENDORS = {
    "mandrill": Vendor("mandrill", MandrillFake, MANDRILL),
    "sparkpost": Vendor("sparkpost", SparkPostFake, SPARKPOST),
    "postal": Vendor("postal", PostalFake, POSTAL),
}


def replacing_ids(config: Any, now: Callable[[], datetime]) -> SparkPostFake:
    """Return a SparkPost that gives every mail a Message-ID of its own."""
    fake = SparkPostFake(config, now)
    fake.replaces_ids = True
    return fake


def citing_references(caught: Caught) -> bytes:
    """Return the answer of a mail program that cites all it has seen (RFC 5322 section 3.6.4)."""
    seen = email.message_from_bytes(caught.mime)
    chain = f"References: {seen['references']} {seen['message-id']}\r\n"
    return chain.encode() + reply_to(caught)


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


async def test_a_reply_joins_the_send_whose_id_it_cites(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        first, second = [await opened.send(ANN, BEN, subject="Size") for _ in range(2)]
        reply = reply_to(opened.fake.caught[0])

        post = opened.fake.inbound(reply, recipient=SENDER, mail_from=ANN)
        assert await opened.post(post) == 200

        answer = await opened.received()
        assert (answer.answers, answer.thread_id) == (first, first.thread_id)
        assert second.thread_id != first.thread_id
        assert answer.reply_text == "Size 42, please."


async def test_a_reply_joins_by_references_when_the_vendor_replaces_ids() -> None:
    async with account(Vendor("sparkpost", replacing_ids, SPARKPOST)) as opened:
        first, _ = [await opened.send(ANN, subject="Size") for _ in range(2)]
        caught = opened.fake.caught[0]

        reply = citing_references(caught)
        await opened.post(opened.fake.inbound(reply, recipient=SENDER, mail_from=ANN))

        assert caught.message_id != first.message_id
        assert (await opened.received()).answers == first


@pytest.mark.parametrize("threads", [True, False], ids=["by References", "by the token"])
async def test_a_reply_joins_where_mail_comes_in_by_another_way(threads: bool) -> None:
    async with account(Vendor("unisender_go", UnisenderGoFake, UNISENDER)) as opened:
        assert isinstance(opened.fake, UnisenderGoFake)
        opened.fake.threads = threads  # whether the account may send References
        first, _ = [await opened.send(ANN, subject="Size") for _ in range(2)]
        caught = opened.fake.caught[0]
        token = str(email.message_from_bytes(caught.mime)["reply-to"])
        raw, to = (citing_references(caught), SENDER) if threads else (reply_to(caught), token)

        receive = opened.sandbox.kit.receive
        await opened.runner.acall(lambda: receive(raw, mail_from=ANN, rcpt_to=[to]))
        await opened.sandbox.settle()

        assert (await opened.received()).answers == first


async def test_events_find_the_send_for_each_of_its_recipients(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        sent = await opened.send(ANN, BEN, metadata={"order": "42"})
        [caught] = opened.fake.caught

        for kind, to in ((EventType.DELIVERED, ANN), (EventType.BOUNCED, BEN)):
            assert await opened.post(opened.fake.event(kind, caught, to)) == 200

        assert await opened.deliveries(sent) == {ANN: "delivered", BEN: "bounced"}
        assert await opened.suppressed() == [(BEN, "bounced")]
        assert await opened.webhooks() == [("done", "")] * 2
