from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers.agentmail import AgentMail
from inboxkit.providers.base import (
    FetchPlan,
    HttpRequest,
    HttpResponse,
    ParseError,
    Refused,
    Retry,
    Sent,
    Unknown,
    WebhookRequest,
)
from inboxkit.providers.fakes.agentmail import AgentMailFake
from inboxkit.values import EventType

from .conformance import Conformance
from .signed import KEY, tampered
from .vendor import MAILS, NOW, Vendor, cases, outgoing, recorded, value_of

OPTIONS = {"api_key": "key-secret-1", "signing_secret": KEY.secret}
PROVIDER = AgentMail()
CONFIG = PROVIDER.configure(OPTIONS)
JSON = {"content-type": "application/json"}
INBOX = "https://api.agentmail.to/v0/inboxes/support%40shop.example"


class TestAgentMail(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=AgentMailFake,
        required=("api_key", "signing_secret"),
        refusal=401,
        tampered=tampered,
        lacks=frozenset(
            {EventType.ACCEPTED, EventType.DEFERRED, EventType.CLICKED, EventType.UNSUBSCRIBED}
        ),
        nameless=frozenset({EventType.REJECTED, EventType.OPENED}),
        most=50,
    )


@pytest.fixture
def fake() -> AgentMailFake:
    return AgentMailFake(CONFIG, lambda: NOW)


def _post(payload: object) -> WebhookRequest:
    return WebhookRequest(headers=JSON, body=json.dumps(payload).encode())


def _sent(fake: AgentMailFake, **changes: Any) -> Sent | Refused | Retry | Unknown:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


def _body(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)
    return body


def test_every_field_arrives_under_the_message_id_that_the_answer_names(
    fake: AgentMailFake,
) -> None:
    sent = _sent(fake)

    mail = parse(fake.caught[0].mime)
    assert sent == Sent(mail.message_id, (mail.message_id,))
    assert (mail.subject, mail.text.strip()) == ("Größe 尺码", "Which size? 尺码")
    assert (mail.sender.email, mail.to, mail.cc) == (
        "support@shop.example",
        outgoing().to,
        outgoing().cc,
    )
    assert (mail.reply_to, mail.references) == (outgoing().reply_to, ("<a1@example.com>",))
    assert b"eve@example.com" not in fake.caught[0].mime
    assert {(a.filename, a.data, a.content_id) for a in mail.attachments} == {
        ("logo.png", b"\x89PNG\r\n\x1a\n", "logo"),
        ("rechnung ü.pdf", b"%PDF\x00\xff", ""),
    }


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, INBOX),
        ({"region": "eu"}, INBOX.replace(".to/", ".eu/")),
        (
            {"inbox": "bot@agentmail.to"},
            INBOX.replace("support%40shop.example", "bot%40agentmail.to"),
        ),
        (
            {"api_url": "http://127.0.0.1:1/"},
            INBOX.replace("https://api.agentmail.to", "http://127.0.0.1:1"),
        ),
    ],
    ids=["the sender", "region", "another inbox", "another server"],
)
def test_the_inbox_to_send_from(options: dict[str, str], url: str) -> None:
    config = PROVIDER.configure({**OPTIONS, **options})
    assert PROVIDER.build_send(outgoing(), config, NOW).url == f"{url}/messages/send"


@pytest.mark.parametrize(
    ("changes", "expected"),
    cases(
        {
            "opens are tracked": ({"track_opens": True}, {"track_opens": True}),
            "opens are not tracked": ({"track_opens": False}, {"track_opens": False}),
            "a label of AgentMail's own": ({"tag": "Sent"}, {"labels": None}),
            "a label": ({"tag": "order"}, {"labels": ["order"]}),
            "blind copies only": ({"to": (), "cc": ()}, {"to": None, "cc": None}),
        }
    ),
)
def test_what_is_sent_along(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    body = _body(**changes)
    assert {name: body.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "scheduled": {"send_at": NOW + timedelta(days=1)},
            "a template": {"template": "welcome"},
            "clicks": {"track_clicks": True},
            "variables by recipient": {"recipient_variables": {"ann@example.com": {"a": "b"}}},
            "51 recipients": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(51))},
        }
    ),
)
def test_what_agentmail_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="agentmail"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def test_the_same_key_sends_once(fake: AgentMailFake) -> None:
    first, second = _sent(fake), _sent(fake)

    assert first == second
    assert len(fake.caught) == 1


def test_the_same_key_with_other_content_is_refused(fake: AgentMailFake) -> None:
    _sent(fake)

    assert _sent(fake, text="Other") == Refused("409 The key was used with another request")


def test_who_bounced_is_refused_afterwards(fake: AgentMailFake) -> None:
    _sent(fake)
    fake.event(EventType.BOUNCED, fake.caught[0], "Ben@example.com")

    outcome = _sent(fake, idempotency_key="another")

    assert outcome == Refused("403 Bounced or complained before: ben@example.com", "recipient")


def _answer(status: int, code: str, **headers: str) -> HttpResponse:
    return HttpResponse(status, headers, json.dumps({"code": code, "message": "no"}).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "wrong key": (_answer(401, "unknown_api_key"), Refused("401 no", "credentials")),
            "not allowed": (_answer(403, "missing_permission"), Refused("403 no", "account")),
            "rejected": (_answer(403, "message_rejected"), Refused("403 no", "recipient")),
            "no such inbox": (_answer(404, "not_found"), Refused("404 no", "settings")),
            "invalid": (_answer(400, "validation_error"), Refused("400 no", "message")),
            "key reused": (_answer(409, "conflict"), Refused("409 no", "message")),
            "race": (_answer(409, "race_condition"), Retry(reason="409 no")),
            "too fast": (
                _answer(429, "rate_limit_exceeded", **{"Retry-After": "2"}),
                Retry(timedelta(seconds=2), "429 no"),
            ),
            "internal error": (_answer(500, "internal_error"), Retry(None, "500 no")),
            "success without id": (HttpResponse(200, {}, b"{}"), Unknown("200 {}")),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


@pytest.mark.parametrize(
    ("change", "status"),
    cases(
        {
            "no recipient": ({"to": [], "cc": [], "bcc": []}, 400),
            "no address": ({"to": ["ann"]}, 400),
            "51 recipients": ({"to": ["a@example.com"] * 51}, 400),
            "no base64": ({"attachments": [{"content": "?"}]}, 400),
            "too large": ({"text": "x" * 6_300_000}, 413),
        }
    ),
)
def test_the_fake_refuses_what_agentmail_refuses(
    fake: AgentMailFake, change: dict[str, Any], status: int
) -> None:
    request = PROVIDER.build_send(outgoing(), CONFIG, NOW)
    body = json.dumps(json.loads(request.body) | change).encode()

    assert fake.handle(replace(request, body=body)).status == status
    assert not fake.caught


@pytest.mark.parametrize("case", recorded("agentmail"))
def test_documented_events_are_normalized(case: Any) -> None:
    events = PROVIDER.parse_events(_post(case["payload"]), CONFIG)

    seen = [{name: value_of(event, name) for name in case["expected"][0]} for event in events]
    assert seen == case["expected"]
    assert {event.at.replace(microsecond=0) for event in events} == {NOW - timedelta(seconds=1)}
    assert all((e.type is EventType.UNKNOWN) == ("payload" in e.data) for e in events)


@pytest.mark.parametrize(
    "name", ["domain.verified", "calendar.event.created", "message.security.completed"]
)
def test_what_is_not_about_a_send_is_passed_over(name: str) -> None:
    post = _post({"event_type": name, "event_id": "evt_1", "domain": {}})
    assert not PROVIDER.parse_events(post, CONFIG)
    assert not PROVIDER.parse_inbound(post, CONFIG)


@pytest.mark.parametrize(
    "payload",
    cases(
        {
            "a list": [],
            "nothing": {},
            "no time": {"event_type": "message.sent", "send": {"message_id": "<a@b>"}},
            "no object": {"event_type": "message.sent", "send": []},
        }
    ),
)
def test_events_without_sense_are_parse_errors(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(_post(payload), CONFIG)


# mail


def _received(**message: Any) -> WebhookRequest:
    known = {"inbox_id": "bot@agentmail.to", "message_id": "<a/b?c#d@x.example>"}
    return _post({"event_type": "message.received", "message": {**known, **message}})


def test_the_key_is_sent_to_the_api_and_to_no_other_host() -> None:
    [first] = PROVIDER.parse_inbound(_received(), CONFIG)
    place = HttpResponse(200, {}, b'{"download_url": "https://cdn.agentmail.to/x?Signature=s"}')

    [second] = PROVIDER.parse_fetched(first, place, CONFIG)

    assert isinstance(second, FetchPlan)
    assert (first.hosts, "Authorization" in first.headers) == (("api.agentmail.to",), True)
    assert (second.is_allowed, second.headers) == (True, {})


def test_a_download_from_elsewhere_is_not_allowed() -> None:
    [first] = PROVIDER.parse_inbound(_received(), CONFIG)
    place = HttpResponse(200, {}, b'{"download_url": "https://agentmail.to.evil.example/x"}')

    [second] = PROVIDER.parse_fetched(first, place, CONFIG)

    assert isinstance(second, FetchPlan)
    assert not second.is_allowed


def test_an_id_in_a_webhook_cannot_lead_to_another_path() -> None:
    [plan] = PROVIDER.parse_inbound(_received(), CONFIG)
    assert plan.url == (
        "https://api.agentmail.to/v0/inboxes/bot%40agentmail.to"
        "/messages/%3Ca%2Fb%3Fc%23d%40x.example%3E/raw"
    )


@pytest.mark.parametrize(
    ("message", "sender"),
    cases(
        {
            "a text": ({"from": "Ann <ann@example.com>"}, "ann@example.com"),
            "an object": ({"from": {"email": "ann@example.com", "name": "A"}}, "ann@example.com"),
            "a list": ({"from": [{"email": "ann@example.com"}]}, "ann@example.com"),
            "nobody": ({}, ""),
            "a bounce": ({"from": "a@b.example", "headers": {"Return-Path": "<>"}}, ""),
        }
    ),
)
def test_the_sender_in_every_form_of_the_webhook(message: dict[str, Any], sender: str) -> None:
    [plan] = PROVIDER.parse_inbound(_received(**message), CONFIG)
    assert (plan.data["mail_from"], plan.data["rcpt_to"]) == (sender, ("bot@agentmail.to",))


@pytest.mark.parametrize("kind", ["spam", "blocked", "unauthenticated"])
def test_mail_that_was_set_aside_comes_in_where_it_is_subscribed_to(kind: str) -> None:
    post = _received()
    body = post.body.replace(b"message.received", f"message.received.{kind}".encode())
    assert len(PROVIDER.parse_inbound(replace(post, body=body), CONFIG)) == 1


@pytest.mark.parametrize(
    "answer",
    cases({"a redirect": HttpResponse(302), "no place": HttpResponse(200, {}, b"{}")}),
)
def test_an_answer_without_the_mail_is_a_parse_error(answer: HttpResponse) -> None:
    [plan] = PROVIDER.parse_inbound(_received(), CONFIG)
    with pytest.raises(ParseError):
        PROVIDER.parse_fetched(plan, answer, CONFIG)


@pytest.mark.parametrize("missing", [{"inbox_id": ""}, {"inbox_id": ".."}, {"message_id": ".."}])
def test_mail_without_usable_ids_is_a_parse_error(missing: dict[str, str]) -> None:
    with pytest.raises(ParseError, match="inbox_id"):
        PROVIDER.parse_inbound(_received(**missing), CONFIG)


def test_mail_whose_id_would_break_a_path_is_fetched_whole(fake: AgentMailFake) -> None:
    raw = MAILS["plain"].replace(b"<a1@", b"<a/1?x%41@")
    post = fake.inbound(raw, recipient="bot@agentmail.to", mail_from="ann@example.com")

    assert TestAgentMail().received(fake, post).raw == raw


@pytest.mark.parametrize(
    ("key", "value"),
    [("region", "mars"), ("api_url", "http://x.example"), ("signing_secret", "whsec_")],
)
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"agentmail: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})


def test_a_fake_that_is_served_under_a_path_names_downloads_there() -> None:
    config = PROVIDER.configure({**OPTIONS, "api_url": "http://127.0.0.1:9/vendor"})
    fake = AgentMailFake(config, lambda: NOW)
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")
    [first] = PROVIDER.parse_inbound(post, config)
    url = first.url.replace("/vendor", "")  # as the server that strips the path has it

    answer = fake.handle(HttpRequest(method="GET", url=url, headers=first.headers))

    [second] = PROVIDER.parse_fetched(first, answer, config)
    assert isinstance(second, FetchPlan)
    assert second.is_allowed
    assert second.url.startswith("http://127.0.0.1:9/vendor/")
