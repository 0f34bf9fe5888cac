"""Resend's own Python client against our Fake; its verifier and Svix's against our signatures."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.parsing import parse
from inboxkit.providers.fakes.resend import ResendFake
from inboxkit.providers.resend import Resend
from inboxkit.values import EventType
from tests.providers.signed import KEY
from tests.providers.vendor import MAILS

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.providers.base import WebhookRequest

resend: Any = import_module("resend")
svix: Any = import_module("svix.webhooks")

CONFIG = Resend().configure({"api_key": "re_1", "signing_secret": KEY.secret})
BASE: dict[str, Any] = {
    "from": "Shop <support@shop.example>",
    "to": ["Ann <ann@example.com>"],
    "subject": "Größe",
    "text": "Which size? 尺码",
    "html": '<p>Which size?</p><img src="cid:logo">',
}


@pytest.fixture
def fake() -> ResendFake:
    return ResendFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture(autouse=True)
def client(fake: ResendFake) -> Iterator[None]:
    before = resend.api_url, resend.api_key
    with serving(fake) as url:
        resend.api_url, resend.api_key = url, "re_1"
        yield
    resend.api_url, resend.api_key = before


def test_it_sends_everything(fake: ResendFake) -> None:
    files = [
        {"filename": "rück.pdf", "content": list(b"%PDF\x00\xff")},
        {"filename": "logo.png", "content": list(b"\x89PNG"), "content_id": "logo"},
    ]
    tags = [{"name": "order", "value": "42"}]
    extra = {"bcc": "eve@example.com", "reply_to": "r@shop.example", "headers": {"X-A": "b"}}

    answer = resend.Emails.send({**BASE, **extra, "attachments": files, "tags": tags})

    [caught] = fake.caught
    mail = parse(caught.mime)
    assert answer["id"] == caught.id
    assert caught.rcpt_to == ("ann@example.com", "eve@example.com")
    assert caught.metadata == {"order": "42"}
    assert (mail.subject, mail.headers.get("X-A")) == ("Größe", "b")
    assert mail.text.strip() == "Which size? 尺码"
    assert {(a.filename, a.data, a.content_id) for a in mail.attachments} == {
        ("rück.pdf", b"%PDF\x00\xff", ""),
        ("logo.png", b"\x89PNG", "logo"),
    }


def test_its_idempotency_key_sends_once(fake: ResendFake) -> None:
    answers = [resend.Emails.send(BASE, {"idempotency_key": "k"})["id"] for _ in "ab"]

    assert answers[0] == answers[1]
    assert len(fake.caught) == 1
    with pytest.raises(resend.exceptions.ResendError, match="different payload"):
        resend.Emails.send({**BASE, "text": "Other"}, {"idempotency_key": "k"})


def test_it_learns_the_message_id_by_asking(fake: ResendFake) -> None:
    sent = resend.Emails.send(BASE)

    assert resend.Emails.get(sent["id"])["message_id"] == fake.caught[0].message_id


def test_it_reads_our_refusals() -> None:
    with pytest.raises(resend.exceptions.MissingRequiredFieldsError):
        resend.Emails.send({**BASE, "to": []})
    resend.api_key = "another"
    with pytest.raises(resend.exceptions.InvalidApiKeyError):
        resend.Emails.send(BASE)


def test_it_reads_received_mail(fake: ResendFake) -> None:
    fake.inbound(MAILS["plain"], recipient="support@shop.example", mail_from="ann@example.com")
    [email_id] = fake.received

    mail = resend.Emails.Receiving.get(email_id)

    assert (mail["subject"], mail["received_for"]) == ("Size", ["support@shop.example"])
    assert mail["raw"]["download_url"]


def _posts(fake: ResendFake) -> tuple[WebhookRequest, ...]:
    resend.Emails.send(BASE)
    return (
        fake.event(EventType.OPENED, fake.caught[0], "ann@example.com"),
        fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com"),
    )


def test_its_verifier_accepts_what_we_sign(fake: ResendFake) -> None:
    for post in _posts(fake):
        signed = {name: post.header(f"svix-{name}") for name in ("id", "timestamp", "signature")}
        options = {"payload": post.body.decode(), "headers": signed}

        seen = resend.Webhooks.verify({**options, "webhook_secret": KEY.secret})

        assert seen["type"].startswith("email.")
        with pytest.raises(ValueError, match="no matching signature"):
            resend.Webhooks.verify({**options, "webhook_secret": "whsec_" + "A" * 32})


def test_svix_accepts_what_we_sign(fake: ResendFake) -> None:
    for post in _posts(fake):
        svix.Webhook(KEY.secret).verify(post.body, dict(post.headers))
        with pytest.raises(svix.WebhookVerificationError):
            svix.Webhook(KEY.secret).verify(post.body + b" ", dict(post.headers))


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (290, True), (310, False), (-310, False)])
def test_its_window_is_ours(age: int, fresh: bool) -> None:
    stamp = int(time.time()) - age
    signed = {"id": "msg_1", "timestamp": str(stamp), "signature": KEY.sign("msg_1", stamp, b"{}")}
    options = {"payload": "{}", "headers": signed, "webhook_secret": KEY.secret}

    if fresh:
        assert resend.Webhooks.verify(options) == {}
    else:
        with pytest.raises(ValueError, match="tolerance"):
            resend.Webhooks.verify(options)
