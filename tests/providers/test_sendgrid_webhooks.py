"""What SendGrid posts: events, mail, and who signed it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError
from inboxkit.parsing import parse
from inboxkit.providers import forms
from inboxkit.providers.base import (
    ParseError,
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.basic_auth import Login
from inboxkit.providers.fakes.sendgrid import VERIFICATION_KEY, SendgridFake
from inboxkit.providers.forms import Field
from inboxkit.values import Address

from .sendgrid_account import CONFIG, JSON, OPTIONS, PROVIDER
from .vendor import MAILS, NOW, cases, outgoing, recorded, value_of


@pytest.fixture
def fake() -> SendgridFake:
    return SendgridFake(CONFIG, lambda: NOW)


@pytest.mark.parametrize("case", recorded("sendgrid"))
def test_documented_events_are_normalized(case: Any) -> None:
    post = WebhookRequest(headers=JSON, body=json.dumps(case["payload"]).encode())

    events = PROVIDER.parse_events(post, CONFIG)

    seen = [{name: value_of(event, name) for name in case["expected"][0]} for event in events]
    assert seen == case["expected"]
    assert {event.at for event in events} == {NOW - timedelta(seconds=1)}


@pytest.mark.parametrize("body", [b"{}", b'"x"', b'[{"event": "open"}]', b"?"])
def test_what_is_no_array_of_events_is_a_parse_error(body: bytes) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(WebhookRequest(headers=JSON, body=body), CONFIG)


def test_a_taken_apart_mail_is_rebuilt_with_its_charsets_and_files(fake: SendgridFake) -> None:
    raw = (
        b"From: Ann <ann@example.com>\r\nSubject: Size\r\n\tand colour\r\n"
        b"X-Same: 1\r\nX-Same: 2\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain; charset=latin-1\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\n"
        b"caf\xe9\r\n--b\r\nContent-Type: text/html; charset=gb18030\r\n\r\n<p>"
        + "尺码".encode("gb18030")
        + b"</p>\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0K\r\n--b--\r\n"
    )
    post = fake.inbound(raw, recipient="a@shop.example", mail_from="", send_raw=False)

    assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Verified)
    [mail] = PROVIDER.parse_inbound(post, CONFIG)

    parsed = parse(mail.raw)
    assert (parsed.text.strip(), parsed.html.strip()) == ("café", "<p>尺码</p>")
    assert [(a.data, a.content_id) for a in parsed.attachments] == [(b"\x89PNG\r\n", "logo")]
    assert mail.raw.count(b"X-Same: ") == 2
    assert b"Subject: Size\r\n and colour\r\n" in mail.raw
    assert mail.mail_from == ""


def _form(**fields: str) -> WebhookRequest:
    content_type, body = forms.write([Field(n, v.encode()) for n, v in fields.items()])
    return WebhookRequest(headers={"content-type": content_type}, body=body)


def test_every_recipient_of_the_envelope_is_kept() -> None:
    envelope = json.dumps({"to": ["a@shop.example", "b@shop.example"], "from": "c@example.com"})

    [mail] = PROVIDER.parse_inbound(_form(email="x", envelope=envelope), CONFIG)

    assert (mail.rcpt_to, mail.mail_from) == (("a@shop.example", "b@shop.example"), "c@example.com")
    assert not mail.by_header


def test_without_an_envelope_the_to_field_says_for_whom_it_is() -> None:
    [mail] = PROVIDER.parse_inbound(_form(headers="X: 1", to="A <a@shop.example>"), CONFIG)

    assert (mail.rcpt_to, mail.by_header) == (("a@shop.example",), True)


@pytest.mark.parametrize("fields", [{"to": "a@shop.example"}, {"email": "x"}, {"envelope": "{}"}])
def test_a_form_without_mail_or_recipient_is_a_parse_error(fields: Any) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_inbound(_form(**fields), CONFIG)


@pytest.mark.parametrize(("days", "fresh"), [(0, True), (3, True), (4, False), (-4, False)])
def test_a_signature_is_good_for_as_long_as_sendgrid_tries(
    fake: SendgridFake, days: int, fresh: bool
) -> None:
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")

    verdict = PROVIDER.verify(post, CONFIG, NOW + timedelta(days=days))

    assert isinstance(verdict, Verified) is fresh


def _accepted(options: dict[str, str], headers: dict[str, str]) -> bool:
    config = PROVIDER.configure({"api_key": "x", **options})
    verdict = PROVIDER.verify(WebhookRequest(headers=headers, body=b"[]"), config, NOW)
    return isinstance(verdict, Verified)


_FORM = {"content-type": "multipart/form-data; boundary=b"}
_BASIC = {"authorization": Login("inboxkit", "pw").authorization}


@pytest.mark.parametrize(
    ("options", "headers", "accepted"),
    cases(
        {
            "mail by password": ({"webhook_password": "pw"}, _FORM | _BASIC, True),
            "mail by a wrong password": ({"webhook_password": "px"}, _FORM | _BASIC, False),
            "events by password": ({"webhook_password": "pw"}, JSON | _BASIC, True),
            "mail by nothing": ({"insecure": "yes"}, _FORM, True),
            "events have a key": (
                {"insecure": "yes", "verification_key": VERIFICATION_KEY},
                JSON,
                False,
            ),
            "mail has a key, and a password does not do": (
                {"webhook_password": "pw", "parse_key": VERIFICATION_KEY},
                _FORM | _BASIC,
                False,
            ),
        }
    ),
)
def test_what_is_not_signed_needs_a_password_or_the_users_word(
    options: dict[str, str], headers: dict[str, str], accepted: bool
) -> None:
    assert _accepted(options, headers) is accepted


def test_a_kind_of_webhook_without_a_key_is_refused_for_now() -> None:
    config = PROVIDER.configure({"api_key": "x", "verification_key": VERIFICATION_KEY})

    verdict = PROVIDER.verify(WebhookRequest(headers=_FORM), config, NOW)

    assert verdict == Unverified("provider sendgrid: parse_key is not set", 503)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "verification_key is missing"),
        ({"verification_key": "nonsense"}, "verification_key is not a PEM"),
        ({"verification_key": VERIFICATION_KEY, "parse_key": "AAAA"}, "parse_key is not a PEM"),
        ({"verification_key": VERIFICATION_KEY, "region": "moon"}, "region must be one of"),
        ({"verification_key": VERIFICATION_KEY, "window": "400000"}, "window must be between"),
        ({"insecure": "yes", "api_url": "http://api.example.com"}, "api_url must be an https"),
    ],
)
def test_a_wrong_setting_is_named(options: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"provider sendgrid: {key}"):
        PROVIDER.configure({"api_key": "x", **options})


def test_the_european_region_has_a_host_of_its_own() -> None:
    config = PROVIDER.configure({**OPTIONS, "region": "eu"})

    request = PROVIDER.build_send(outgoing(sender=Address("s@shop.example")), config, NOW)

    assert request.url == "https://api.eu.sendgrid.com/v3/mail/send"
    assert json.loads(request.body)["from"] == {"email": "s@shop.example"}
