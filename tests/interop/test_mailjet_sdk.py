"""Mailjet's own Python client against our Fake; nothing is signed, so it has no verifier."""

from __future__ import annotations

import base64
import email
import email.policy
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.fakes.mailjet import MailjetFake
from inboxkit.providers.mailjet import Mailjet

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("mailjet_rest")
errors: Any = import_module("mailjet_rest.errors")

CONFIG = Mailjet().configure(
    {"api_key": "key-1", "secret_key": "secret-2", "webhook_password": "password-3"}
)
MESSAGE: dict[str, Any] = {
    "From": {"Email": "support@shop.example", "Name": "Shop"},
    "To": [{"Email": "ann@example.com", "Name": "Ann"}],
    "Cc": [{"Email": "ben@example.com"}],
    "Bcc": [{"Email": "eve@example.com"}],
    "ReplyTo": {"Email": "r@shop.example"},
    "Subject": "Größe",
    "TextPart": "Which size? 尺码",
    "HTMLPart": '<p>Which size?</p><img src="cid:logo">',
    "CustomCampaign": "order",
    "CustomID": "order-42",
    "EventPayload": '{"order": "42"}',
    "Headers": {"X-Order": "42"},
}


@pytest.fixture
def fake() -> MailjetFake:
    return MailjetFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def url(fake: MailjetFake) -> Iterator[str]:
    with serving(fake) as base:
        yield base


def _send(url: str, *messages: dict[str, Any], secret: str = "secret-2") -> Any:
    with sdk.Client(auth=("key-1", secret), version="v3.1", api_url=url) as client:
        return client.send.create(data={"Messages": list(messages)})


def _mail(fake: MailjetFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def test_it_sends_text_and_html_with_options(url: str, fake: MailjetFake) -> None:
    answer = _send(url, MESSAGE)

    [caught] = fake.caught
    [result] = answer.json()["Messages"]
    assert (answer.status_code, result["Status"]) == (200, "success")
    assert str(result["To"][0]["MessageID"]) == caught.id
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (caught.tags, caught.metadata) == (("order",), {"order": "42"})
    mail = _mail(fake)
    assert (mail["subject"], mail["reply-to"], mail["x-order"]) == ("Größe", "r@shop.example", "42")
    assert mail.get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def test_it_sends_files_and_inline_images(url: str, fake: MailjetFake) -> None:
    def part(name: str, kind: str, data: bytes, **more: str) -> dict[str, str]:
        content = base64.b64encode(data).decode()
        return {"ContentType": kind, "Filename": name, "Base64Content": content, **more}

    files = [part("rück.pdf", "application/pdf", b"%PDF\x00\xff")]
    images = [part("logo.png", "image/png", b"\x89PNG", ContentID="logo")]

    _send(url, {**MESSAGE, "Attachments": files, "InlinedAttachments": images})

    parts = {part.get_content_type(): part for part in _mail(fake).walk()}
    assert parts["application/pdf"].get_content() == b"%PDF\x00\xff"
    assert parts["application/pdf"].get_filename() == "rück.pdf"
    assert parts["image/png"]["content-id"] == "<logo>"


def test_one_mail_of_two_may_be_refused(url: str, fake: MailjetFake) -> None:
    with pytest.raises(errors.ValidationError, match="send-0011"):
        _send(url, MESSAGE, {**MESSAGE, "Headers": {"Message-ID": "<a@b>"}})

    assert len(fake.caught) == 1


def test_it_finds_a_message_by_its_custom_id(url: str, fake: MailjetFake) -> None:
    _send(url, MESSAGE)

    with sdk.Client(auth=("key-1", "secret-2"), api_url=url) as client:
        answer = client.message.get(filters={"CustomID": "order-42"})

    assert [str(item["ID"]) for item in answer.json()["Data"]] == [fake.caught[0].id]


def test_a_wrong_key_is_refused(url: str, fake: MailjetFake) -> None:
    with pytest.raises(errors.MailjetAuthError):
        _send(url, MESSAGE, secret="other")

    assert not fake.caught
