"""Mailchimp Transactional's own Python client against our Fake; it has no verifier."""

from __future__ import annotations

import base64
import email
import email.policy
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.fakes.mandrill import MandrillFake
from inboxkit.providers.mandrill import Mandrill
from tests.providers.vendor import MAILS, outgoing

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("mailchimp_transactional")
client_errors: Any = import_module("mailchimp_transactional.api_client")

CONFIG = Mandrill().configure({"api_key": "key-1", "webhook_key": "signing-2"})
MESSAGE: dict[str, Any] = {
    "from_email": "support@shop.example",
    "from_name": "Shop",
    "to": [
        {"email": "ann@example.com", "name": "Ann", "type": "to"},
        {"email": "ben@example.com", "type": "cc"},
        {"email": "eve@example.com", "type": "bcc"},
    ],
    "subject": "Größe",
    "text": "Which size? 尺码",
    "html": '<p>Which size?</p><img src="cid:logo">',
    "headers": {"Reply-To": "r@shop.example"},
    "tags": ["order", "second"],
    "metadata": {"order": "42"},
}


@pytest.fixture
def fake() -> MandrillFake:
    return MandrillFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def client(fake: MandrillFake) -> Iterator[Any]:
    with serving(fake) as url:
        client = sdk.Client("key-1")
        client.messages.api_client.host = client.users.api_client.host = f"{url}/api/1.3"
        yield client


def _mail(fake: MandrillFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def test_it_sends_text_and_html_with_options(client: Any, fake: MandrillFake) -> None:
    answer = client.messages.send({"message": MESSAGE})

    [caught] = fake.caught
    assert [one["status"] for one in answer] == ["sent"] * 3
    assert len({one["_id"] for one in answer}) == 3
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (caught.tags, caught.metadata) == (("order", "second"), {"order": "42"})
    assert (_mail(fake)["subject"], _mail(fake)["reply-to"]) == ("Größe", "r@shop.example")
    assert (_mail(fake)["cc"], _mail(fake)["bcc"]) == ("ben@example.com", None)
    assert _mail(fake).get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def test_it_sends_files_and_inline_images(client: Any, fake: MandrillFake) -> None:
    pdf, png = base64.b64encode(b"%PDF\x00\xff").decode(), base64.b64encode(b"\x89PNG").decode()
    files = {
        "attachments": [{"type": "application/pdf", "name": "rück.pdf", "content": pdf}],
        "images": [{"type": "image/png", "name": "logo", "content": png}],
    }

    client.messages.send({"message": {**MESSAGE, **files}})

    parts = {part.get_content_type(): part for part in _mail(fake).walk()}
    assert parts["application/pdf"].get_content() == b"%PDF\x00\xff"
    assert parts["application/pdf"].get_filename() == "rück.pdf"
    assert parts["image/png"]["content-id"] == "<logo>"
    assert parts["image/png"].get_content() == b"\x89PNG"


def test_it_sends_composed_mail(client: Any, fake: MandrillFake) -> None:
    client.messages.send_raw({"raw_message": MAILS["plain"].decode(), "to": ["ann@example.com"]})

    assert fake.caught[0].mime == MAILS["plain"]


def test_it_finds_what_we_sent(client: Any, fake: MandrillFake) -> None:
    fake.handle(Mandrill().build_send(outgoing(), CONFIG, datetime.now(UTC)))

    [found] = client.messages.search({"query": "full_email:ann@example.com"})

    assert found["metadata"] == outgoing().metadata


def test_it_is_refused_as_mandrill_refuses(client: Any, fake: MandrillFake) -> None:
    with pytest.raises(client_errors.ApiClientError) as raised:
        client.messages.send({"message": {**MESSAGE, "to": []}})

    assert raised.value.text["name"] == "ValidationError"
    assert client.users.ping() == "PONG!"
    assert not fake.caught
