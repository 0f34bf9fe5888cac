"""Amazon SES and SendGrid through a real runtime: their ids, their signatures, their downloads."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import EventType
from inboxkit.providers.base import HttpResponse
from inboxkit.providers.fakes.sendgrid import VERIFICATION_KEY, SendgridFake
from inboxkit.providers.fakes.ses import SesFake

from .sending import SENDER
from .vendor_account import Vendor, account, reply_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxkit.providers.base import WebhookRequest

    from .vendor_account import Account

ANN, BEN = "ann@example.com", "ben@example.com"
TOPIC = "arn:aws:sns:us-east-1:123456789012:mail"
SES = Vendor(
    "ses",
    SesFake,
    {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "s", "topic_arns": TOPIC},
)
SENDGRID = Vendor(
    "sendgrid",
    SendgridFake,
    {"api_key": "k", "verification_key": VERIFICATION_KEY, "parse_key": VERIFICATION_KEY},
)


@dataclass(frozen=True)
class Form:
    """One form in which a vendor brings mail."""

    vendor: Vendor
    how: Mapping[str, Any]
    keeps_bytes: bool = True


FORMS = {
    "ses by sns": Form(SES, {}),
    "ses by s3": Form(SES, {"stored": True}),
    "sendgrid raw": Form(SENDGRID, {"send_raw": True}),
    "sendgrid parsed": Form(SENDGRID, {"send_raw": False}, keeps_bytes=False),
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    return FORMS[request.param]


@pytest.fixture(params=[SES, SENDGRID], ids=["ses", "sendgrid"])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    return found


async def test_a_reply_joins_the_send_whose_new_id_it_cites(form: Form) -> None:
    async with account(form.vendor) as opened:
        first, second = [await opened.send(ANN, subject="Size") for _ in range(2)]
        reply = reply_to(opened.fake.caught[0])
        assert first.message_id.encode() not in reply
        inbound: Any = opened.fake.inbound  # each vendor's has options of its own

        status = await opened.post(inbound(reply, recipient=SENDER, mail_from=ANN, **form.how))

        answer = await opened.received()
        assert status == 200
        assert (answer.answers, answer.thread_id) == (first, first.thread_id)
        assert answer.thread_reason.startswith("alias ")
        assert second.thread_id != first.thread_id
        assert answer.reply_text == "Size 42, please."
        assert (await answer.raw() == reply) is form.keeps_bytes


async def test_events_find_the_send_for_each_of_its_recipients(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        sent = await opened.send(ANN, BEN, metadata={"order": "42"}, tag="größe")
        [caught] = opened.fake.caught

        for kind, to in ((EventType.DELIVERED, ANN), (EventType.BOUNCED, BEN)):
            assert await opened.post(opened.fake.event(kind, caught, to)) == 200

        assert (caught.tags, caught.metadata["order"]) == (("größe",), "42")
        assert await opened.deliveries(sent) == {ANN: "delivered", BEN: "bounced"}
        assert await opened.suppressed() == [(BEN, "bounced")]
        assert await opened.webhooks() == [("done", "")] * 2


async def test_what_somebody_else_signed_is_refused_and_not_stored(vendor: Vendor) -> None:
    async with account(vendor) as opened:
        await opened.send(ANN)
        good = opened.fake.event(EventType.BOUNCED, opened.fake.caught[0], ANN)
        forged = replace(good, body=good.body.replace(b"ann@example.com", b"eve@example.com"))

        assert await opened.post(forged) == {"ses": 403, "sendgrid": 503}[vendor.name]

        assert await opened.webhooks() == []
        assert await opened.post(good) == 200


# Amazon SNS only


async def test_a_subscription_is_confirmed() -> None:
    async with account(SES) as opened:
        await opened.send(ANN)
        fake = opened.fake
        assert isinstance(fake, SesFake)

        assert await opened.post(fake.subscription()) == 200

        assert fake.confirmed == [TOPIC]
        assert await opened.webhooks() == [("done", "")]


def _certificates(opened: Account) -> int:
    return sum(request.url.endswith(".pem") for request in opened.server.requests)


async def test_the_certificate_is_fetched_once() -> None:
    async with account(SES) as opened:
        await opened.send(ANN)
        [caught] = opened.fake.caught

        for kind in (EventType.ACCEPTED, EventType.DELIVERED, EventType.OPENED):
            assert await opened.post(opened.fake.event(kind, caught, ANN)) == 200

        assert _certificates(opened) == 1


@pytest.mark.parametrize("status", [404, 500, 302])
async def test_without_the_certificate_sns_is_to_try_again(status: int) -> None:
    async with account(SES) as opened:
        sent = await opened.send(ANN)
        post = opened.fake.event(EventType.DELIVERED, opened.fake.caught[0], ANN)
        opened.server.answer_next(HttpResponse(status))

        assert [await opened.post(post), await opened.post(post)] == [503, 200]

        assert await opened.deliveries(sent) == {ANN: "delivered"}


def _changed(post: WebhookRequest, **fields: str) -> WebhookRequest:
    return replace(post, body=json.dumps({**json.loads(post.body), **fields}).encode())


async def test_a_strangers_topic_or_certificate_makes_no_request() -> None:
    async with account(SES) as opened:
        await opened.send(ANN)
        post = opened.fake.event(EventType.DELIVERED, opened.fake.caught[0], ANN)
        url = "https://evil.example/SimpleNotificationService-0a.pem"

        assert await opened.post(_changed(post, TopicArn=TOPIC + "2")) == 403
        assert await opened.post(_changed(post, SigningCertURL=url)) == 403

        assert len(opened.server.requests) == 1  # the send
