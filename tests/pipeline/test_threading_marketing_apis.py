"""Brevo, Mailjet, MailerSend and Mailtrap through a real runtime: all four change Message-IDs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit import EventType
from inboxkit.parsing import parse
from inboxkit.providers.fakes.brevo import BrevoFake
from inboxkit.providers.fakes.mailersend import MailerSendFake
from inboxkit.providers.fakes.mailjet import MailjetFake
from inboxkit.providers.fakes.mailtrap import MailtrapFake

from .sending import SENDER
from .vendor_account import Vendor, account, reply_to

if TYPE_CHECKING:
    from inboxkit import Message
    from inboxkit.providers.fakes.fake import Caught

    from .vendor_account import Account

ANN, BEN = "ann@example.com", "ben@example.com"
VENDORS = {
    "brevo": Vendor("brevo", BrevoFake, {"api_key": "k", "webhook_password": "p"}),
    "mailjet": Vendor(
        "mailjet", MailjetFake, {"api_key": "k", "secret_key": "s", "webhook_password": "p"}
    ),
    "mailersend": Vendor("mailersend", MailerSendFake, {"api_key": "k", "signing_secret": "s"}),
    "mailtrap": Vendor("mailtrap", MailtrapFake, {"api_token": "k", "signing_secret": "s"}),
}
# the answer of the API, or the webhook of the reply, tells what the id that recipients see is for
KNOWN_BY_ID = ["brevo", "mailjet", "mailtrap"]


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


async def _answered(opened: Account, reply: bytes, recipient: str = SENDER) -> Message:
    """Post a reply as the vendor brings it, and return what it came to."""
    assert await opened.post(opened.fake.inbound(reply, recipient=recipient, mail_from=ANN)) == 200
    return await opened.received()


def _citing_all(caught: Caught) -> bytes:
    """Return the answer of a mail program that passes References on, as RFC 5322 3.6.4 has it."""
    seen = parse(caught.mime)
    chain = " ".join([*seen.references, seen.message_id])
    return reply_to(caught).replace(b"\r\n\r\n", f"\r\nReferences: {chain}\r\n\r\n".encode(), 1)


async def test_a_reply_that_passes_references_on_joins_the_send(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        first, second = [await opened.send(ANN, subject="Größe 尺码") for _ in range(2)]
        caught = opened.fake.caught[0]

        answer = await _answered(opened, _citing_all(caught))

        assert first.message_id != caught.message_id
        assert (answer.answers, answer.thread_id) == (first, first.thread_id)
        assert second.thread_id != first.thread_id
        assert answer.reply_text == "Size 42, please."
        assert (answer.envelope.mail_from, answer.envelope.rcpt_to) == (ANN, (SENDER,))


@pytest.mark.parametrize("name", KNOWN_BY_ID)
async def test_a_reply_that_cites_only_what_it_has_seen_joins_the_send(name: str) -> None:
    async with account(VENDORS[name]) as opened:
        first, second = [await opened.send(ANN, subject="Size") for _ in range(2)]
        reply = reply_to(opened.fake.caught[1])
        assert second.message_id.encode() not in reply

        answer = await _answered(opened, reply)

        assert (answer.answers, answer.thread_id) == (second, second.thread_id)
        assert first.thread_id != second.thread_id


async def test_a_reply_to_the_address_with_the_token_joins_the_send(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        first, _ = [await opened.send(ANN, subject="Size") for _ in range(2)]
        [address] = parse(opened.fake.caught[0].mime).reply_to

        reply = b"From: ann@example.com\r\nTo: %s\r\n\r\nSize 42.\r\n" % address.email.encode()
        answer = await _answered(opened, reply, address.email)

        assert (answer.answers, answer.thread_id) == (first, first.thread_id)


async def test_events_find_the_send_for_each_of_its_recipients(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        sent = await opened.send(ANN, BEN, metadata={"order": "42"}, tag="size")
        [caught] = opened.fake.caught

        for kind, to in ((EventType.DELIVERED, ANN), (EventType.BOUNCED, BEN)):
            assert await opened.post(opened.fake.event(kind, caught, to)) == 200

        assert await opened.deliveries(sent) == {ANN: "delivered", BEN: "bounced"}
        assert await opened.suppressed() == [(BEN, "bounced")]
        assert await opened.webhooks() == [("done", "")] * 2


async def test_a_webhook_that_comes_again_is_taken_once(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        sent = await opened.send(ANN)
        post = opened.fake.event(EventType.DELIVERED, opened.fake.caught[0], ANN)

        assert [await opened.post(post), await opened.post(post)] == [200, 200]

        assert (await opened.happened(sent)).count("delivered") == 1
        assert await opened.webhooks() == [("done", "")]


async def test_what_a_stranger_posts_is_refused_and_not_stored(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        await opened.send(ANN)
        good = opened.fake.event(EventType.BOUNCED, opened.fake.caught[0], ANN)
        headers = {"content-type": "application/json", "authorization": "Basic eDp5"}

        refusal = {"brevo": 429}.get(vendor.name, 401)
        assert await opened.post(replace(good, headers=headers)) == refusal

        assert await opened.webhooks() == []


async def test_blind_copies_alone_are_sent_to_each_and_events_find_them(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        inbox = await opened.sandbox.inbox(SENDER)
        sent = await inbox.send((), "Size", "Which size?", bcc=(ANN, BEN))
        await opened.sandbox.settle()

        for caught, to in zip(opened.fake.caught, (ANN, BEN), strict=True):
            await opened.post(opened.fake.event(EventType.DELIVERED, caught, to))

        assert [caught.rcpt_to for caught in opened.fake.caught] == [(ANN,), (BEN,)]
        assert await opened.deliveries(sent) == {ANN: "delivered", BEN: "delivered"}


async def test_a_lost_answer_is_never_repeated(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        opened.server.drop_next(taken=True)
        sent = await opened.send(ANN)
        await opened.sandbox.advance(timedelta(minutes=5))

        found = "accepted" if vendor.name == "mailjet" else "unknown"  # it can be asked
        assert (await opened.state(sent), len(opened.fake.caught)) == (found, 1)


async def test_an_event_tells_what_became_of_a_send_whose_answer_was_lost(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        opened.server.drop_next(taken=True)
        sent = await opened.send(ANN)

        post = opened.fake.event(EventType.DELIVERED, opened.fake.caught[0], ANN)
        assert await opened.post(post) == 200

        assert await opened.state(sent) == "delivered"
