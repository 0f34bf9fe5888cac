from __future__ import annotations

import email
import email.policy
import json
from typing import Any

import pytest

from inboxkit.providers.base import (
    FetchPlan,
    HttpResponse,
    InboundMail,
    ParseError,
    WebhookRequest,
)
from inboxkit.providers.fakes.mailgun import MailgunFake
from inboxkit.providers.forms import Field

from .mailgun_account import CONFIG, PROVIDER, form_post
from .vendor import MAILS, NOW


@pytest.fixture
def fake() -> MailgunFake:
    return MailgunFake(CONFIG, lambda: NOW)


REPORT = b"\r\n".join(
    [
        b"From: mailer-daemon@example.com",
        b"Subject: Undelivered",
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="r"',
        b"",
        b"--r",
        b"Content-Type: text/plain",
        b"",
        b"It failed.",
        b"--r",
        b"Content-Type: message/delivery-status",
        b"",
        b"Reporting-MTA: dns; mx.example.com",
        b"",
        b"Final-Recipient: rfc822; ann@example.com",
        b"Action: failed",
        b"Status: 5.1.1",
        b"--r--",
        b"",
    ]
)
RICH = b"\r\n".join(
    [
        b"Received: from a.example",
        b"Received: from b.example",
        b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>",
        b"Subject: folded",
        b"\tover two lines",
        b"In-Reply-To: <order-42.1@shop.example>",
        b'Content-Type: multipart/mixed; boundary="m"',
        b"",
        b"--m",
        b'Content-Type: multipart/related; boundary="r"',
        b"",
        b"--r",
        b"Content-Type: text/html; charset=gb18030",
        b"",
        '<p>尺码</p><img src="cid:pic@x">'.encode("gb18030"),
        b"--r",
        b"Content-Type: image/png; name=pic.png",
        b"Content-Disposition: inline; filename=pic.png",
        b"Content-ID: <pic@x>",
        b"Content-Transfer-Encoding: base64",
        b"",
        b"iVBORw0KGgo=",
        b"--r--",
        b"--m",
        b"Content-Type: application/pdf",
        b"Content-Disposition: attachment; filename*=utf-8''r%C3%BCck.pdf",
        b"Content-Transfer-Encoding: base64",
        b"",
        b"JVBERgD/",
        b"--m--",
        b"",
    ]
)


def _rebuilt(post: WebhookRequest) -> Any:
    [mail] = PROVIDER.parse_inbound(post, CONFIG)
    assert isinstance(mail, InboundMail)
    return email.message_from_bytes(mail.raw, policy=email.policy.default)


def test_a_parsed_mail_is_rebuilt_with_its_headers_bodies_and_files(fake: MailgunFake) -> None:
    post = fake.inbound(RICH, recipient="a@shop.example", mail_from="j@example.com", mime=False)

    mail = _rebuilt(post)

    assert mail.get_all("received") == ["from a.example", "from b.example"]
    assert (mail["from"], mail["subject"]) == ("Jürgen <j@example.com>", "folded over two lines")
    assert mail["in-reply-to"] == "<order-42.1@shop.example>"
    assert mail.get_body(("html",)).get_content().startswith("<p>尺码</p>")
    assert [p.get_content_type() for p in mail.walk()] == [
        "multipart/mixed",
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "image/png",
        "application/pdf",
    ]


def test_files_of_a_parsed_mail_keep_name_bytes_and_content_id(fake: MailgunFake) -> None:
    post = fake.inbound(RICH, recipient="a@shop.example", mail_from="j@example.com", mime=False)

    parts = {p.get_content_type(): p for p in _rebuilt(post).walk()}

    assert parts["image/png"]["content-id"] == "<pic@x>"
    assert parts["image/png"].get_content_disposition() == "inline"
    assert parts["application/pdf"].get_filename() == "rück.pdf"
    assert parts["application/pdf"].get_content() == b"%PDF\x00\xff"


def test_a_delivery_report_stays_one_when_it_is_rebuilt(fake: MailgunFake) -> None:
    post = fake.inbound(REPORT, recipient="a@shop.example", mail_from="", mime=False)

    mail = _rebuilt(post)

    assert mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "delivery-status"
    status = next(p for p in mail.walk() if p.get_content_type() == "message/delivery-status")
    assert "5.1.1" in status.as_string()


def test_the_same_parsed_mail_is_rebuilt_to_the_same_bytes(fake: MailgunFake) -> None:
    posts = [
        fake.inbound(RICH, recipient="a@shop.example", mail_from="j@example.com", mime=False)
        for _ in range(2)
    ]
    first, second = (PROVIDER.parse_inbound(post, CONFIG)[0] for post in posts)
    assert isinstance(first, InboundMail) and isinstance(second, InboundMail)
    assert first.raw == second.raw


def test_headers_of_a_parsed_mail_cannot_start_new_ones() -> None:
    headers = json.dumps(
        [["Subject", "a\r\nBcc: x@example.com"], ["Bad\nName", "b"], ["X", "\r\n\r\nc"]]
    )
    post = form_post(
        Field("sender", b"a@example.com"),
        Field("recipient", b"b@shop.example"),
        Field("message-headers", headers.encode()),
        Field("body-plain", b"text"),
    )

    mail = _rebuilt(post)

    assert set(mail.keys()) == {
        "Subject",
        "X",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    }
    assert mail.get_content().strip() == "text"


def test_a_field_that_comes_twice_with_other_values_is_not_guessed_at() -> None:
    post = form_post(
        Field("recipient", b"boss@shop.example"),
        Field("sender", b"a@example.com"),
        Field("recipient", b"support@shop.example"),
        Field("body-mime", MAILS["plain"]),
    )
    with pytest.raises(ParseError, match="recipient"):
        PROVIDER.parse_inbound(post, CONFIG)


def _stored(url: str) -> FetchPlan:
    post = form_post(
        Field("sender", b"ann@example.com"),
        Field("recipient", b"a@shop.example,b@shop.example"),
        Field("message-url", url.encode()),
        Field("body-plain", b"Hello"),
        Field("token", b"t1"),
    )
    [plan] = PROVIDER.parse_inbound(post, CONFIG)
    assert isinstance(plan, FetchPlan)
    return plan


def test_stored_mail_is_fetched_as_mime() -> None:
    plan = _stored("https://storage-us-east4.api.mailgun.net/v3/domains/shop.example/messages/A")
    answer = HttpResponse(200, {}, json.dumps({"body-mime": "Subject: x\r\n\r\nü"}).encode())

    [mail] = PROVIDER.parse_fetched(plan, answer, CONFIG)

    assert plan.is_allowed
    assert plan.headers["Accept"] == "message/rfc2822"
    assert (mail.raw, mail.rcpt_to) == (
        "Subject: x\r\n\r\nü".encode(),
        ("a@shop.example", "b@shop.example"),
    )
    assert mail.event_id == "t1"


@pytest.mark.parametrize(
    "url",
    [
        "https://mailgun.net.example.com/x",
        "https://evilmailgun.net/x",
        "http://storage.api.mailgun.net/x",
        "https://user@storage.api.mailgun.net/x",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://[::1",
        "",
    ],
)
def test_a_webhook_cannot_make_us_fetch_from_elsewhere(url: str) -> None:
    assert not _stored(url).is_allowed


@pytest.mark.parametrize("status", [404, 500])
def test_stored_mail_that_is_gone_is_a_parse_error(status: int) -> None:
    plan = _stored("https://storage.api.mailgun.net/v3/x")
    with pytest.raises(ParseError, match=str(status)):
        PROVIDER.parse_fetched(plan, HttpResponse(status), CONFIG)
