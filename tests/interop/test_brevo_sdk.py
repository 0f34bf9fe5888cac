"""Brevo's own Python client against our Fake; nothing is signed, so it has no verifier."""

from __future__ import annotations

import base64
import email
import email.policy
import json
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.brevo import Brevo
from inboxkit.providers.fakes.brevo import BrevoFake

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("brevo")
errors: Any = import_module("brevo.errors")
api_error: Any = import_module("brevo.core.api_error")

CONFIG = Brevo().configure({"api_key": "key-1", "webhook_password": "password-3"})
MESSAGE: dict[str, Any] = {
    "sender": {"email": "support@shop.example", "name": "Shop"},
    "to": [{"email": "ann@example.com", "name": "Ann"}],
    "cc": [{"email": "ben@example.com"}],
    "bcc": [{"email": "eve@example.com"}],
    "reply_to": {"email": "r@shop.example"},
    "subject": "Größe",
    "text_content": "Which size? 尺码",
    "html_content": "<p>Which size?</p>",
    "tags": ["order"],
    "headers": {"X-Mailin-custom": "order=42"},
}


@pytest.fixture
def fake() -> BrevoFake:
    return BrevoFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def client(fake: BrevoFake) -> Iterator[Any]:
    with serving(fake) as url:
        yield sdk.Brevo(api_key="key-1", base_url=f"{url}/v3")


def _mail(fake: BrevoFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def test_it_sends_text_and_html_with_options(client: Any, fake: BrevoFake) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)

    answer = client.transactional_emails.send_transac_email(**MESSAGE, scheduled_at=due)

    [caught] = fake.caught
    assert answer.message_id == caught.message_id == _mail(fake)["message-id"]
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (caught.tags, caught.metadata, caught.send_at) == (("order",), {"order": "42"}, due)
    assert (_mail(fake)["subject"], _mail(fake)["reply-to"]) == ("Größe", "r@shop.example")
    assert _mail(fake).get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def test_it_sends_files(client: Any, fake: BrevoFake) -> None:
    content = base64.b64encode(b"%PDF\x00\xff").decode()
    file = {"name": "rück.pdf", "content": content}

    client.transactional_emails.send_transac_email(**MESSAGE, attachment=[file])

    [part] = list(_mail(fake).iter_attachments())
    assert (part.get_filename(), part.get_content()) == ("rück.pdf", b"%PDF\x00\xff")


def test_it_sends_versions(client: Any, fake: BrevoFake) -> None:
    people = [[{"email": "ann@example.com"}], [{"email": "ben@example.com"}]]
    versions = [{"to": to, "params": {"n": n}} for n, to in enumerate(people)]

    answer = client.transactional_emails.send_transac_email(**MESSAGE, message_versions=versions)

    assert answer.message_ids == [caught.message_id for caught in fake.caught]
    assert [json.loads(caught.options["params"]) for caught in fake.caught] == [{"n": 0}, {"n": 1}]


def test_it_is_refused_as_brevo_refuses(client: Any, fake: BrevoFake) -> None:
    with pytest.raises(errors.BadRequestError) as raised:
        client.transactional_emails.send_transac_email(**{**MESSAGE, "subject": ""})

    assert raised.value.body["code"] == "missing_parameter"
    assert not fake.caught


def test_a_wrong_key_is_refused(fake: BrevoFake) -> None:
    with serving(fake) as url, pytest.raises(api_error.ApiError, match="401"):
        other = sdk.Brevo(api_key="other", base_url=f"{url}/v3")
        other.transactional_emails.send_transac_email(**MESSAGE)


def test_it_downloads_the_files_of_inbound_mail(client: Any, fake: BrevoFake) -> None:
    raw = b"Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF\x00\xff"
    post = fake.inbound(raw, recipient="a@shop.example", mail_from="b@example.com")
    [file] = json.loads(post.body)["items"][0]["Attachments"]

    pieces = client.inbound_parsing.get_inbound_email_attachment(file["DownloadToken"])

    assert b"".join(pieces) == b"%PDF\x00\xff"
