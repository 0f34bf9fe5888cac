from __future__ import annotations

import email
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers.base import (
    HttpResponse,
    ParseError,
    Refused,
    Retry,
    Sent,
    Unknown,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.fakes.unisender_go import UnisenderGoFake
from inboxkit.providers.unisender_go import UnisenderGo, sign
from inboxkit.values import Address, EventType, File

from .conformance import Conformance
from .vendor import NOW, Vendor, cases, outgoing, recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxkit.providers.base import SendOutcome

OPTIONS = {
    "api_url": "https://go1.unisender.ru/ru/transactional/api/v1",
    "api_key": "key-secret-1",
    "webhook_key": "signing-secret-2",
}
PROVIDER = UnisenderGo()
CONFIG = PROVIDER.configure(OPTIONS)


def _post(body: bytes) -> WebhookRequest:
    return WebhookRequest(headers={"content-type": "application/json"}, body=body)


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    auth = json.loads(post.body)["auth"].encode()
    other = sign("another key", post.body, auth).encode()
    bodies = {
        "auth of another key": post.body.replace(auth, other),
        "auth in capitals": post.body.replace(auth, auth.upper()),
        "auth cut off": post.body.replace(auth, auth[:-1]),
        "no auth": post.body.replace(b'"auth"', b'"oath"'),
        "auth beyond ASCII": post.body.replace(auth, "é".encode()),
        "auth that is no text": post.body.replace(b'"%s"' % auth, b"1"),
        "auth twice": post.body[:-1] + b', "x": "%s"}' % auth,
        "another event": post.body.replace(b"delivered", b"opened"),
        "a space more": post.body + b" ",
        "the key itself": post.body.replace(auth, b"signing-secret-2"),
        "no JSON": b"{",
    }
    return {name: replace(post, body=body) for name, body in bodies.items()}


class TestUnisenderGo(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=UnisenderGoFake,
        required=("api_url", "api_key"),
        refusal=401,
        tampered=_tampered,
    )

    def known_ids(self, fake: Any, message: Any, sent: Sent) -> tuple[str, ...]:
        """Its Message-IDs are told nowhere: replies are joined by References and the token."""
        return (fake.caught[0].message_id,)


@pytest.fixture
def fake() -> UnisenderGoFake:
    return UnisenderGoFake(CONFIG, lambda: NOW)


def _send(fake: UnisenderGoFake, **changes: Any) -> SendOutcome:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


def _sent_json(**changes: Any) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)
    message: dict[str, Any] = sent["message"]
    return message


def test_every_part_of_the_message_arrives(fake: UnisenderGoFake) -> None:
    _send(fake)

    read = parse(fake.caught[0].mime)
    assert (read.subject, read.text.strip()) == ("Größe 尺码", "Which size? 尺码")
    assert (read.to, read.cc) == (
        (Address("ann@example.com", "Ann Lee"),),
        (Address("ben@example.com"),),
    )
    assert read.reply_to == (Address("support+token@shop.example"),)
    assert (read.in_reply_to, read.references) == ("<a1@example.com>", ("<a1@example.com>",))
    assert {(a.filename, a.inline, a.data) for a in read.attachments} == {
        ("rechnung ü.pdf", False, b"%PDF\x00\xff"),
        ("logo", True, b"\x89PNG\r\n\x1a\n"),
    }


def test_names_and_headers_go_encoded_where_they_would_be_broken() -> None:
    ann = Address("ann@example.com", "Lee, Ann")
    sent = _sent_json(
        to=(ann, Address("ben@example.com", "Größe")),
        cc=(),
        reply_to=(ann,),
        headers={"X-Note": "尺码"},
    )

    lee, size = "=?utf-8?q?Lee=2C=20Ann?=", "=?utf-8?b?R3LDtsOfZQ==?="
    assert sent["headers"] == {
        "X-Note": "=?utf-8?b?5bC656CB?=",
        "To": f"{lee} <ann@example.com>, {size} <ben@example.com>",
    }
    assert sent["reply_to_name"] == lee
    assert sent["recipients"][0]["substitutions"] == {"to_name": "Lee, Ann"}


def test_nobody_sees_who_has_a_blind_copy(fake: UnisenderGoFake) -> None:
    _send(fake)
    assert "eve@example.com" in fake.caught[0].rcpt_to
    assert b"eve@example.com" not in fake.caught[0].mime


def test_variables_by_recipient_make_a_mail_for_each() -> None:
    variables = {"ann@example.com": {"name": "Ann"}}

    sent = _sent_json(recipient_variables=variables, variables={"shop": "S"})

    assert sent["recipients"] == [
        {
            "email": "ann@example.com",
            "substitutions": {"shop": "S", "name": "Ann", "to_name": "Ann Lee"},
        },
        {"email": "ben@example.com", "substitutions": {"shop": "S"}},
        {"email": "eve@example.com", "substitutions": {"shop": "S"}},
    ]
    assert "template_engine" not in sent
    assert "To" not in sent["headers"]


def test_options_are_sent_along(fake: UnisenderGoFake) -> None:
    due = NOW + timedelta(hours=20)
    config = replace(CONFIG, skip_unsubscribe=True)
    message = outgoing(send_at=due, track_opens=False, track_clicks=True, tag="t" * 60)

    fake.handle(PROVIDER.build_send(message, config, NOW))

    [caught] = fake.caught
    assert (caught.send_at, caught.tags) == (due, ("t" * 50,))
    assert caught.options["track_read"] == "0"
    assert caught.options["track_links"] == "1"
    assert caught.options["skip_unsubscribe"] == "1"
    assert caught.options["template_engine"] == '"none"'


def test_headers_are_sent_or_refused_and_ours_about_machines_are_left_out() -> None:
    own = {"X-Order": "42", "Auto-Submitted": "auto-replied", "References": "<a@b.example>"}
    assert _sent_json(headers=own)["headers"] == {
        "X-Order": "42",
        "References": "<a@b.example>",
        "To": "Ann Lee <ann@example.com>",
        "Cc": "ben@example.com",
    }
    with pytest.raises(UnsupportedFeature, match="no header Priority"):
        _sent_json(headers={"Priority": "urgent"})


MANY = tuple(Address(f"p{n}@example.com") for n in range(11))


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "later than a day": {"send_at": NOW + timedelta(hours=25)},
            "501 recipients": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(501))},
            "11 in To": {"to": MANY},
            "11 in Cc": {"cc": MANY},
            "two Reply-To": {"reply_to": MANY[:2]},
            "a slash in a name": {"attachments": (File("a/b.pdf", b"x"),)},
        }
    ),
)
def test_what_it_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="unisender_go"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def test_metadata_is_cut_to_ten_entries() -> None:
    given = {f"k{n}": "v" * 2000 if n == 11 else "v" for n in range(12)}
    kept = _sent_json(metadata=given)["global_metadata"]
    assert list(kept) == [f"k{n}" for n in range(11, 1, -1)]
    assert kept["k11"] == "v" * 1024


def test_whom_it_does_not_send_to_is_told_apart(fake: UnisenderGoFake) -> None:
    fake.failing = {"ben@example.com": "unsubscribed", "eve@example.com": "duplicate"}

    outcome = _send(fake)

    assert isinstance(outcome, Sent)
    assert outcome.recipients == {"ben@example.com": "unsubscribed"}


def test_when_nobody_is_left_nothing_was_sent(fake: UnisenderGoFake) -> None:
    fake.failing = dict.fromkeys(outgoing().rcpt_to, "invalid")
    assert _send(fake) == Refused("400 No valid recipients", "recipient")


def test_a_blind_copy_goes_only_to_domains_of_the_sender(fake: UnisenderGoFake) -> None:
    fake.domains = frozenset({"shop.example"})
    outcome = _send(fake)
    assert isinstance(outcome, Refused)
    assert "is not in To or Cc" in outcome.reason


def test_what_was_sent_within_a_minute_is_not_sent_twice(fake: UnisenderGoFake) -> None:
    first, again = _send(fake), _send(fake)
    assert isinstance(first, Sent) and first.provider_id
    assert (again, len(fake.caught)) == (Sent(), 1)


def test_a_long_key_is_shortened() -> None:
    assert _sent_json()["idempotence_key"] == "order-42"
    assert len(_sent_json(idempotency_key="k" * 65)["idempotence_key"]) == 64


def _error(status: int, code: int) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps({"code": code, "message": "why"}).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "a wrong key": (_error(401, 102), Refused("401 why", "credentials")),
            "a foreign sender": (_error(400, 1574), Refused("400 why", "settings")),
            "a bad field": (_error(400, 1507), Refused("400 why", "message")),
            "no money": (_error(403, 904), Refused("403 why", "account")),
            "the day's limit": (_error(403, 901), Retry(None, "403 why")),
            "a failure": (_error(500, 150), Unknown("500 why")),
            "too fast": (_error(429, 0), Retry(None, "429 why")),
            "no job": (HttpResponse(200, {}, b"{}"), Unknown("200 {}")),
        }
    ),
)
def test_answers_are_told_apart(answer: HttpResponse, expected: SendOutcome) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


@pytest.mark.parametrize("case", recorded("unisender_go"))
def test_recorded_events_are_normalized(case: Mapping[str, Any]) -> None:
    [event] = PROVIDER.parse_events(_post(json.dumps(case["payload"]).encode()), CONFIG)

    own = {key: value for key, value in case["expected"].items() if key != "data"}
    assert {key: getattr(event, key) for key in own} == own
    assert case["expected"]["data"].items() <= event.data.items()
    assert ("payload" in event.data) == (event.type == EventType.UNKNOWN)
    assert event.at == NOW - timedelta(seconds=1)


def test_one_post_may_hold_many_events_each_with_an_id(fake: UnisenderGoFake) -> None:
    _send(fake)
    posts = [fake.event(EventType.OPENED, fake.caught[0], to) for to in fake.caught[0].rcpt_to]
    several = [json.loads(p.body)["events_by_user"][0]["events"][0] for p in posts]

    post = fake.webhook(several)

    assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Verified)
    assert len({event.event_id for event in PROVIDER.parse_events(post, CONFIG)}) == 3


def test_the_key_of_the_account_signs_unless_another_is_set() -> None:
    config = PROVIDER.configure({k: v for k, v in OPTIONS.items() if k != "webhook_key"})
    post = UnisenderGoFake(config, lambda: NOW).webhook([])
    assert isinstance(PROVIDER.verify(post, config, NOW), Verified)


def test_the_signature_is_the_documented_one() -> None:
    # printf '{"auth":"key","events_by_user":[]}' | md5sum
    body = b'{"auth":"457a30af62ee31f7643fd0581a1c4164","events_by_user":[]}'
    config = replace(CONFIG, webhook_key="key")
    assert isinstance(PROVIDER.verify(_post(body), config, NOW), Verified)


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"events_by_user":[{"events":[{}]}]}'])
def test_what_cannot_be_read_is_said(body: bytes) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(_post(body), CONFIG)


def test_bad_settings_are_named() -> None:
    with pytest.raises(ConfigurationError, match="unisender_go: api_url "):
        PROVIDER.configure({**OPTIONS, "api_url": "http://go1.unisender.ru"})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"body": None}, 201),
        ({"from_email": ""}, 202),
        ({"headers": {"Cc": "a@b.example"}}, 1556),
        ({"recipients": [{"email": "a@b.example"}] * 501}, 1524),
        ({"attachments": [{"name": "a/b", "content": "AA=="}]}, 1590),
        ({"attachments": [{"name": "a", "content": "!"}]}, 1592),
    ],
)
def test_the_fake_refuses_what_the_vendor_refuses(
    fake: UnisenderGoFake, changes: dict[str, Any], code: int
) -> None:
    request = PROVIDER.build_send(outgoing(), CONFIG, NOW)
    body = json.dumps({"message": {**json.loads(request.body)["message"], **changes}}).encode()

    answer = fake.handle(replace(request, body=body))

    assert json.loads(answer.body)["code"] == code
    assert not fake.caught


def test_an_account_may_not_be_allowed_to_send_references(fake: UnisenderGoFake) -> None:
    fake.threads = False
    _send(fake)
    assert email.message_from_bytes(fake.caught[0].mime)["references"] is None
