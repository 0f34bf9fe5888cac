"""SendGrid's own Python client against our Fake, and its verifier against our signatures."""

from __future__ import annotations

import base64
import email
import email.policy
import json
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.fakes.sendgrid import VERIFICATION_KEY, SendgridFake
from inboxkit.providers.sendgrid import SIGNATURE, TIMESTAMP, Sendgrid
from inboxkit.values import EventType
from tests.providers.vendor import MAILS, outgoing

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("sendgrid")
mail: Any = import_module("sendgrid.helpers.mail")
eventwebhook: Any = import_module("sendgrid.helpers.eventwebhook")
inbound: Any = import_module("sendgrid.helpers.inbound.parse")
werkzeug_test: Any = import_module("werkzeug.test")
http_exceptions: Any = import_module("python_http_client.exceptions")

KEYS = {"verification_key": VERIFICATION_KEY, "parse_key": VERIFICATION_KEY}
CONFIG = Sendgrid().configure({"api_key": "SG.x", **KEYS})


@pytest.fixture
def fake() -> SendgridFake:
    return SendgridFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def client(fake: SendgridFake) -> Iterator[Any]:
    with serving(fake) as url:
        yield sdk.SendGridAPIClient("SG.x", host=url)


def _message(**changes: Any) -> Any:
    given = {
        "from_email": ("support@shop.example", "Shop"),
        "to_emails": [("ann@example.com", "Ann"), "ben@example.com"],
        "subject": "Größe",
        "plain_text_content": "Which size? 尺码",
        "html_content": '<p>Which size?</p><img src="cid:logo">',
    }
    return mail.Mail(**{**given, **changes})


def _caught(fake: SendgridFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def test_it_sends_text_and_html_with_options(client: Any, fake: SendgridFake) -> None:
    message = _message()
    message.add_bcc("eve@example.com")
    message.reply_to = "r@shop.example"
    message.category = mail.Category("order")
    message.custom_arg = mail.CustomArg("ibk_order", "42")
    message.send_at = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())

    answer = client.send(message)

    [caught] = fake.caught
    assert (answer.status_code, answer.headers["X-Message-Id"]) == (202, caught.id)
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (caught.tags, caught.metadata) == (("order",), {"order": "42"})
    assert (_caught(fake)["subject"], _caught(fake)["reply-to"]) == ("Größe", "r@shop.example")
    assert _caught(fake)["bcc"] is None
    assert _caught(fake).get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def _file(data: bytes, name: str, kind: str, *, cid: str = "") -> Any:
    attachment = mail.Attachment(
        mail.FileContent(base64.b64encode(data).decode()),
        mail.FileName(name),
        mail.FileType(kind),
        mail.Disposition("inline" if cid else "attachment"),
    )
    if cid:
        attachment.content_id = mail.ContentId(cid)
    return attachment


def test_it_sends_files_and_inline_images(client: Any, fake: SendgridFake) -> None:
    message = _message()
    message.attachment = _file(b"%PDF\x00\xff", "rück.pdf", "application/pdf")
    message.attachment = _file(b"\x89PNG", "logo.png", "image/png", cid="logo")

    client.send(message)

    parts = {part.get_content_type(): part for part in _caught(fake).walk()}
    assert parts["application/pdf"].get_content() == b"%PDF\x00\xff"
    assert parts["application/pdf"].get_filename() == "rück.pdf"
    assert (parts["image/png"].get_content(), parts["image/png"]["content-id"]) == (
        b"\x89PNG",
        "<logo>",
    )


def test_each_personalization_is_a_mail(client: Any, fake: SendgridFake) -> None:
    client.send(_message(is_multiple=True))

    assert {c.rcpt_to for c in fake.caught} == {("ann@example.com",), ("ben@example.com",)}
    assert {c.id for c in fake.caught} == {fake.caught[0].id}


def test_it_is_refused_as_sendgrid_refuses(client: Any, fake: SendgridFake) -> None:
    with pytest.raises(http_exceptions.BadRequestsError) as refused:
        client.send(_message(plain_text_content=None, html_content=None))

    assert json.loads(refused.value.body)["errors"][0]["field"] == "content"
    assert not fake.caught


def test_a_wrong_key_is_refused(fake: SendgridFake) -> None:
    with serving(fake) as url, pytest.raises(http_exceptions.UnauthorizedError):
        sdk.SendGridAPIClient("SG.other", host=url).send(_message())


def test_what_we_build_is_what_it_builds() -> None:
    ours = json.loads(Sendgrid().build_send(outgoing(), CONFIG, datetime.now(UTC)).body)
    theirs = _message(
        to_emails=("ann@example.com", "Ann Lee"), subject=ours["subject"], html_content=None
    )
    theirs.add_cc("ben@example.com")
    theirs.add_bcc("eve@example.com")
    theirs.category = mail.Category("order")
    built = theirs.get()

    assert ours["from"] == built["from"]
    assert ours["personalizations"] == built["personalizations"]
    assert ours["content"][0] == built["content"][0]
    assert (ours["subject"], ours["categories"]) == (built["subject"], built["categories"])


def test_its_verifier_accepts_what_we_sign(fake: SendgridFake) -> None:
    fake.handle(Sendgrid().build_send(outgoing(), CONFIG, datetime.now(UTC)))
    post = fake.event(EventType.OPENED, fake.caught[0], "ann@example.com")
    verifier = eventwebhook.EventWebhook(VERIFICATION_KEY)
    signature, timestamp = post.header(SIGNATURE), post.header(TIMESTAMP)

    assert verifier.verify_signature(post.body.decode(), signature, timestamp)
    assert not verifier.verify_signature(post.body.decode() + " ", signature, timestamp)


def test_its_reader_reads_the_mail_we_post(fake: SendgridFake) -> None:
    post = fake.inbound(
        MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com", send_raw=False
    )
    content_type = post.header("content-type")
    posted = werkzeug_test.EnvironBuilder(
        method="POST", data=post.body, content_type=content_type
    ).get_request()
    config = type("Config", (), {"keys": ["from", "to", "subject", "text", "envelope"]})()

    parsed = inbound.Parse(config, posted)

    assert parsed.key_values()["text"] == "Which size?\r\n"
    assert json.loads(parsed.key_values()["envelope"])["to"] == ["a@shop.example"]
