from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers import forms
from inboxkit.providers.base import (
    HttpResponse,
    ParseError,
    Refused,
    Retry,
    Sent,
    Unknown,
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.basic_auth import Login
from inboxkit.providers.forms import Field
from inboxkit.providers.sendgrid import SIGNATURE, TIMESTAMP, Sendgrid
from inboxkit.providers.sendgrid_fake import VERIFICATION_KEY, SendgridFake
from inboxkit.values import Address, EventType

from .conformance import MAILS, NOW, Conformance, Vendor, cases, outgoing, recorded, value_of

if TYPE_CHECKING:
    from inboxkit.providers.base import Outgoing
    from inboxkit.providers.fake import Fake

OPTIONS = {
    "api_key": "key-secret-1",
    "verification_key": VERIFICATION_KEY,
    "parse_key": VERIFICATION_KEY,
}
PROVIDER = Sendgrid()
CONFIG = PROVIDER.configure(OPTIONS)
JSON = {"content-type": "application/json"}


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    stamp = post.header(TIMESTAMP)
    changes = {
        "signature": {SIGNATURE: post.header(SIGNATURE)[:-8] + "AAAAAAA="},
        "no signature": {SIGNATURE: ""},
        "not base64": {SIGNATURE: "\udcff€"},
        "timestamp": {TIMESTAMP: str(int(stamp) + 1)},
        "no timestamp": {TIMESTAMP: ""},
        "a password instead": {SIGNATURE: "", "authorization": "Basic aW5ib3hraXQ6eA=="},
    }
    posts = {n: replace(post, headers={**post.headers, **c}) for n, c in changes.items()}
    moved = replace(
        post, headers={**post.headers, TIMESTAMP: stamp[:-1]}, body=stamp[-1:].encode() + post.body
    )
    return {**posts, "body": replace(post, body=post.body + b" "), "a digit moved": moved}


class TestSendgrid(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=SendgridFake,
        required=("api_key",),
        refusal=401,
        tampered=_tampered,
    )

    def known_ids(self, fake: Fake, message: Outgoing, sent: Sent) -> tuple[str, ...]:
        """The host of the new Message-ID is told by events; the rest is known at once."""
        post = fake.event(EventType.DELIVERED, fake.caught[0], "ann@example.com")
        [event] = PROVIDER.parse_events(post, CONFIG)
        assert sent.aliases == (event.message_id.partition("@")[0] + "@",)
        return (event.message_id,)


@pytest.fixture
def fake() -> SendgridFake:
    return SendgridFake(CONFIG, lambda: NOW)


def _sent(fake: SendgridFake, **changes: Any) -> Sent | Refused | Retry | Unknown:
    message = outgoing(**changes)
    answer = fake.handle(PROVIDER.build_send(message, CONFIG, NOW))
    return PROVIDER.parse_send(answer, message, CONFIG)


def _asked(**changes: Any) -> Any:
    return json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)


# sending


def test_every_part_of_a_message_arrives(fake: SendgridFake) -> None:
    due = NOW + timedelta(hours=2)
    _sent(fake, send_at=due, headers={**outgoing().headers, "X-Order": "42"})

    [caught] = fake.caught
    mail = parse(caught.mime)
    assert caught.send_at == due
    assert (mail.subject, mail.text.strip()) == ("Größe 尺码", "Which size? 尺码")
    assert 'src="cid:logo"' in mail.html
    assert [(a.filename, a.data, a.content_id) for a in mail.attachments] == [
        ("logo.png", b"\x89PNG\r\n\x1a\n", "logo"),
        ("rechnung ü.pdf", b"%PDF\x00\xff", ""),
    ]
    assert (mail.in_reply_to, mail.references) == ("<a1@example.com>", ("<a1@example.com>",))
    assert [a.email for a in mail.reply_to] == ["support+token@shop.example"]
    assert b"X-Order: 42" in caught.mime
    assert b"eve@example.com" not in caught.mime


def test_the_request_says_what_is_to_be_tracked() -> None:
    asked = _asked(track_opens=False, track_clicks=True)

    assert asked["tracking_settings"] == {
        "open_tracking": {"enable": False},
        "click_tracking": {"enable": True},
    }
    assert "tracking_settings" not in _asked()


def test_blind_copies_alone_see_nobody(fake: SendgridFake) -> None:
    _sent(fake, to=(), cc=(), bcc=(), rcpt_to=("ann@example.com", "ben@example.com"))

    assert [caught.rcpt_to for caught in fake.caught] == [
        ("ann@example.com",),
        ("ben@example.com",),
    ]
    assert b"ben@" not in fake.caught[0].mime


@pytest.mark.parametrize(
    ("template", "key", "text"),
    cases(
        {
            "dynamic": ("d-1", "dynamic_template_data", b'd-1 {"-n-": "42", "-name-": "Ann"}'),
            "older": ("", "substitutions", b"Ann 42"),
        }
    ),
)
def test_variables_by_recipient_make_a_mail_for_each(
    fake: SendgridFake, template: str, key: str, text: bytes
) -> None:
    message: dict[str, Any] = {
        "text": "-name- -n-",
        "template": template,
        "variables": {"-n-": "42"},
        "recipient_variables": {"ann@example.com": {"-name-": "Ann"}},
    }
    _sent(fake, **message)

    assert [c.rcpt_to for c in fake.caught] == [(r,) for r in outgoing().rcpt_to]
    assert [text in caught.mime for caught in fake.caught] == [True, False, False]
    assert _asked(**message)["personalizations"][1][key] == {"-n-": "42"}


def test_a_message_without_a_body_gets_the_blank_that_sendgrid_wants(fake: SendgridFake) -> None:
    assert isinstance(_sent(fake, text="", html=""), Sent)


def test_metadata_beyond_the_limit_loses_its_first_values() -> None:
    asked = _asked(metadata={"a": "x" * 9_000, "b": "y" * 2_000, "inboxkit_id": "msg_1"})

    assert list(asked["custom_args"]) == ["ibk_b", "ibk_inboxkit_id"]


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "later than 72 hours": {"send_at": NOW + timedelta(hours=73)},
            "1001 recipients": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(1001))},
        }
    ),
)
def test_what_sendgrid_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="sendgrid"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def _errors(*errors: tuple[str, str | None]) -> bytes:
    return json.dumps({"errors": [{"message": m, "field": f} for m, f in errors]}).encode()


_DATE = {"Date": "Fri, 02 Jan 2026 03:04:06 GMT"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "taken": (HttpResponse(202, {"X-Message-Id": "abc"}), Sent("abc", ("<abc@",))),
            "taken without an id": (HttpResponse(202), Unknown("202")),
            "checked only": (HttpResponse(200), Unknown("200")),
            "two complaints": (
                HttpResponse(400, {}, _errors(("empty", "content.0.value"), ("bad", None))),
                Refused("400 content.0.value: empty; bad", "message"),
            ),
            "wrong key": (
                HttpResponse(401, {}, _errors(("revoked", None))),
                Refused("401 revoked", "credentials"),
            ),
            "sender": (
                HttpResponse(403, {}, _errors(("no verified Sender Identity", "from"))),
                Refused("403 from: no verified Sender Identity", "settings"),
            ),
            "account": (HttpResponse(403), Refused("403", "account")),
            "limit": (
                HttpResponse(429, {**_DATE, "X-RateLimit-Reset": "1767323106"}),
                Retry(timedelta(minutes=1), "429"),
            ),
            "limit without a time": (HttpResponse(429), Retry(reason="429")),
            "unavailable": (HttpResponse(503), Retry(reason="503")),
            "internal": (HttpResponse(500), Unknown("500")),
            "redirect": (
                HttpResponse(301),
                Refused("301: the API's URL leads elsewhere", "settings"),
            ),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


def test_the_sandbox_takes_a_message_and_sends_it_to_nobody(fake: SendgridFake) -> None:
    config = replace(CONFIG, sandbox=True)

    answer = fake.handle(PROVIDER.build_send(outgoing(), config, NOW))

    assert PROVIDER.parse_send(answer, outgoing(), config) == Sent()
    assert not fake.caught


@pytest.mark.parametrize(
    ("changes", "words"),
    cases(
        {
            "empty content": ({"content": [{"type": "text/plain", "value": ""}]}, "content value"),
            "no content": ({"content": []}, "content value"),
            "nobody": ({"personalizations": [{"cc": [{"email": "a@b.example"}]}]}, "to array"),
            "twice": ({"personalizations": [{"to": [{"email": "a@b.example"}] * 2}]}, "unique"),
            "no sender": ({"from": {}}, "from object"),
            "reserved header": ({"headers": {"Subject": "x"}}, "Subject is reserved"),
            "a number": ({"custom_args": {"n": 1}}, "Bad Request"),
            "too late": ({"send_at": 2_000_000_000}, "72 hours"),
            "no base64": ({"attachments": [{"content": "?"}]}, "base64"),
        }
    ),
)
def test_the_fake_refuses_what_sendgrid_refuses(
    fake: SendgridFake, changes: Any, words: str
) -> None:
    request = PROVIDER.build_send(outgoing(), CONFIG, NOW)
    body = json.dumps({**json.loads(request.body), **changes}).encode()

    outcome = PROVIDER.parse_send(fake.handle(replace(request, body=body)), outgoing(), CONFIG)

    assert isinstance(outcome, Refused)
    assert words in outcome.reason
    assert not fake.caught


# webhooks


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


def test_without_an_envelope_the_to_field_says_for_whom_it_is() -> None:
    [mail] = PROVIDER.parse_inbound(_form(headers="X: 1", to="A <a@shop.example>"), CONFIG)

    assert mail.rcpt_to == ("a@shop.example",)


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
