from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.providers import forms
from inboxkit.providers.base import (
    FetchPlan,
    HttpRequest,
    HttpResponse,
    InboundMail,
    ParseError,
    ProviderEvent,
    Refused,
    Retry,
    Sent,
    Unknown,
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.forms import Field
from inboxkit.providers.mailgun import Mailgun
from inboxkit.providers.mailgun_fake import MailgunFake
from inboxkit.values import EventType

from .conformance import MAILS, NOW, Conformance, Vendor, cases, outgoing, recorded

OPTIONS = {"api_key": "key-secret-1", "domain": "shop.example", "signing_key": "signing-secret-2"}
PROVIDER = Mailgun()
CONFIG = PROVIDER.configure(OPTIONS)
JSON = {"content-type": "application/json"}


def _json(payload: object) -> WebhookRequest:
    return WebhookRequest(headers=JSON, body=json.dumps(payload).encode())


def _form(*fields: Field) -> WebhookRequest:
    content_type, body = forms.write(fields)
    return WebhookRequest(headers={"content-type": content_type}, body=body)


def _block(timestamp: str, token: str, key: str = "signing-secret-2") -> dict[str, str]:
    signed = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": signed}


def _signature(post: WebhookRequest) -> dict[str, str]:
    if post.header("content-type") == "application/json":
        return json.loads(post.body)["signature"]
    form = forms.read(post.header("content-type"), post.body)
    return {name: form.text(name) for name in ("timestamp", "token", "signature")}


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    good = _signature(post)
    other = _block(good["timestamp"], good["token"], "another key")
    changes = {
        "timestamp": {"timestamp": str(int(good["timestamp"]) + 1)},
        "token": {"token": "0" * 50},
        "signature": {"signature": "0" * 64},
        "signature in capitals": {"signature": good["signature"].upper()},
        "key": other,
        **{f"no {name}": {name: ""} for name in good},
    }
    signed = {name: {**good, **change} for name, change in changes.items()}
    posts = {name: _json({"signature": s, "event-data": {}}) for name, s in signed.items()}
    for name, values in signed.items():
        fields = [Field(key, value.encode()) for key, value in values.items() if value]
        posts[f"{name} in a form"] = _form(Field("body-mime", b"x"), *fields)
    return posts | {"no block": _json({}), "no JSON": replace(post, headers=JSON, body=b"{")}


class TestMailgun(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=MailgunFake,
        required=("api_key", "domain"),
        refusal=406,
        tampered=_tampered,
    )


def _sent(fake: MailgunFake, **changes: Any) -> Sent | Refused | Retry | Unknown:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


@pytest.fixture
def fake() -> MailgunFake:
    return MailgunFake(CONFIG, lambda: NOW)


def test_the_composed_bytes_and_message_id_are_kept(fake: MailgunFake) -> None:
    outcome = _sent(fake)

    assert fake.caught[0].mime == outgoing().mime
    assert outcome == Sent("<order-42.1@shop.example>", ("<order-42.1@shop.example>",))


def test_options_of_the_message_and_the_account_are_sent_along() -> None:
    config = replace(CONFIG, tracking="htmlonly", testmode=True)
    fake = MailgunFake(config, lambda: NOW)
    due = NOW + timedelta(days=2)
    message = outgoing(send_at=due, track_opens=False, track_clicks=True, template="order")

    fake.handle(PROVIDER.build_send(message, config, NOW))

    assert fake.caught[0].send_at == due
    assert fake.caught[0].options == {
        "o:tag": "order",
        "o:deliverytime": "Sun, 04 Jan 2026 03:04:06 +0000",
        "o:tracking": "htmlonly",
        "o:tracking-opens": "no",
        "o:tracking-clicks": "yes",
        "o:testmode": "yes",
    }


def test_variables_by_recipient_go_as_json() -> None:
    variables = {"ann@example.com": {"name": "Ann"}}
    message = outgoing(recipient_variables=variables, variables={"shop": "Ü"})

    request = PROVIDER.build_send(message, CONFIG, NOW)

    form = forms.read(request.header("content-type"), request.body)
    assert json.loads(form.text("recipient-variables")) == variables
    assert json.loads(form.text("t:variables")) == {"shop": "Ü"}


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "later than 7 days": {"send_at": NOW + timedelta(days=8)},
            "1001 recipients": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(1001))},
        }
    ),
)
def test_what_mailgun_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="mailgun"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "bad request": (
                HttpResponse(400, {}, b'{"message": "to parameter is missing"}'),
                Refused("400 to parameter is missing", "message"),
            ),
            "wrong key": (
                HttpResponse(401, {}, b"Forbidden"),
                Refused("401 Forbidden", "credentials"),
            ),
            "not paid": (HttpResponse(402), Refused("402", "account")),
            "not allowed": (HttpResponse(403), Refused("403", "account")),
            "wrong domain or region": (
                HttpResponse(404, {}, b'{"message": "Domain not found: x"}'),
                Refused("404 Domain not found: x", "settings"),
            ),
            "redirect": (HttpResponse(301), Refused("301: base_url leads elsewhere", "settings")),
            "wrong path": (
                HttpResponse(200, {}, b"Mailgun Magnificent API"),
                Refused("base_url or domain is wrong: no such path", "settings"),
            ),
            "in seconds": (
                HttpResponse(429, {}, b'{"message": "limit exceeded, try again after 90 seconds"}'),
                Retry(timedelta(seconds=90), "429 limit exceeded, try again after 90 seconds"),
            ),
            "internal error": (HttpResponse(500), Retry(None, "500")),
            "unavailable": (
                HttpResponse(503, {"retry-after": "5"}),
                Retry(timedelta(seconds=5), "503"),
            ),
            "gateway lost the answer": (HttpResponse(502), Unknown("502")),
            "gateway timed out": (HttpResponse(504), Unknown("504")),
            "success without id": (HttpResponse(200, {}, b"{}"), Unknown("200 {}")),
            "id without brackets": (
                HttpResponse(200, {}, b'{"id": "a@b"}'),
                Sent("<a@b>", ("<a@b>",)),
            ),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


def test_a_rate_limit_with_a_date_in_its_text_is_retried_then(fake: MailgunFake) -> None:
    fake.fail_next(429)

    outcome = _sent(fake)

    assert isinstance(outcome, Retry)
    assert outcome.after == timedelta(minutes=2)


def test_a_lost_send_is_found_by_its_message_id(fake: MailgunFake) -> None:
    message = outgoing()
    request = PROVIDER.build_lookup(message, CONFIG, NOW)
    before = PROVIDER.parse_lookup(fake.handle(request), message, CONFIG)
    _sent(fake)

    after = PROVIDER.parse_lookup(fake.handle(request), message, CONFIG)

    assert isinstance(before, Unknown)
    assert after == Sent("<order-42.1@shop.example>", ("<order-42.1@shop.example>",))


@pytest.mark.parametrize("case", recorded("mailgun"))
def test_documented_events_are_normalized(case: Any) -> None:
    events = PROVIDER.parse_events(_json(case["payload"]), CONFIG)

    seen = [{name: _value(event, name) for name in case["expected"][0]} for event in events]
    assert seen == case["expected"]
    assert {event.at.replace(microsecond=0) for event in events} == {NOW - timedelta(seconds=1)}


def _value(event: ProviderEvent, name: str) -> object:
    if name == "metadata":
        return event.data.get("metadata", {})
    return event.data["url"] if name == "url" else getattr(event, name)


def test_an_unknown_event_keeps_its_payload() -> None:
    data = {"event": "teleported", "timestamp": 1767323045, "where": "Mars"}

    [event] = PROVIDER.parse_events(_json({"event-data": data}), CONFIG)

    assert (event.type, event.data["payload"]) == (EventType.UNKNOWN, data)


@pytest.mark.parametrize(
    "payload",
    cases(
        {
            "a list": [],
            "no event-data": {"signature": {}},
            "event-data is a text": {"event-data": "x"},
            "no time": {"event-data": {"event": "delivered"}},
            "a time beyond all calendars": {"event-data": {"event": "opened", "timestamp": 1e300}},
        }
    ),
)
def test_events_without_sense_are_parse_errors(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(_json(payload), CONFIG)


def test_a_legacy_form_event_says_what_to_do() -> None:
    post = _form(Field("event", b"delivered"), Field("recipient", b"ann@example.com"))
    with pytest.raises(ParseError, match="legacy"):
        PROVIDER.parse_events(post, CONFIG)


def test_strings_no_database_can_store_are_made_storable() -> None:
    body = b'{"event-data": {"event": "a\\u0000\\ud800", "timestamp": 1, "tags": ["\\udfff"]}}'

    [event] = PROVIDER.parse_events(WebhookRequest(headers=JSON, body=body), CONFIG)

    assert event.data["name"] == "a\ufffd?"
    assert event.data["tags"] == ["?"]


@pytest.mark.parametrize(
    ("age", "accepted"), [(-901, False), (-899, True), (0, True), (899, True), (901, False)]
)
def test_only_what_was_signed_within_the_window_is_taken(age: int, accepted: bool) -> None:
    fake = MailgunFake(CONFIG, lambda: NOW - timedelta(seconds=age))
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")

    verdict = PROVIDER.verify(post, CONFIG, NOW)

    assert isinstance(verdict, Verified) == accepted
    assert accepted or (isinstance(verdict, Unverified) and verdict.status == 401)


def test_the_window_is_a_setting(fake: MailgunFake) -> None:
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")
    config = PROVIDER.configure({**OPTIONS, "window": "28800"})

    assert isinstance(PROVIDER.verify(post, config, NOW + timedelta(hours=7)), Verified)


def test_the_line_between_timestamp_and_token_cannot_be_moved() -> None:
    timestamp, token = str(int(NOW.timestamp())), "e0" + "ab" * 24
    first = _json({"signature": _block(timestamp, token)})
    again = _json({"signature": {**_block(timestamp, token), **_moved(timestamp, token)}})

    assert PROVIDER.verify(first, CONFIG, NOW) == Verified(token)
    assert isinstance(PROVIDER.verify(again, CONFIG, NOW), Unverified)


def _moved(timestamp: str, token: str) -> dict[str, str]:
    return {"timestamp": timestamp + token[:2], "token": token[2:]}  # the same signed bytes


def test_a_parent_account_may_sign() -> None:
    timestamp, token = str(int(NOW.timestamp())), "ab" * 25
    block = _block(timestamp, token)
    block |= {"signature": "0" * 64, "parent-signature": block["signature"]}

    assert PROVIDER.verify(_json({"signature": block}), CONFIG, NOW) == Verified(token)


def test_a_header_named_like_a_signature_field_does_not_keep_mail_out(fake: MailgunFake) -> None:
    raw = b"signature: kind regards\r\ntoken: coin\r\ntimestamp: now\r\n" + MAILS["plain"]
    post = fake.inbound(raw, recipient="a@shop.example", mail_from="b@example.com")

    assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Verified)


def test_without_a_signing_key_nothing_is_verified_and_mailgun_tries_again() -> None:
    config = PROVIDER.configure({"api_key": "k", "domain": "shop.example"})

    verdict = PROVIDER.verify(_json({}), config, NOW)

    assert isinstance(verdict, Unverified)
    assert (verdict.status, "signing_key" in verdict.reason) == (503, True)


# mail that was parsed by Mailgun

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
    first, second = ([mail.raw for mail in PROVIDER.parse_inbound(p, CONFIG)] for p in posts)
    assert first == second


def test_headers_of_a_parsed_mail_cannot_start_new_ones() -> None:
    headers = json.dumps(
        [["Subject", "a\r\nBcc: x@example.com"], ["Bad\nName", "b"], ["X", "\r\n\r\nc"]]
    )
    post = _form(
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
    post = _form(
        Field("recipient", b"boss@shop.example"),
        Field("sender", b"a@example.com"),
        Field("recipient", b"support@shop.example"),
        Field("body-mime", MAILS["plain"]),
    )
    with pytest.raises(ParseError, match="recipient"):
        PROVIDER.parse_inbound(post, CONFIG)


def _stored(url: str) -> FetchPlan:
    post = _form(
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


# settings


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "https://api.mailgun.net/v3/shop.example/messages.mime"),
        ({"region": "eu"}, "https://api.eu.mailgun.net/v3/shop.example/messages.mime"),
        (
            {"base_url": "http://127.0.0.1:8025/mailgun/v3/"},
            "http://127.0.0.1:8025/mailgun/v3/shop.example/messages.mime",
        ),
    ],
)
def test_the_region_or_the_base_url_decides_where_to_send(options: Any, url: str) -> None:
    config = PROVIDER.configure({**OPTIONS, **options})
    assert PROVIDER.build_send(outgoing(), config, NOW).url == url


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("region", "mars"),
        ("base_url", "http://api.mailgun.net"),
        ("base_url", "ftp://x"),
        ("window", "-1"),
        ("window", "soon"),
        ("tracking", "maybe"),
        ("testmode", "perhaps"),
        ("domain", "../domains"),
        ("domain", "a/b"),
    ],
)
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"mailgun: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})


# the Fake


def _post(
    resource: str, *fields: Field, key: str = "key-secret-1", domain: str = "shop.example"
) -> HttpRequest:
    config = replace(CONFIG, api_key=key, domain=domain)
    content_type, body = forms.write(fields)
    headers = {"Authorization": config.authorization, "Content-Type": content_type}
    return HttpRequest(method="POST", url=config.url(resource), headers=headers, body=body)


def test_the_fake_composes_what_is_sent_in_parts(fake: MailgunFake) -> None:
    request = _post(
        "messages",
        Field("from", b"Shop <support@shop.example>"),
        Field("to", b"Ann <ann@example.com>, ben@example.com"),
        Field("bcc", b"eve@example.com"),
        Field("subject", "Größe".encode()),
        Field("text", b"Hello"),
        Field("html", b'<img src="cid:logo.png">'),
        Field("h:X-Order", b"42"),
        Field("attachment", b"%PDF", "a.pdf", "application/pdf"),
        Field("inline", b"PNG", "logo.png", "image/png"),
    )

    answer = fake.handle(request)

    [caught] = fake.caught
    mail: Any = email.message_from_bytes(caught.mime, policy=email.policy.default)
    assert json.loads(answer.body) == {"id": caught.id, "message": "Queued. Thank you."}
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (mail["subject"], mail["x-order"], mail["bcc"]) == ("Größe", "42", None)
    assert [p["content-id"] for p in mail.walk() if p.get_content_type() == "image/png"] == [
        "<logo.png>"
    ]


TO, TEXT, FROM = Field("to", b"a@b.example"), Field("text", b"x"), Field("from", b"c@d.example")


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    cases(
        {
            "wrong key": (_post("messages", key="other"), 401, "Forbidden"),
            "wrong domain": (
                _post("messages", domain="x.example"),
                404,
                "Domain not found: x.example",
            ),
            "no from": (_post("messages", TO, TEXT), 400, "from parameter is missing"),
            "no to": (_post("messages", FROM, TEXT), 400, "to parameter is missing"),
            "no text": (_post("messages", FROM, TO), 400, "Need at least one of"),
            "no address": (
                _post("messages", FROM, TEXT, Field("to", b"nobody")),
                400,
                "to parameter is not",
            ),
            "no mime": (_post("messages.mime", TO), 400, "message parameter is missing"),
            "no file": (_post("messages.mime", TO, Field("message", b"x")), 400, "is not a file"),
            "no date": (
                _post("messages", FROM, TO, TEXT, Field("o:deliverytime", b"x")),
                400,
                "invalid delivery time",
            ),
            "no path": (_post("teapots"), 200, "Mailgun Magnificent API"),
        }
    ),
)
def test_the_fake_refuses_as_mailgun_does(
    fake: MailgunFake, request_: HttpRequest, status: int, words: str
) -> None:
    answer = fake.handle(request_)

    assert (answer.status, words in answer.body.decode()) == (status, True)
    assert not fake.caught


def test_addresses_decide_what_becomes_of_a_message(fake: MailgunFake) -> None:
    to = ("bounce@x.example", "complaint+1@x.example", "defer@x.example", "ann@x.example")
    _sent(fake, rcpt_to=to)

    posts = fake.outcomes(fake.caught[0])

    events = [event for post in posts for event in PROVIDER.parse_events(post, CONFIG)]
    assert [(e.recipient.partition("@")[0], e.type.value, e.hard) for e in events] == [
        ("bounce", "bounced", True),
        ("complaint+1", "delivered", False),
        ("complaint+1", "complained", False),
        ("defer", "deferred", False),
        ("defer", "delivered", False),
        ("ann", "delivered", False),
    ]
    assert all(isinstance(PROVIDER.verify(p, CONFIG, NOW), Verified) for p in posts)


def test_the_fake_has_no_event_that_mailgun_has_not(fake: MailgunFake) -> None:
    _sent(fake)
    with pytest.raises(UnsupportedFeature):
        fake.event(EventType.RECEIVED, fake.caught[0], "ann@example.com")
