"""UniOne's own Python client, of the same API as Unisender Go's, against our Fake."""

from __future__ import annotations

import base64
import email
import email.policy
import json
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.fakes.unisender_go import UnisenderGoFake
from inboxkit.providers.unisender_go import UnisenderGo
from inboxkit.values import EventType

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("unione")
mails: Any = import_module("unione.api.email.models")
webhooks: Any = import_module("unione.api.webhook.models")

CONFIG = UnisenderGo().configure({"api_key": "key-1", "api_url": "https://go1.unisender.ru/api/v1"})


@pytest.fixture
def fake() -> UnisenderGoFake:
    return UnisenderGoFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def client(fake: UnisenderGoFake) -> Iterator[Any]:
    with serving(fake) as url:
        yield sdk.UniOneClient("key-1", host=f"{url}/en/transactional/api/v1")


def _request(**changes: Any) -> Any:
    message: dict[str, Any] = {
        "recipients": [{"email": "ann@example.com"}, {"email": "ben@example.com"}],
        "subject": "Größe",
        "from_email": "support@shop.example",
        "from_name": "Shop",
        "reply_to": "r@shop.example",
        "body": {"plaintext": "Which size? 尺码", "html": '<p>Which?</p><img src="cid:logo">'},
        "headers": {"To": "Ann <ann@example.com>", "CC": "ben@example.com", "X-Order": "42"},
        "tags": ["order"],
        "global_metadata": {"order": "42"},
    }
    return mails.EmailSendRequest.from_dict({"message": message | changes})


def _mail(fake: UnisenderGoFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def test_it_sends_text_and_html_with_options(client: Any, fake: UnisenderGoFake) -> None:
    answer = client.email.send(_request())

    [caught] = fake.caught
    assert (answer.job_id, answer.emails) == (caught.id, ["ann@example.com", "ben@example.com"])
    assert (caught.tags, caught.metadata) == (("order",), {"order": "42"})
    assert (_mail(fake)["subject"], _mail(fake)["reply-to"]) == ("Größe", "r@shop.example")
    assert (str(_mail(fake)["to"]), _mail(fake)["cc"]) == (
        "Ann <ann@example.com>",
        "ben@example.com",
    )
    assert _mail(fake).get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def test_it_sends_files_and_inline_images(client: Any, fake: UnisenderGoFake) -> None:
    pdf, png = base64.b64encode(b"%PDF\x00\xff").decode(), base64.b64encode(b"\x89PNG").decode()

    client.email.send(
        _request(
            attachments=[{"type": "application/pdf", "name": "rück.pdf", "content": pdf}],
            inline_attachments=[{"type": "image/png", "name": "logo", "content": png}],
        )
    )

    parts = {part.get_content_type(): part for part in _mail(fake).walk()}
    assert parts["application/pdf"].get_content() == b"%PDF\x00\xff"
    assert parts["application/pdf"].get_filename() == "rück.pdf"
    assert parts["image/png"]["content-id"] == "<logo>"
    assert parts["image/png"].get_content() == b"\x89PNG"


def test_it_is_refused_as_unisender_go_refuses(client: Any, fake: UnisenderGoFake) -> None:
    with pytest.raises(sdk.ApiError) as raised:
        client.email.send(_request(recipients=[{"email": "nobody"}], headers={}))

    assert (raised.value.http_status, raised.value.error_code) == (400, 204)
    assert not fake.caught


def test_it_reads_the_webhooks_that_we_post(client: Any, fake: UnisenderGoFake) -> None:
    client.email.send(_request())
    post = fake.event(EventType.BOUNCED, fake.caught[0], "ann@example.com")

    read = webhooks.WebhookCallback.from_dict(json.loads(post.body))

    [event] = read.events_by_user[0].events
    assert event.event_data.job_id == fake.caught[0].id
    assert event.event_data.status.value == "hard_bounced"
    assert event.event_data.delivery_info.delivery_status == "err_user_unknown"
