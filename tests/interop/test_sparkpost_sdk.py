"""SparkPost's own Python client against our Fake; nothing is signed, so it has no verifier."""

from __future__ import annotations

import base64
import email
import email.policy
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.fakes.sparkpost import SparkPostFake
from inboxkit.providers.sparkpost import SparkPost
from tests.providers.vendor import MAILS

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("sparkpost")
exceptions: Any = import_module("sparkpost.exceptions")

CONFIG = SparkPost().configure({"api_key": "key-1", "webhook_password": "password-3"})
MESSAGE: dict[str, Any] = {
    "from_email": "Shop <support@shop.example>",
    "recipients": ["Ann <ann@example.com>"],
    "cc": ["ben@example.com"],
    "bcc": ["eve@example.com"],
    "subject": "Größe",
    "text": "Which size? 尺码",
    "html": '<p>Which size?</p><img src="cid:logo">',
    "reply_to": "r@shop.example",
    "campaign": "order",
    "metadata": {"order": "42"},
    "track_opens": False,
}


@pytest.fixture
def fake() -> SparkPostFake:
    return SparkPostFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def transmissions(fake: SparkPostFake) -> Iterator[Any]:
    """The part of the client that sends: the whole one speaks https only."""
    with serving(fake) as url:
        part = sdk.Transmissions(f"{url}/api/v1", "key-1")
        yield part
        part.transport.sess.close()


def _mail(fake: SparkPostFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def test_it_sends_text_and_html_with_options(transmissions: Any, fake: SparkPostFake) -> None:
    answer = transmissions.send(**MESSAGE)

    [caught] = fake.caught
    assert (answer["id"], answer["total_accepted_recipients"]) == (caught.id, 3)
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (caught.tags, caught.metadata) == (("order",), {"order": "42"})
    assert caught.options["open_tracking"] == "false"
    assert (_mail(fake)["subject"], _mail(fake)["reply-to"]) == ("Größe", "r@shop.example")
    assert (str(_mail(fake)["to"]), _mail(fake)["cc"]) == (
        "Ann <ann@example.com>",
        "ben@example.com",
    )
    assert _mail(fake).get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def test_it_sends_files_and_inline_images(transmissions: Any, fake: SparkPostFake) -> None:
    pdf, png = base64.b64encode(b"%PDF\x00\xff").decode(), base64.b64encode(b"\x89PNG").decode()

    transmissions.send(
        **MESSAGE,
        attachments=[{"type": "application/pdf", "name": "rück.pdf", "data": pdf}],
        inline_images=[{"type": "image/png", "name": "logo", "data": png}],
    )

    parts = {part.get_content_type(): part for part in _mail(fake).walk()}
    assert parts["application/pdf"].get_content() == b"%PDF\x00\xff"
    assert parts["application/pdf"].get_filename() == "rück.pdf"
    assert parts["image/png"]["content-id"] == "<logo>"
    assert parts["image/png"].get_content() == b"\x89PNG"


def test_it_sends_composed_mail(transmissions: Any, fake: SparkPostFake) -> None:
    transmissions.send(recipients=["ann@example.com"], email_rfc822=MAILS["plain"].decode())

    assert fake.caught[0].mime == MAILS["plain"]


def test_it_schedules(transmissions: Any, fake: SparkPostFake) -> None:
    transmissions.send(**MESSAGE, start_time="2030-01-02T03:04:05+01:00")

    assert fake.caught[0].send_at == datetime(2030, 1, 2, 2, 4, 5, tzinfo=UTC)


def test_it_is_refused_as_sparkpost_refuses(transmissions: Any, fake: SparkPostFake) -> None:
    with pytest.raises(exceptions.SparkPostAPIException) as raised:
        transmissions.send(**{**MESSAGE, "recipients": ["nobody"], "cc": [], "bcc": []})

    assert raised.value.status == 422
    assert "Invalid email address" in str(raised.value)
    assert not fake.caught
