"""MailerSend's own Python client against our Fake; it has no verifier for webhooks."""

from __future__ import annotations

import base64
import email
import email.policy
import time
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.fakes.mailersend import MailerSendFake
from inboxkit.providers.mailersend import MailerSend

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("mailersend")
models: Any = import_module("mailersend.models.email")
exceptions: Any = import_module("mailersend.exceptions")

CONFIG = MailerSend().configure({"api_key": "key-1", "signing_secret": "signing-2"})


@pytest.fixture
def fake() -> MailerSendFake:
    return MailerSendFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def client(fake: MailerSendFake) -> Iterator[Any]:
    with (
        serving(fake) as url,
        sdk.MailerSendClient(api_key="key-1", base_url=f"{url}/v1", max_retries=0) as client,
    ):
        yield client


def _message() -> Any:
    return (
        sdk.EmailBuilder()
        .from_email("support@shop.example", "Shop")
        .to("ann@example.com", "Ann")
        .cc("ben@example.com")
        .bcc("eve@example.com")
        .reply_to("r@shop.example")
        .subject("Größe")
        .text("Which size? 尺码")
        .html('<p>Which size?</p><img src="cid:logo">')
        .tag("order")
        .in_reply_to("a1@example.com")
        .reference("a0@example.com", "a1@example.com")
    )


def _mail(fake: MailerSendFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def test_it_sends_text_and_html_with_options(client: Any, fake: MailerSendFake) -> None:
    due = int(time.time()) + 3_600

    answer = client.emails.send(_message().send_at(due).track_opens(False).build())

    [caught] = fake.caught
    assert (answer.status_code, answer.data["id"]) == (202, caught.id)
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (caught.tags, caught.send_at) == (("order",), datetime.fromtimestamp(due, UTC))
    mail = _mail(fake)
    assert (mail["subject"], mail["reply-to"]) == ("Größe", "r@shop.example")
    assert mail["references"] == "<a0@example.com> <a1@example.com>"
    assert mail.get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def test_it_sends_files_and_inline_images(client: Any, fake: MailerSendFake) -> None:
    request = _message().attach_content(b"%PDF\x00\xff", "rück.pdf").build()
    image = models.EmailAttachment(
        content=base64.b64encode(b"\x89PNG").decode(),
        disposition="inline",
        filename="logo.png",
        id="logo",
    )

    client.emails.send(request.model_copy(update={"attachments": [*request.attachments, image]}))

    parts = {part.get_filename(): part for part in _mail(fake).walk() if part.get_filename()}
    assert parts["rück.pdf"].get_content() == b"%PDF\x00\xff"
    assert parts["logo.png"]["content-id"] == "<logo>"


def test_it_sends_many_at_once(client: Any, fake: MailerSendFake) -> None:
    answer = client.emails.send_bulk([_message().build(), _message().build()])

    assert (answer.status_code, len(fake.caught)) == (202, 2)
    assert answer.data["bulk_email_id"]


def test_suppressed_recipients_are_left_out(client: Any, fake: MailerSendFake) -> None:
    answer = client.emails.send(_message().to("suppressed@example.com").build())

    [caught] = fake.caught
    assert (answer.data["id"], answer.status_code) == (caught.id, 202)
    assert "suppressed@example.com" not in caught.rcpt_to


def test_it_is_refused_as_mailersend_refuses(client: Any, fake: MailerSendFake) -> None:
    with pytest.raises(exceptions.MailerSendError, match="duplicated"):
        client.emails.send(_message().to("ann@example.com", "Ann").build())

    assert not fake.caught
