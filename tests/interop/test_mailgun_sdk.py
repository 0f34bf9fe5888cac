"""Mailgun's own Python client against our Fake, and its verifier against our signatures."""

from __future__ import annotations

import email
import email.policy
import json
import time
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers import forms
from inboxkit.providers.fakes.mailgun import MailgunFake
from inboxkit.providers.mailgun import Mailgun, sign
from inboxkit.values import EventType
from tests.providers.vendor import MAILS, outgoing

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("mailgun.client")
security: Any = import_module("mailgun.security")

CONFIG = Mailgun().configure(
    {"api_key": "key-1", "domain": "shop.example", "signing_key": "signing-2"}
)
BASE = {
    "from": "Shop <support@shop.example>",
    "to": ["Ann <ann@example.com>", "ben@example.com"],
    "subject": "Größe",
    "text": "Which size? 尺码",
    "html": '<p>Which size?</p><img src="cid:logo.png">',
}


@pytest.fixture
def fake() -> MailgunFake:
    return MailgunFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def client(fake: MailgunFake) -> Iterator[Any]:
    with serving(fake) as url, sdk.Client(auth=("api", "key-1"), api_url=url) as client:
        yield client


def _mail(fake: MailgunFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def test_it_sends_text_and_html_with_options(client: Any, fake: MailgunFake) -> None:
    data = {**BASE, "o:tag": ["order", "second"], "v:order": "42", "h:Reply-To": "r@shop.example"}

    answer = client.messages.create(data=data, domain="shop.example")

    [caught] = fake.caught
    assert (answer.status_code, answer.json()["id"]) == (200, caught.message_id)
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com")
    assert (caught.tags, caught.metadata) == (("order", "second"), {"order": "42"})
    assert (_mail(fake)["subject"], _mail(fake)["reply-to"]) == ("Größe", "r@shop.example")
    assert _mail(fake).get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def test_it_sends_files_and_inline_images(client: Any, fake: MailgunFake) -> None:
    files = [
        ("attachment", ("rück.pdf", b"%PDF\x00\xff", "application/pdf")),
        ("inline", ("logo.png", b"\x89PNG", "image/png")),
    ]

    client.messages.create(data=BASE, files=files, domain="shop.example")

    parts = {part.get_content_type(): part for part in _mail(fake).walk()}
    assert parts["application/pdf"].get_content() == b"%PDF\x00\xff"
    assert parts["application/pdf"].get_filename() == "rück.pdf"
    assert parts["image/png"]["content-id"] == "<logo.png>"
    assert parts["image/png"].get_content() == b"\x89PNG"


def test_it_sends_composed_mail_byte_for_byte(client: Any, fake: MailgunFake) -> None:
    files = {"message": MAILS["8-bit"]}

    client.mimemessage.create(data={"to": "ann@example.com"}, files=files, domain="shop.example")

    assert fake.caught[0].mime == MAILS["8-bit"]


def test_it_asks_for_events(client: Any, fake: MailgunFake) -> None:
    client.messages.create(data=BASE, domain="shop.example")
    fake.event(EventType.DELIVERED, fake.caught[0], "ann@example.com")

    answer = client.events.get(domain="shop.example", filters={"event": "delivered"})

    assert [item["recipient"] for item in answer.json()["items"]] == ["ann@example.com"]


def test_it_is_refused_as_mailgun_refuses(client: Any, fake: MailgunFake) -> None:
    answer = client.messages.create(data={**BASE, "to": "nobody"}, domain="shop.example")

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("to parameter is not a valid address")
    assert not fake.caught


async def test_the_asynchronous_client_sends_too(fake: MailgunFake) -> None:
    with serving(fake) as url:
        async with sdk.AsyncClient(auth=("api", "key-1"), api_url=url) as client:
            answer = await client.messages.create(data=BASE, domain="shop.example")

    assert answer.json()["id"] == fake.caught[0].message_id


def test_its_verifier_accepts_what_we_sign(fake: MailgunFake) -> None:
    fake.handle(Mailgun().build_send(outgoing(), CONFIG, datetime.now(UTC)))
    event = fake.event(EventType.OPENED, fake.caught[0], "ann@example.com")
    mail = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")
    form = forms.read(mail.header("content-type"), mail.body)

    block = json.loads(event.body)["signature"]
    route = {name: form.text(name) for name in ("timestamp", "token", "signature")}

    verify = security.SecurityGuard.verify_webhook
    assert verify("signing-2", **block) and verify("signing-2", **route)
    assert not verify("another key", **block)


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (850, True), (950, False)])
def test_its_window_is_ours(age: int, fresh: bool) -> None:
    timestamp, token = str(int(time.time()) - age), "ab" * 25
    signature = sign("signing-2", timestamp, token)

    assert security.SecurityGuard.verify_webhook("signing-2", token, timestamp, signature) is fresh
