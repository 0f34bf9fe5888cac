from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.providers import forms
from inboxkit.providers.base import (
    HttpResponse,
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
from inboxkit.providers.fakes.mailgun import MailgunFake
from inboxkit.providers.forms import Field
from inboxkit.values import EventType

from .conformance import Conformance
from .mailgun_account import CONFIG, JSON, OPTIONS, PROVIDER, form_post, json_post, signature_block
from .vendor import MAILS, NOW, Vendor, cases, outgoing, recorded


def _signature(post: WebhookRequest) -> dict[str, str]:
    if post.header("content-type") == "application/json":
        block: dict[str, str] = json.loads(post.body)["signature"]
        return block
    form = forms.read(post.header("content-type"), post.body)
    return {name: form.text(name) for name in ("timestamp", "token", "signature")}


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    good = _signature(post)
    other = signature_block(good["timestamp"], good["token"], "another key")
    changes = {
        "timestamp": {"timestamp": str(int(good["timestamp"]) + 1)},
        "token": {"token": "0" * 50},
        "signature": {"signature": "0" * 64},
        "signature in capitals": {"signature": good["signature"].upper()},
        "key": other,
        **{f"no {name}": {name: ""} for name in good},
    }
    signed = {name: {**good, **change} for name, change in changes.items()}
    posts = {name: json_post({"signature": s, "event-data": {}}) for name, s in signed.items()}
    for name, values in signed.items():
        fields = [Field(key, value.encode()) for key, value in values.items() if value]
        posts[f"{name} in a form"] = form_post(Field("body-mime", b"x"), *fields)
    return posts | {"no block": json_post({}), "no JSON": replace(post, headers=JSON, body=b"{")}


class TestMailgun(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=MailgunFake,
        required=("api_key", "domain"),
        refusal=401,
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
    events = PROVIDER.parse_events(json_post(case["payload"]), CONFIG)

    seen = [{name: _value(event, name) for name in case["expected"][0]} for event in events]
    assert seen == case["expected"]
    assert {event.at.replace(microsecond=0) for event in events} == {NOW - timedelta(seconds=1)}


def _value(event: ProviderEvent, name: str) -> object:
    if name == "metadata":
        return event.data.get("metadata", {})
    return event.data["url"] if name == "url" else getattr(event, name)


def test_an_event_without_a_recipient_is_told_for_each_of_the_messages() -> None:
    message = {"headers": {"to": "list@example.com"}, "recipients": ["a@b.example", "c@d.example"]}
    data = {"event": "rejected", "timestamp": 1767323045, "message": message}

    events = PROVIDER.parse_events(json_post({"event-data": data}), CONFIG)

    assert [event.recipient for event in events] == ["a@b.example", "c@d.example"]


def test_an_unknown_event_keeps_its_payload() -> None:
    data = {"event": "teleported", "timestamp": 1767323045, "where": "Mars"}

    [event] = PROVIDER.parse_events(json_post({"event-data": data}), CONFIG)

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
        PROVIDER.parse_events(json_post(payload), CONFIG)


def test_a_legacy_form_event_says_what_to_do() -> None:
    post = form_post(Field("event", b"delivered"), Field("recipient", b"ann@example.com"))
    with pytest.raises(ParseError, match="legacy"):
        PROVIDER.parse_events(post, CONFIG)


def test_strings_no_database_can_store_are_made_storable() -> None:
    body = b'{"event-data": {"event": "a\\u0000\\ud800", "timestamp": 1, "tags": ["\\udfff"]}}'

    [event] = PROVIDER.parse_events(WebhookRequest(headers=JSON, body=body), CONFIG)

    assert event.data["name"] == "a\ufffd?"
    assert event.data["tags"] == ["?"]


@pytest.mark.parametrize(
    ("age", "accepted"),
    [(-32_401, False), (-32_399, True), (0, True), (32_399, True), (32_401, False)],
)
def test_only_what_was_signed_within_the_window_is_taken(age: int, accepted: bool) -> None:
    fake = MailgunFake(CONFIG, lambda: NOW - timedelta(seconds=age))
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")

    verdict = PROVIDER.verify(post, CONFIG, NOW)

    assert isinstance(verdict, Verified) == accepted
    assert accepted or (isinstance(verdict, Unverified) and verdict.status == 401)


def test_the_window_is_a_setting(fake: MailgunFake) -> None:
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")
    config = PROVIDER.configure({**OPTIONS, "window": "900"})

    assert isinstance(PROVIDER.verify(post, config, NOW + timedelta(minutes=14)), Verified)
    assert isinstance(PROVIDER.verify(post, config, NOW + timedelta(minutes=16)), Unverified)


def test_the_line_between_timestamp_and_token_cannot_be_moved() -> None:
    timestamp, token = str(int(NOW.timestamp())), "e0" + "ab" * 24
    first = json_post({"signature": signature_block(timestamp, token)})
    again = json_post(
        {"signature": {**signature_block(timestamp, token), **_moved(timestamp, token)}}
    )

    assert PROVIDER.verify(first, CONFIG, NOW) == Verified(token)
    assert isinstance(PROVIDER.verify(again, CONFIG, NOW), Unverified)


def _moved(timestamp: str, token: str) -> dict[str, str]:
    return {"timestamp": timestamp + token[:2], "token": token[2:]}  # the same signed bytes


def test_a_parent_account_may_sign() -> None:
    timestamp, token = str(int(NOW.timestamp())), "ab" * 25
    block = signature_block(timestamp, token)
    block |= {"signature": "0" * 64, "parent-signature": block["signature"]}

    assert PROVIDER.verify(json_post({"signature": block}), CONFIG, NOW) == Verified(token)


def test_a_header_named_like_a_signature_field_does_not_keep_mail_out(fake: MailgunFake) -> None:
    raw = b"signature: kind regards\r\ntoken: coin\r\ntimestamp: now\r\n" + MAILS["plain"]
    post = fake.inbound(raw, recipient="a@shop.example", mail_from="b@example.com")

    assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Verified)


def test_without_a_signing_key_nothing_is_verified_and_mailgun_tries_again() -> None:
    config = PROVIDER.configure({"api_key": "k", "domain": "shop.example"})

    verdict = PROVIDER.verify(json_post({}), config, NOW)

    assert isinstance(verdict, Unverified)
    assert (verdict.status, "signing_key" in verdict.reason) == (503, True)


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
        ("window", "302401"),
        ("tracking", "maybe"),
        ("testmode", "perhaps"),
        ("domain", "../domains"),
        ("domain", "a/b"),
    ],
)
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"mailgun: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})


def test_json_that_is_too_long_to_be_read_for_its_signature_is_refused() -> None:
    post = WebhookRequest(headers=JSON, body=b'{"a": "' + b"x" * 2**21 + b'"}')
    assert PROVIDER.verify(post, CONFIG, NOW) == Unverified("JSON of over 2097152 bytes")
