"""Postmark, Resend and AgentMail through a real runtime: replies cite what recipients see."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from inboxkit import EventType
from inboxkit.providers.fakes.agentmail import AgentMailFake
from inboxkit.providers.fakes.postmark import PostmarkFake
from inboxkit.providers.fakes.resend import ResendFake
from inboxkit.providers.fakes.scaleway import ScalewayFake
from tests.providers.signed import KEY

from .sending import SENDER
from .vendor_account import Vendor, account, reply_to

ANN, BEN = "ann@example.com", "ben@example.com"
POSTMARK = {"server_token": "t", "webhook_password": "p"}
SIGNED = {"api_key": "k", "signing_secret": KEY.secret}
VENDORS = {
    "postmark": Vendor("postmark", PostmarkFake, POSTMARK),
    "postmark that keeps no id": Vendor(
        "postmark", partial(PostmarkFake, keeps_ids=False), POSTMARK
    ),
    "resend": Vendor("resend", ResendFake, SIGNED),
    "agentmail": Vendor("agentmail", AgentMailFake, SIGNED),
}
# replies that came before the first event find their thread by the token in Reply-To
TOLD_BY_EVENTS = ("resend",)


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


async def test_a_reply_joins_the_send_whose_id_it_cites(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        first, second = [await opened.send(ANN, subject="Size") for _ in range(2)]
        caught = opened.fake.caught[0]
        if vendor.name in TOLD_BY_EVENTS:
            await opened.post(opened.fake.event(EventType.SENT, caught, ANN))
        reply = opened.fake.inbound(reply_to(caught), recipient=SENDER, mail_from=ANN)

        status = await opened.post(reply)

        answer = await opened.received()
        assert (status, await answer.raw()) == (200, reply_to(caught))
        assert (answer.answers, answer.thread_id) == (first, first.thread_id)
        assert second.thread_id != first.thread_id
        assert (answer.envelope.mail_from, answer.envelope.rcpt_to) == (ANN, (SENDER,))


async def test_events_find_the_send_for_each_of_its_recipients(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        to_ann, to_ben = [await opened.send(to) for to in (ANN, BEN)]

        for caught, kind in zip(
            opened.fake.caught, (EventType.DELIVERED, EventType.BOUNCED), strict=True
        ):
            assert await opened.post(opened.fake.event(kind, caught, caught.rcpt_to[0])) == 200

        assert await opened.deliveries(to_ann) == {ANN: "delivered"}
        assert await opened.deliveries(to_ben) == {BEN: "bounced"}
        assert await opened.suppressed() == [(BEN, "bounced")]
        assert await opened.webhooks() == [("done", "")] * 2


async def test_events_find_a_send_by_the_id_of_their_recipient() -> None:
    options = {"secret_key": "k", "project_id": "p", "webhook_password": "w"}
    async with account(Vendor("scaleway", ScalewayFake, options)) as opened:
        sent = await opened.send(ANN, BEN)
        [caught] = opened.fake.caught

        for to, kind in ((ANN, EventType.DELIVERED), (BEN, EventType.BOUNCED)):
            await opened.post(opened.fake.event(kind, caught, to))

        assert await opened.deliveries(sent) == {ANN: "delivered", BEN: "bounced"}
        assert await opened.webhooks() == [("done", "")] * 2


async def test_a_bounce_of_one_among_many_makes_nobody_dead_where_nobody_is_named() -> None:
    async with account(VENDORS["resend"]) as opened:
        await opened.send(ANN, BEN)
        [caught] = opened.fake.caught

        await opened.post(opened.fake.event(EventType.BOUNCED, caught, BEN))

        assert await opened.suppressed() == []


async def test_a_webhook_that_comes_again_is_taken_once(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        sent = await opened.send(ANN)
        [caught] = opened.fake.caught
        post = opened.fake.event(EventType.DELIVERED, caught, ANN)

        assert [await opened.post(post), await opened.post(post)] == [200, 200]

        assert (await opened.happened(sent)).count("delivered") == 1
        assert await opened.webhooks() == [("done", "")]


@pytest.mark.parametrize("name", ["resend", "agentmail"])
async def test_a_lost_answer_is_asked_for_again_under_the_same_key(name: str) -> None:
    async with account(VENDORS[name]) as opened:
        opened.server.drop_next(taken=True)
        sent = await opened.send(ANN)
        await opened.sandbox.advance(timedelta(minutes=5))

        keys = {request.header("idempotency-key") for request in opened.server.requests}
        assert (len(opened.server.requests), len(keys)) == (2, 1)
        assert (await opened.state(sent), len(opened.fake.caught)) == ("accepted", 1)


async def test_a_lost_answer_of_postmark_is_looked_up() -> None:
    async with account(VENDORS["postmark"]) as opened:
        opened.server.drop_next(taken=True)
        sent = await opened.send(ANN)
        await opened.sandbox.advance(timedelta(minutes=5))

        assert (await opened.state(sent), len(opened.fake.caught)) == ("accepted", 1)
