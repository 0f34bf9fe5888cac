from __future__ import annotations

import json
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers.base import (
    FetchPlan,
    HttpResponse,
    InboundMail,
    ParseError,
    Refused,
    Retry,
    Sent,
    Unknown,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.fakes.mailtrap import MailtrapFake
from inboxkit.providers.mailtrap import Mailtrap
from inboxkit.values import Address, EventType

from .conformance import Conformance
from .recordings import posted, seen
from .tampering import forged
from .vendor import MAILS, NOW, PAYLOADS, Vendor, cases, outgoing, recorded

OPTIONS = {
    "api_token": "key-secret-1",
    "signing_secret": "signing-secret-2",
    "inbound_secret": "password-secret-3",
}
PROVIDER = Mailtrap()
CONFIG = PROVIDER.configure(OPTIONS)
TWO = ("eve@example.com", "zoe@example.com")


class TestMailtrap(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=MailtrapFake,
        required=("api_token",),
        refusal=401,
        tampered=lambda post: forged(post, "mailtrap-signature"),
        lacks=frozenset({EventType.ACCEPTED}),
        softens=True,
    )


def _mail(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)
    return found


def _sent(fake: MailtrapFake, **changes: Any) -> Any:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


@pytest.fixture
def fake() -> MailtrapFake:
    return MailtrapFake(CONFIG, lambda: NOW)


def test_the_recipients_get_the_parts_each_under_an_id(fake: MailtrapFake) -> None:
    sent = _sent(fake)

    mail = parse(fake.caught[0].mime)
    assert len(sent.aliases) == len(fake.caught[0].rcpt_to) == 3
    assert (mail.text.strip(), mail.subject) == ("Which size? 尺码", "Größe 尺码")
    assert mail.references == ("<a1@example.com>",)
    assert [(a.filename, a.content_id) for a in mail.attachments if a.inline] == [
        ("logo.png", "logo")
    ]
    assert b"eve@" not in fake.caught[0].mime


def test_an_event_names_the_id_of_its_recipient(fake: MailtrapFake) -> None:
    sent = _sent(fake)
    post = fake.event(EventType.OPENED, fake.caught[0], "eve@example.com")

    [event] = PROVIDER.parse_events(post, CONFIG)

    assert f"<{event.provider_id}@" == sent.aliases[2]
    assert event.data["metadata"] == outgoing().metadata


def test_blind_copies_alone_are_a_batch(fake: MailtrapFake) -> None:
    sent = _sent(fake, rcpt_to=TWO, to=(), cc=(), bcc=())

    assert [caught.rcpt_to for caught in fake.caught] == [(TWO[0],), (TWO[1],)]
    assert [f"<{caught.id}@" for caught in fake.caught] == list(sent.aliases)


def test_what_a_batch_refuses_is_told_by_recipient(fake: MailtrapFake) -> None:
    sent = _sent(fake, rcpt_to=("nobody", TWO[0]), to=(), cc=(), bcc=())

    assert sent.recipients == {"nobody": "'to' address is invalid"}


def test_variables_by_recipient_are_a_batch() -> None:
    own = {TWO[0]: {"name": "Eve"}}
    message = outgoing(
        rcpt_to=TWO, to=(), cc=(), recipient_variables=own, variables={"a": "b"}, template="t1"
    )
    body = json.loads(PROVIDER.build_send(message, CONFIG, NOW).body)

    assert [one["template_variables"] for one in body["requests"]] == [
        {"a": "b", "name": "Eve"},
        {"a": "b"},
    ]


def test_a_template_brings_its_own_content(fake: MailtrapFake) -> None:
    mail = _mail(template="t1", variables={"a": "b"})

    assert (mail["template_uuid"], mail["template_variables"]) == ("t1", {"a": "b"})
    assert not {"subject", "text", "html", "category"} & mail.keys()
    assert isinstance(_sent(fake, template="t1"), Sent)


def test_several_addresses_to_answer_to_go_as_a_header(fake: MailtrapFake) -> None:
    people = (Address("a@b.example", "Shop, Inc."), Address("c@d.example", "Größe, 尺码"))
    _sent(fake, reply_to=people)

    assert _mail(reply_to=people)["headers"]["Reply-To"].isascii()
    assert parse(fake.caught[0].mime).reply_to == people


@pytest.mark.parametrize(
    ("options", "url"),
    cases(
        {
            "default": ({}, "https://send.api.mailtrap.io/api/send"),
            "bulk": ({"stream": "bulk"}, "https://bulk.api.mailtrap.io/api/send"),
            "sandbox": ({"sandbox_id": "12"}, "https://sandbox.api.mailtrap.io/api/send/12"),
            "elsewhere": ({"api_url": "http://127.0.0.1:1/"}, "http://127.0.0.1:1/api/send"),
        }
    ),
)
def test_the_stream_or_the_sandbox_decides_where_to_send(options: Any, url: str) -> None:
    config = PROVIDER.configure({**OPTIONS, **options})
    assert PROVIDER.build_send(outgoing(), config, NOW).url == url


def test_the_sandbox_has_one_id_for_all() -> None:
    config = PROVIDER.configure({**OPTIONS, "sandbox_id": "12"})
    fake = MailtrapFake(config, lambda: NOW)
    answer = fake.handle(PROVIDER.build_send(outgoing(), config, NOW))

    sent = PROVIDER.parse_send(answer, outgoing(), config)

    assert sent == Sent(fake.caught[0].id, (f"<{fake.caught[0].id}@",))


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "scheduled": {"send_at": NOW},
            "tracking by message": {"track_clicks": False},
            "variables without a template": {"variables": {"a": "b"}},
            "501 mails": {
                **dict.fromkeys(("to", "cc", "bcc"), ()),
                "rcpt_to": tuple(f"a{n}@example.com" for n in range(501)),
            },
        }
    ),
)
def test_what_mailtrap_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="mailtrap"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def _said(status: int, **answer: Any) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps(answer).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "sent": (
                _said(200, success=True, message_ids=["a-1"]),
                Sent("a-1", ("<a-1@",)),
            ),
            "no ids": (_said(200, success=True), Unknown('200 {"success": true}')),
            "no success": (_said(200, success=False, errors=["no"]), Refused("200 no")),
            "invalid": (
                _said(400, success=False, errors=["'to' is required", "x"]),
                Refused("400 'to' is required; x", "message"),
            ),
            "wrong key": (
                _said(401, errors=["Unauthorized"]),
                Refused("401 Unauthorized", "credentials"),
            ),
            "words elsewhere": (_said(403, error="limit"), Refused("403 limit", "account")),
            "rate limit": (HttpResponse(429), Retry(None, "429")),
            "gateway": (HttpResponse(502), Unknown("502")),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


EVENTS = [c for c in recorded("mailtrap") if not str(c.id).startswith("inbound")]


@pytest.mark.parametrize("case", EVENTS)
def test_documented_events_are_normalized(case: Any) -> None:
    events = PROVIDER.parse_events(posted(case), CONFIG)

    assert seen(events, case) == case["expected"]
    assert {event.at.timestamp() for event in events} == {1_767_323_045}


def test_events_may_come_one_a_line() -> None:
    lines = [{"event": "open", "timestamp": 1, "event_id": n} for n in ("a", "b")]
    body = "\n".join(map(json.dumps, lines)).encode()

    events = PROVIDER.parse_events(WebhookRequest(body=body), CONFIG)

    assert [event.event_id for event in events] == ["a", "b"]


def test_an_unknown_event_keeps_its_payload() -> None:
    data = {"event": "teleported", "timestamp": 1_767_323_045, "where": "Mars"}

    [event] = PROVIDER.parse_events(posted({"payload": {"events": [data]}}), CONFIG)

    assert (event.type, event.data["payload"]) == (EventType.UNKNOWN, data)


@pytest.mark.parametrize(
    "payload",
    cases({"a number": 7, "nothing": {}, "no time": {"events": [{"event": "open"}]}}),
)
def test_events_without_sense_are_parse_errors(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(posted({"payload": payload}), CONFIG)


def test_a_soft_bounce_is_no_end(fake: MailtrapFake) -> None:
    _sent(fake)
    with pytest.raises(UnsupportedFeature):
        fake.event(EventType.BOUNCED, fake.caught[0], "ann@example.com", hard=False)


# inbound


def _post(name: str = "inbound") -> WebhookRequest:
    return posted(json.loads((PAYLOADS / "mailtrap" / f"{name}.json").read_text()))


def _described(**answer: Any) -> Any:
    [plan] = PROVIDER.parse_inbound(_post(), CONFIG)
    assert isinstance(plan, FetchPlan)
    [found] = PROVIDER.parse_fetched(plan, _said(200, **answer), CONFIG)
    return found


def test_mail_is_described_by_the_api_and_only_it_gets_the_token() -> None:
    [plan] = PROVIDER.parse_inbound(_post(), CONFIG)

    assert isinstance(plan, FetchPlan)
    path = "inboxes/3907/messages/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
    assert (plan.url, plan.is_allowed) == (f"https://mailtrap.io/api/inbound/{path}", True)
    assert plan.headers["Authorization"] == "Bearer key-secret-1"
    found = _described(to=["a@shop.example"], raw_message_url="https://b.s3.amazonaws.com/x?y=z")
    assert (found.is_allowed, dict(found.headers)) == (True, {})


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/x", "http://b.s3.amazonaws.com/x", "https://evilamazonaws.com/x", "", 7],
)
def test_bytes_come_from_storage_only(url: object) -> None:
    assert not _described(to=["a@shop.example"], raw_message_url=url).is_allowed


def test_bytes_are_kept_with_everybody_that_the_description_names() -> None:
    people = {"to": ["A <a@shop.example>"], "cc": ["b@shop.example"], "bcc": ["c@shop.example"]}
    plan = _described(**people, **{"from": "Ann <ann@example.com>"})

    [mail] = PROVIDER.parse_fetched(plan, HttpResponse(200, {}, MAILS["every byte"]), CONFIG)

    assert isinstance(mail, InboundMail)
    assert (mail.raw, mail.mail_from) == (MAILS["every byte"], "ann@example.com")
    assert mail.rcpt_to == ("a@shop.example", "b@shop.example", "c@shop.example")
    assert mail.by_header
    assert mail.event_id == "3907/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"


@pytest.mark.parametrize(
    ("raw", "sender"),
    [
        (b"Return-Path: <>\r\nFrom: x@y.example\r\n\r\nHi", ""),
        (b"X: 1\nreturn-path: <b@example.com>\n\nHi", "b@example.com"),
        (b"X: 1\r\n\r\nReturn-Path: <b@example.com>", "ann@example.com"),
    ],
)
def test_the_return_path_is_the_sender_of_the_envelope(raw: bytes, sender: str) -> None:
    plan = _described(to=["a@shop.example"], **{"from": "ann@example.com"})

    [mail] = PROVIDER.parse_fetched(plan, HttpResponse(200, {}, raw), CONFIG)

    assert isinstance(mail, InboundMail)
    assert mail.mail_from == sender


def test_mail_that_names_nobody_and_failed_downloads_are_parse_errors() -> None:
    with pytest.raises(ParseError, match="recipient"):
        _described(to=[])
    with pytest.raises(ParseError, match="404"):
        PROVIDER.parse_fetched(_described(to=["a@b.example"]), HttpResponse(404), CONFIG)


def test_a_test_post_brings_nothing() -> None:
    test = _post("inbound_test")
    assert (PROVIDER.parse_inbound(test, CONFIG), PROVIDER.parse_events(test, CONFIG)) == ((), ())


def test_the_same_mail_told_twice_is_one(fake: MailtrapFake) -> None:
    config = PROVIDER.configure({"api_token": "k", "insecure": "yes"})
    first, again = _post(), json.loads(_post().body)
    again["events"][0]["event_id"] = "another"

    ids = [PROVIDER.verify(p, config, NOW) for p in (first, posted({"payload": again}))]

    assert ids[0] == ids[1] == Verified("inbound 3907/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")


@pytest.mark.parametrize(
    ("key", "value"),
    [("stream", "fast"), ("sandbox_id", "../x"), ("api_url", "http://mailtrap.io")],
)
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"mailtrap: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})
    with pytest.raises(ConfigurationError, match="mailtrap: signing_secret"):
        PROVIDER.configure({"api_token": "k"})
