"""Postmark's official Python client, and the older postmarker, against our Fake."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.parsing import parse
from inboxkit.providers.fakes.postmark import PostmarkFake
from inboxkit.providers.postmark import Postmark
from inboxkit.values import EventType

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("postmark")
errors: Any = import_module("postmark.exceptions")
postmarker: Any = import_module("postmarker.core")

CONFIG = Postmark().configure({"server_token": "key-1", "webhook_password": "p"})
BASE = {
    "From": "Shop <support@shop.example>",
    "To": "Ann <ann@example.com>, ben@example.com",
    "Bcc": "eve@example.com",
    "ReplyTo": "r@shop.example",
    "Subject": "Größe",
    "TextBody": "Which size? 尺码",
    "HtmlBody": '<p>Which size?</p><img src="cid:logo">',
}
FILES = [
    {"Name": "rück.pdf", "Content": b"%PDF\x00\xff", "ContentType": "application/pdf"},
    {
        "Name": "logo.png",
        "Content": b"\x89PNG",
        "ContentType": "image/png",
        "ContentID": "cid:logo",
    },
]


def _encoded(file: dict[str, Any]) -> dict[str, Any]:
    return {**file, "Content": base64.b64encode(file["Content"]).decode()}


@pytest.fixture
def fake() -> PostmarkFake:
    return PostmarkFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def url(fake: PostmarkFake) -> Iterator[str]:
    with serving(fake) as url:
        yield url


async def test_the_official_client_sends_everything(url: str, fake: PostmarkFake) -> None:
    extra = {"Tag": "order", "Metadata": {"order": "42"}, "Attachments": [*map(_encoded, FILES)]}
    kept = [{"Name": "Message-ID", "Value": "<a@shop.example>"}]
    kept += [{"Name": "X-PM-KeepID", "Value": "true"}]

    async with sdk.ServerClient("key-1", base_url=url) as client:
        answer = await client.outbound.send({**BASE, **extra, "Headers": kept})

    [caught] = fake.caught
    mail = parse(caught.mime)
    assert (answer.success, answer.message_id) == (True, caught.id)
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (caught.tags, caught.metadata) == (("order",), {"order": "42"})
    assert (mail.message_id, mail.subject) == ("<a@shop.example>", "Größe")
    assert mail.text.strip() == "Which size? 尺码"
    assert {(a.filename, a.data, a.content_id) for a in mail.attachments} == {
        ("rück.pdf", b"%PDF\x00\xff", ""),
        ("logo.png", b"\x89PNG", "logo"),
    }


async def test_the_official_client_reads_our_refusals(url: str, fake: PostmarkFake) -> None:
    async with sdk.ServerClient("key-1", base_url=url) as client:
        await client.outbound.send(BASE)
        fake.event(EventType.BOUNCED, fake.caught[0], "ann@example.com")
        with pytest.raises(errors.InactiveRecipientException) as raised:
            await client.outbound.send({**BASE, "To": "ann@example.com", "Bcc": None})
    async with sdk.ServerClient("another", base_url=url) as stranger:
        with pytest.raises(errors.InvalidAPIKeyException):
            await stranger.outbound.send(BASE)

    assert raised.value.inactive_recipients == ["ann@example.com"]


def test_postmarker_sends_text_html_and_files(url: str, fake: PostmarkFake) -> None:
    client = postmarker.PostmarkClient(server_token="key-1", root_api_url=url)

    answer = client.emails.send(**BASE, Attachments=[*map(_encoded, FILES)], TrackOpens=True)

    [caught] = fake.caught
    mail = parse(caught.mime)
    assert answer["MessageID"] == caught.id
    assert (mail.subject, mail.reply_to[0].email) == ("Größe", "r@shop.example")
    assert len(mail.attachments) == 2
    assert caught.options["TrackOpens"] == "True"
