from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers.base import (
    HttpRequest,
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
from inboxkit.providers.fakes.postmark import PostmarkFake
from inboxkit.providers.postmark import Postmark
from inboxkit.values import Address, EventType

from .conformance import Conformance
from .vendor import MAILS, NOW, Vendor, cases, outgoing, recorded, value_of

OPTIONS = {"server_token": "key-secret-1", "webhook_password": "password-secret-3"}
PROVIDER = Postmark()
CONFIG = PROVIDER.configure(OPTIONS)
JSON = {"content-type": "application/json"}


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    good = post.header("authorization")
    changes = {"none": "", "other password": f"{good[:-4]}AAA=", "in capitals": good.upper()}
    return {
        name: replace(post, headers={**post.headers, "authorization": value})
        for name, value in changes.items()
    }


class TestPostmark(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=PostmarkFake,
        required=("server_token", "webhook_password"),
        refusal=401,
        tampered=_tampered,
        lacks=frozenset({EventType.ACCEPTED}),
        most=50,
        lossy=frozenset({"8-bit", "gb18030", "every byte"}),  # Postmark's JSON is text
    )


@pytest.fixture
def fake() -> PostmarkFake:
    return PostmarkFake(CONFIG, lambda: NOW)


def _post(payload: object) -> WebhookRequest:
    return WebhookRequest(headers=JSON, body=json.dumps(payload).encode())


def _sent(fake: PostmarkFake, **changes: Any) -> Sent | Refused | Retry | Unknown:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


def _body(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)
    return body


def test_every_field_arrives_and_our_message_id_is_kept(fake: PostmarkFake) -> None:
    _sent(fake)

    [caught] = fake.caught
    mail = parse(caught.mime)
    assert caught.message_id == mail.message_id == "<order-42.1@shop.example>"
    assert (mail.subject, mail.text.strip()) == ("Größe 尺码", "Which size? 尺码")
    assert mail.senders == (Address("support@shop.example", "Shop"),)
    assert (mail.to, mail.cc) == (outgoing().to, outgoing().cc)
    assert (mail.reply_to, mail.references) == (outgoing().reply_to, ("<a1@example.com>",))
    assert b"eve@example.com" not in caught.mime
    assert [(a.filename, a.data, a.content_id) for a in mail.attachments] == [
        ("logo.png", b"\x89PNG\r\n\x1a\n", "logo"),
        ("rechnung ü.pdf", b"%PDF\x00\xff", ""),
    ]


def test_where_postmark_replaces_the_message_id_its_own_is_an_alias() -> None:
    fake = PostmarkFake(CONFIG, lambda: NOW, keeps_ids=False)

    outcome = _sent(fake)

    assert isinstance(outcome, Sent)
    assert outcome.aliases == ("<order-42.1@shop.example>", f"<{fake.caught[0].id}@")


def test_whom_no_field_names_gets_a_blind_copy() -> None:
    assert _body(rcpt_to=("ann@example.com", "Late@example.com"), cc=(), bcc=())["Bcc"] == (
        "Late@example.com"
    )


def test_switches_and_the_stream_are_sent_along() -> None:
    config = replace(CONFIG, message_stream="broadcast")
    message = outgoing(track_opens=False, track_clicks=True)

    body = json.loads(PROVIDER.build_send(message, config, NOW).body)

    names = ("TrackOpens", "TrackLinks", "MessageStream", "Tag")
    assert [body[name] for name in names] == [False, "HtmlAndText", "broadcast", "order"]


@pytest.mark.parametrize(
    ("template", "named"),
    [("1234", {"TemplateId": 1234}), ("welcome", {"TemplateAlias": "welcome"})],
)
def test_a_template_is_sent_with_its_variables_and_without_bodies(
    fake: PostmarkFake, template: str, named: dict[str, Any]
) -> None:
    message = outgoing(template=template, variables={"shop": "Ü"})

    request = PROVIDER.build_send(message, CONFIG, NOW)

    body = json.loads(request.body)
    assert request.url.endswith("/email/withTemplate")
    assert named.items() <= body.items()
    assert body["TemplateModel"] == {"shop": "Ü"}
    assert not {"Subject", "TextBody", "HtmlBody"} & set(body)
    assert isinstance(PROVIDER.parse_send(fake.handle(request), message, CONFIG), Sent)


def test_metadata_that_postmark_refuses_stays_in_the_store() -> None:
    metadata = {"a" * 21: "x", "long": "x" * 81, **{f"n{i}": "v" for i in range(12)}}

    kept = _body(metadata={**metadata, "inboxkit_id": "msg_1"})["Metadata"]

    assert (len(kept), kept["inboxkit_id"]) == (10, "msg_1")
    assert not {"a" * 21, "long"} & set(kept)


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "scheduled": {"send_at": NOW + timedelta(days=1)},
            "variables by recipient": {"recipient_variables": {"ann@example.com": {"a": "b"}}},
            "variables without a template": {"variables": {"a": "b"}},
            "51 recipients": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(51))},
            "51 in two fields": {
                "to": tuple(Address(f"a{n}@example.com") for n in range(26)),
                "cc": tuple(Address(f"a{n}@example.com") for n in range(26, 51)),
                "rcpt_to": tuple(f"a{n}@example.com" for n in range(51)),
            },
        }
    ),
)
def test_what_postmark_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="postmark"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def _answer(status: int, code: int, message: str) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps({"ErrorCode": code, "Message": message}).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "bad token": (_answer(401, 10, "no"), Refused("401 no", "credentials")),
            "invalid": (_answer(422, 300, "no"), Refused("422 no", "message")),
            "unknown sender": (_answer(422, 400, "no"), Refused("422 no", "settings")),
            "pending": (_answer(422, 412, "no"), Refused("422 no", "account")),
            "inactive": (_answer(422, 406, "no"), Refused("422 no", "recipient")),
            "refused with 200": (_answer(200, 406, "no"), Refused("200 no", "recipient")),
            "new code with 200": (_answer(200, 999, "no"), Refused("200 no", "message")),
            "no JSON": (HttpResponse(403, {}, b"<html>"), Refused("403 <html>", "account")),
            "maintenance": (_answer(422, 100, "later"), Retry(None, "422 later")),
            "too many in a batch": (_answer(200, 429, "later"), Retry(None, "200 later")),
            "outage": (_answer(503, 100, "later"), Retry(None, "503 later")),
            "internal error": (HttpResponse(500), Unknown("500")),
            "success without id": (HttpResponse(200, {}, b"{}"), Unknown("200 {}")),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


def test_who_bounced_before_is_told_apart_from_those_who_get_it(fake: PostmarkFake) -> None:
    _sent(fake)
    fake.event(EventType.BOUNCED, fake.caught[0], "Ben@example.com")

    outcome = _sent(fake)

    assert isinstance(outcome, Sent)
    assert list(outcome.recipients) == ["ben@example.com"]
    assert fake.caught[1].rcpt_to == ("ann@example.com", "eve@example.com")


def test_a_message_to_nobody_but_inactive_ones_is_refused(fake: PostmarkFake) -> None:
    _sent(fake)
    fake.event(EventType.BOUNCED, fake.caught[0], "ann@example.com")

    outcome = _sent(fake, rcpt_to=("ann@example.com",), cc=(), bcc=())

    assert isinstance(outcome, Refused)
    assert outcome.reason_class == "recipient"


def test_a_lost_send_is_found_by_its_metadata(fake: PostmarkFake) -> None:
    message = outgoing(metadata={"inboxkit_id": "msg_1"})
    request = PROVIDER.build_lookup(message, CONFIG, NOW)
    before = PROVIDER.parse_lookup(fake.handle(request), message, CONFIG)
    _sent(fake, metadata={"inboxkit_id": "msg_other"})
    sent = _sent(fake, metadata={"inboxkit_id": "msg_1"})

    after = PROVIDER.parse_lookup(fake.handle(request), message, CONFIG)

    assert isinstance(before, Unknown)
    assert after == sent


def test_a_search_that_ignores_its_filter_finds_nobody_elses_message() -> None:
    listed = {"Messages": [{"MessageID": "x", "Metadata": {"inboxkit_id": "msg_other"}}]}
    answer = HttpResponse(200, {}, json.dumps(listed).encode())

    outcome = PROVIDER.parse_lookup(answer, outgoing(metadata={"inboxkit_id": "msg_1"}), CONFIG)

    assert isinstance(outcome, Unknown)


def test_the_test_token_sends_nothing(fake: PostmarkFake) -> None:
    request = PROVIDER.build_send(outgoing(), CONFIG, NOW)
    headers = {**request.headers, "X-Postmark-Server-Token": "POSTMARK_API_TEST"}

    answer = fake.handle(replace(request, headers=headers))

    assert (answer.status, fake.caught) == (200, [])


@pytest.mark.parametrize(
    ("change", "code"),
    cases(
        {
            "no sender": ({"From": ""}, 300),
            "no recipient": ({"To": "", "Cc": "", "Bcc": ""}, 300),
            "no address": ({"To": "ann"}, 300),
            "51 recipients": ({"To": ",".join(f"a{n}@example.com" for n in range(51))}, 300),
            "no body": ({"TextBody": "", "HtmlBody": ""}, 300),
            "no base64": ({"Attachments": [{"Name": "a", "Content": "?"}]}, 300),
        }
    ),
)
def test_the_fake_refuses_what_postmark_refuses(
    fake: PostmarkFake, change: dict[str, Any], code: int
) -> None:
    request = PROVIDER.build_send(outgoing(), CONFIG, NOW)
    body = json.dumps(json.loads(request.body) | change).encode()

    answer = fake.handle(replace(request, body=body))

    assert (answer.status, json.loads(answer.body)["ErrorCode"]) == (422, code)
    assert not fake.caught


def test_the_fake_knows_its_own_paths_only(fake: PostmarkFake) -> None:
    request = HttpRequest(method="GET", url="https://x/other", headers=CONFIG.headers)
    assert fake.handle(request).status == 404
    assert fake.handle(replace(request, headers={})).status == 401


@pytest.mark.parametrize("case", recorded("postmark"))
def test_documented_events_are_normalized(case: Any) -> None:
    [event] = PROVIDER.parse_events(_post(case["payload"]), CONFIG)

    [expected] = case["expected"]
    assert {name: value_of(event, name) for name in expected} == expected
    assert event.at.replace(microsecond=0) == NOW - timedelta(seconds=1)
    assert (event.type is EventType.UNKNOWN) == ("payload" in event.data)


@pytest.mark.parametrize(
    "payload",
    cases(
        {
            "a list": [],
            "nothing": {},
            "no time": {"RecordType": "Delivery"},
            "no record": {"DeliveredAt": "2026-01-02T03:04:05Z"},
            "a time of no calendar": {"RecordType": "Open", "ReceivedAt": "9999-99-99"},
        }
    ),
)
def test_events_without_sense_are_parse_errors(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(_post(payload), CONFIG)


def test_mail_without_its_raw_form_is_rebuilt(fake: PostmarkFake) -> None:
    raw = MAILS["duplicate headers"].replace(b"\r\n\r\n", b"\r\nReply-To: r@example.com\r\n\r\n")
    post = fake.inbound(raw, recipient="a+tag@shop.example", mail_from="b@example.com", mime=False)

    [inbound] = PROVIDER.parse_inbound(post, CONFIG)

    mail = parse(inbound.raw)
    assert (inbound.mail_from, inbound.rcpt_to) == ("b@example.com", ("a+tag@shop.example",))
    assert not inbound.by_header
    assert (mail.message_id, mail.subject) == ("<a1@example.com>", "Size")
    assert (mail.senders[0].name, mail.reply_to[0].email) == ("Ann Lee", "r@example.com")
    assert mail.headers.all("X-Same") == ("1", "2")
    assert mail.text.strip() == "Hello"


def test_where_the_raw_form_has_lost_bytes_the_words_come_from_the_fields(
    fake: PostmarkFake,
) -> None:
    post = fake.inbound(MAILS["gb18030"], recipient="a@shop.example", mail_from="b@example.com")

    [inbound] = PROVIDER.parse_inbound(post, CONFIG)

    mail = parse(inbound.raw)
    assert (mail.subject, mail.text.strip()) == ("尺码", "什么尺码？")


def test_the_dashboards_test_mail_has_its_attachments_under_another_name() -> None:
    file = {"Name": "te\r\nst.txt", "ContentType": "text/plain", "Data": "aGVsbG8="}
    payload = {"FromFull": {"Email": "a@b.example"}, "ToFull": [{"Email": "c@d.example"}]}

    [inbound] = PROVIDER.parse_inbound(_post({**payload, "Attachments": [file]}), CONFIG)

    [attachment] = parse(inbound.raw).attachments
    assert (attachment.data, inbound.rcpt_to) == (b"hello", ("c@d.example",))
    assert inbound.by_header
    assert b"\nst.txt" not in inbound.raw


def test_an_attachment_that_cannot_be_read_is_a_parse_error() -> None:
    payload = {"FromFull": {"Email": "a@b.example"}, "Attachments": [{"Content": "?"}]}
    with pytest.raises(ParseError, match="base64"):
        PROVIDER.parse_inbound(_post(payload), CONFIG)


def test_only_the_first_return_path_is_postmarks_own() -> None:
    headers = [{"Name": "X", "Value": "1"}, {"Name": "Return-Path", "Value": "<forged@x.example>"}]
    payload = {"FromFull": {"Email": "a@b.example"}, "Headers": headers}

    [inbound] = PROVIDER.parse_inbound(_post(payload), CONFIG)

    assert inbound.mail_from == "a@b.example"


def test_without_a_password_everybody_may_post_only_if_the_user_insists() -> None:
    config = PROVIDER.configure({"server_token": "t", "insecure": "yes"})

    assert isinstance(PROVIDER.verify(_post({}), config, NOW), Verified)
    assert isinstance(PROVIDER.verify(_post({}), CONFIG, NOW), Unverified)


def test_a_password_is_asked_for_even_when_insecurity_is_allowed() -> None:
    config = PROVIDER.configure({**OPTIONS, "insecure": "yes"})
    assert isinstance(PROVIDER.verify(_post({}), config, NOW), Unverified)


@pytest.mark.parametrize(("key", "value"), [("api_url", "http://x.example"), ("insecure", "maybe")])
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"postmark: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"Name": "Cy Ärger, Jr"}, "Cy Ärger, Jr"),
        ({"Name": "Cy\r\nBcc: x@y.example"}, None),
        ({}, ""),
    ],
    ids=["named", "with a line end", "nameless"],
)
def test_the_senders_name_comes_from_where_postmark_puts_it(
    said: dict[str, str], name: str | None
) -> None:
    payload = {"From": "cy@b.example", "FromFull": {"Email": "cy@b.example", **said}}

    [inbound] = PROVIDER.parse_inbound(_post(payload), CONFIG)

    [sender] = parse(inbound.raw).senders
    assert sender.email == "cy@b.example" and not parse(inbound.raw).headers.get("Bcc")
    assert name is None or sender.name == name
