from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.errors import UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers.base import (
    HttpResponse,
    Refused,
    Retry,
    Sent,
    Unknown,
    WebhookRequest,
)
from inboxkit.providers.fakes.sendgrid import SendgridFake
from inboxkit.providers.sendgrid import SIGNATURE, TIMESTAMP
from inboxkit.values import EventType

from .conformance import Conformance
from .sendgrid_account import CONFIG, OPTIONS, PROVIDER
from .vendor import NOW, Vendor, cases, outgoing

if TYPE_CHECKING:
    from inboxkit.providers.base import Outgoing
    from inboxkit.providers.fakes.fake import Fake


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
        refusal=503,
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


def test_headers_go_encoded() -> None:
    asked = _asked(headers={"Thread-Topic": "Größe", "X-Order": "42"})
    assert asked["headers"] == {"Thread-Topic": "=?utf-8?b?R3LDtsOfZQ==?=", "X-Order": "42"}


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
