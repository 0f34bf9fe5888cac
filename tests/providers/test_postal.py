from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers.base import (
    HttpRequest,
    HttpResponse,
    InboundMail,
    ParseError,
    Refused,
    Retry,
    Sent,
    Unknown,
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.fakes.postal import VERIFICATION_KEY, PostalFake
from inboxkit.providers.postal import Postal
from inboxkit.providers.public_keys import PrivateKey
from inboxkit.values import EventType

from .conformance import Conformance
from .vendor import MAILS, NOW, Vendor, cases, outgoing, recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxkit.providers.base import SendOutcome

OPTIONS = {
    "api_url": "https://postal.shop.example",
    "api_key": "key-secret-1",
    "webhook_key": VERIFICATION_KEY,
}
PROVIDER = Postal()
CONFIG = PROVIDER.configure(OPTIONS)
PEM = f"-----BEGIN PUBLIC KEY-----\n{VERIFICATION_KEY}\n-----END PUBLIC KEY-----\n"
SHA256, SHA1 = "x-postal-signature-256", "x-postal-signature"
JSON = {"content-type": "application/json"}


def _post(payload: object) -> WebhookRequest:
    return WebhookRequest(headers=JSON, body=json.dumps(payload).encode())


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    good = post.header(SHA256)
    changes = {
        "nothing": {},
        "an empty one": {SHA256: ""},
        "no base64": {SHA256: "é!"},
        "one cut off": {SHA256: good[:-8]},
        "one of another key": {SHA256: PrivateKey.rsa().sign(post.body)},
        "one by SHA-1": {SHA256: post.header(SHA1)},
        "the old one only": {SHA1: post.header(SHA1)},
        "a wrong one beside the old one": {**post.headers, SHA256: good[::-1]},
    }
    posts = {name: replace(post, headers=headers) for name, headers in changes.items()}
    return posts | {"another body": replace(post, body=post.body + b" ")}


class TestPostal(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=PostalFake,
        required=("api_url", "api_key", "webhook_key"),
        refusal=503,
        tampered=_tampered,
        lacks=frozenset({EventType.COMPLAINED, EventType.UNSUBSCRIBED}),
    )


@pytest.fixture
def fake() -> PostalFake:
    return PostalFake(CONFIG, lambda: NOW)


def _send(fake: PostalFake, **changes: Any) -> SendOutcome:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


def _sent_json(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)
    return body


def test_the_composed_bytes_and_message_id_are_kept(fake: PostalFake) -> None:
    outcome = _send(fake)

    assert fake.caught[0].mime == b"X-Postal-Tag: order\r\n" + outgoing().mime
    assert outcome == Sent("<order-42.1@shop.example>", ("<order-42.1@shop.example>",))


def test_a_tag_that_a_header_cannot_hold_is_left_out() -> None:
    for tag in ("", "größe", "a\r\nBcc: eve@example.com"):
        assert base64.b64decode(_sent_json(tag=tag)["data"]) == outgoing().mime


def test_a_mail_without_envelope_sender_is_marked_as_a_bounce() -> None:
    sent = _sent_json(mail_from="")
    assert (sent["mail_from"], sent["bounce"]) == ("support@shop.example", True)
    assert _sent_json()["bounce"] is False


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "scheduling": {"send_at": NOW},
            "tracking": {"track_opens": True},
            "templates": {"template": "order"},
            "merge": {"recipient_variables": {"ann@example.com": {"name": "Ann"}}},
        }
    ),
)
def test_what_postal_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="postal cannot send msg_1"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def _answer(status: str, **data: object) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps({"status": status, "data": data}).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "a wrong key": (
                _answer("error", code="InvalidServerAPIKey", message="not valid", token="secret"),
                Refused("InvalidServerAPIKey: not valid", "credentials"),
            ),
            "suspended": (
                _answer("error", code="ServerSuspended"),
                Refused("ServerSuspended", "account"),
            ),
            "a foreign sender": (
                _answer("error", code="UnauthenticatedFromAddress"),
                Refused("UnauthenticatedFromAddress", "settings"),
            ),
            "something else": (_answer("error"), Refused("error")),
            "a missing field": (
                _answer("parameter-error", message="`data` is"),
                Refused("`data` is"),
            ),
            "a success without an id": (_answer("success"), Unknown("200 success")),
            "a page": (HttpResponse(200, {}, b"<html>"), Unknown("200 <html>")),
            "a proxy": (HttpResponse(502), Unknown("502")),
            "not there": (HttpResponse(503), Retry(None, "503")),
        }
    ),
)
def test_answers_are_told_by_what_they_say(answer: HttpResponse, expected: SendOutcome) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


@pytest.mark.parametrize("case", recorded("postal"))
def test_recorded_events_are_normalized(case: Mapping[str, Any]) -> None:
    events = PROVIDER.parse_events(_post(case["payload"]), CONFIG)

    for event, expected in zip(events, case["expected"], strict=True):
        own = {key: value for key, value in expected.items() if key != "data"}
        assert {key: getattr(event, key) for key in own} == own
        assert expected["data"].items() <= event.data.items()
        assert ("payload" in event.data) == (event.type == EventType.UNKNOWN)


def test_each_recipients_events_name_the_same_send(fake: PostalFake) -> None:
    _send(fake)
    posts = [fake.event(EventType.DELIVERED, fake.caught[0], to) for to in fake.caught[0].rcpt_to]

    events = [event for post in posts for event in PROVIDER.parse_events(post, CONFIG)]

    assert {event.message_id for event in events} == {"<order-42.1@shop.example>"}
    assert len({event.recipient for event in events}) == 3


def test_a_mail_in_parts_is_rebuilt(fake: PostalFake) -> None:
    raw = (
        b"From: Ann <ann@example.com>\r\nTo: a@shop.example\r\nSubject: Size\r\n"
        b"Message-ID: <m@x.example>\r\nIn-Reply-To: <o@shop.example>\r\n"
        b"Reply-To: b@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain; charset=latin-1\r\n\r\ncaf\xe9\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n"
        b'--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="a.pdf"'
        b"\r\n\r\n%PDF\xff\r\n--b--\r\n"
    )
    post = fake.inbound(raw, recipient="a@shop.example", mail_from="ann@example.com", parts=True)

    [mail] = PROVIDER.parse_inbound(post, CONFIG)

    assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Verified)
    assert isinstance(mail, InboundMail)
    read = parse(mail.raw)
    assert (read.message_id, read.in_reply_to) == ("<m@x.example>", "<o@shop.example>")
    assert (read.text.strip(), read.reply_to[0].email) == ("café", "b@example.com")
    assert [(a.filename, a.data) for a in read.attachments] == [("a.pdf", b"%PDF\xff")]


def test_an_endpoint_may_send_forms() -> None:
    encoded = base64.encodebytes(MAILS["8-bit"]).decode()
    fields = {"rcpt_to": "a@shop.example", "mail_from": "", "message": encoded, "base64": "true"}
    headers = {"content-type": "application/x-www-form-urlencoded"}

    post = WebhookRequest(headers=headers, body=urlencode(fields).encode())

    assert PROVIDER.parse_inbound(post, CONFIG) == (
        InboundMail(raw=MAILS["8-bit"], mail_from="", rcpt_to=("a@shop.example",)),
    )
    assert PROVIDER.parse_events(post, CONFIG) == ()


@pytest.mark.parametrize(
    "payload",
    cases(
        {
            "no time": {"event": "MessageSent", "payload": {}},
            "a mail that is no text": {"rcpt_to": "a@b.example", "message": 1},
            "no base64": {"rcpt_to": "a@b.example", "message": "a", "base64": True},
            "a list": ([],),
        }
    ),
)
def test_what_cannot_be_read_is_said(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(_post(payload), CONFIG)
        PROVIDER.parse_inbound(_post(payload), CONFIG)


def test_a_form_of_parts_is_refused_with_the_way_out() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    with pytest.raises(ParseError, match="choose RawMessage"):
        PROVIDER.parse_inbound(WebhookRequest(headers=headers, body=b"rcpt_to=a%40b.c"), CONFIG)


def test_the_signature_of_old_versions_is_taken_where_it_is_allowed(fake: PostalFake) -> None:
    config = PROVIDER.configure({**OPTIONS, "allow_sha1": "yes"})
    post = fake.inbound(b"", recipient="a@b.example", mail_from="")
    old = replace(post, headers={SHA1: post.header(SHA1)})

    assert isinstance(PROVIDER.verify(old, config, NOW), Verified)
    assert isinstance(PROVIDER.verify(replace(old, body=b"x"), config, NOW), Unverified)
    assert isinstance(PROVIDER.verify(old, CONFIG, NOW), Unverified)


def test_the_key_may_be_pem_and_unsigned_webhooks_must_be_asked_for() -> None:
    given = {k: v for k, v in OPTIONS.items() if k != "webhook_key"}
    post = PostalFake(CONFIG, lambda: NOW).webhook("MessageSent", {})
    for more in ({"webhook_key": PEM}, {"insecure": "yes"}):
        assert isinstance(
            PROVIDER.verify(post, PROVIDER.configure({**given, **more}), NOW), Verified
        )


@pytest.mark.parametrize(
    ("key", "value"),
    [("webhook_key", "abc"), ("api_url", "http://postal.shop.example"), ("api_url", "")],
)
def test_bad_settings_are_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"postal: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})


def _call(fake: PostalFake, path: str, call: object, key: str = "key-secret-1") -> HttpResponse:
    headers = {"X-Server-API-Key": key}
    url = f"https://postal.shop.example/api/v1/{path}"
    body = json.dumps(call).encode()
    return fake.handle(HttpRequest(method="POST", url=url, headers=headers, body=body))


def test_the_fake_replaces_the_message_id_of_what_comes_in_parts(fake: PostalFake) -> None:
    call = {
        "from": "Shop <support@shop.example>",
        "to": ["Ann <ann@example.com>"],
        "cc": ["ben@example.com"],
        "subject": "Größe",
        "plain_body": "Which?",
        "html_body": "<p>Which?</p>",
        "headers": {"Message-ID": "<mine@shop.example>", "References": "<a@b.example>"},
        "attachments": [{"name": "a.pdf", "content_type": "application/pdf", "data": "AAE="}],
        "tag": "order",
    }

    answer = json.loads(_call(fake, "send/message", call).body)

    [caught] = fake.caught
    assert caught.message_id == f"<{answer['data']['message_id']}>" != "<mine@shop.example>"
    assert list(answer["data"]["messages"]) == ["ann@example.com", "ben@example.com"]
    read = parse(caught.mime)
    assert (read.subject, read.references) == ("Größe", ("<a@b.example>",))
    assert [a.data for a in read.attachments] == [b"\0\x01"]


@pytest.mark.parametrize(
    ("path", "call", "code"),
    [
        ("send/message", {}, "NoRecipients"),
        ("send/message", {"to": ["a@b.c"] * 51}, "TooManyToAddresses"),
        ("send/message", {"to": ["a@b.c"]}, "NoContent"),
        ("send/message", {"to": ["a@b.c"], "plain_body": "x"}, "FromAddressMissing"),
        ("send/raw", {"rcpt_to": []}, None),
    ],
)
def test_the_fake_refuses_what_postal_refuses(
    fake: PostalFake, path: str, call: object, code: str | None
) -> None:
    answer = _call(fake, path, call)
    assert (answer.status, json.loads(answer.body)["data"].get("code")) == (200, code)
    assert not fake.caught


def test_the_fake_refuses_another_key(fake: PostalFake) -> None:
    request = PROVIDER.build_send(outgoing(), replace(CONFIG, api_key="other"), NOW)
    outcome = PROVIDER.parse_send(fake.handle(request), outgoing(), CONFIG)
    assert isinstance(outcome, Refused)
    assert outcome.reason_class == "credentials"
