"""What is sent through Resend, and how its answers are understood."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers import resend_tags
from inboxkit.providers.base import (
    HttpResponse,
    Refused,
    Retry,
    Sent,
    Unknown,
)
from inboxkit.providers.fakes.resend import ResendFake
from inboxkit.providers.resend import Resend
from inboxkit.values import Address, EventType, File

from .conformance import Conformance
from .signed import KEY, tampered
from .vendor import NOW, Vendor, cases, outgoing

if TYPE_CHECKING:
    from inboxkit.providers.base import Outgoing
    from inboxkit.providers.fakes.fake import Fake

OPTIONS = {"api_key": "key-secret-1", "signing_secret": KEY.secret}
PROVIDER = Resend()
CONFIG = PROVIDER.configure(OPTIONS)
ONE: dict[str, Any] = {"rcpt_to": ("ann@example.com",), "cc": (), "bcc": ()}


class TestResend(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=ResendFake,
        required=("api_key", "signing_secret"),
        refusal=401,
        tampered=tampered,
        lacks=frozenset({EventType.UNSUBSCRIBED}),
        most=1,  # blind copies without anybody in To: one
    )

    def told_of(self) -> Outgoing:
        return outgoing(**ONE)

    def known_ids(self, fake: Fake, message: Outgoing, sent: Sent) -> tuple[str, ...]:
        post = fake.event(EventType.SENT, fake.caught[0], "ann@example.com")
        [event] = PROVIDER.parse_events(post, CONFIG)
        assert event.provider_id == sent.provider_id
        return (event.message_id,)


@pytest.fixture
def fake() -> ResendFake:
    return ResendFake(CONFIG, lambda: NOW)


def _sent(fake: ResendFake, **changes: Any) -> Sent | Refused | Retry | Unknown:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


def _body(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)
    return body


def test_every_field_arrives_under_a_message_id_of_resends(fake: ResendFake) -> None:
    _sent(fake)

    mail = parse(fake.caught[0].mime)
    assert mail.message_id.endswith("@email.amazonses.com>")
    assert (mail.subject, mail.text.strip()) == ("Größe 尺码", "Which size? 尺码")
    assert mail.senders == (Address("support@shop.example", "Shop"),)
    assert (mail.to, mail.cc, mail.reply_to) == (outgoing().to, outgoing().cc, outgoing().reply_to)
    assert mail.references == ("<a1@example.com>",)
    assert b"eve@example.com" not in fake.caught[0].mime
    assert {(a.filename, a.data, a.content_id) for a in mail.attachments} == {
        ("logo.png", b"\x89PNG\r\n\x1a\n", "logo"),
        ("rechnung ü.pdf", b"%PDF\x00\xff", ""),
    }


def test_a_time_to_send_is_written_with_milliseconds(fake: ResendFake) -> None:
    due = NOW + timedelta(days=2, microseconds=1234)

    _sent(fake, send_at=due)

    assert _body(send_at=due)["scheduled_at"] == "2026-01-04T03:04:06.001Z"
    assert fake.caught[0].send_at == NOW + timedelta(days=2, milliseconds=1)


def test_a_template_is_sent_with_its_variables_and_without_bodies(fake: ResendFake) -> None:
    body = _body(template="tpl-1", variables={"shop": "Ü"})

    assert body["template"] == {"id": "tpl-1", "variables": {"shop": "Ü"}}
    assert not {"subject", "text", "html"} & set(body)
    assert isinstance(_sent(fake, template="tpl-1"), Sent)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("a.pdf", {"filename": "a.pdf"}),
        ("README", {"filename": "README", "content_type": "text/x-other"}),
        ("", {"filename": "attachment", "content_type": "text/x-other"}),
    ],
)
def test_no_attachment_has_a_type_that_may_disagree_with_its_name(
    name: str, sent: dict[str, str]
) -> None:
    [attachment] = _body(attachments=(File(name, b"x", "text/x-other"),))["attachments"]
    assert attachment == {**sent, "content": "eA=="}


def test_without_anybody_in_to_visible_copies_are_addressed() -> None:
    ben = Address("ben@example.com", "Ben")
    body = _body(rcpt_to=("ben@example.com", "eve@example.com"), to=(), cc=(ben,))
    assert (body["to"], body.get("cc"), body["bcc"]) == (
        ["Ben <ben@example.com>"],
        None,
        ["eve@example.com"],
    )


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "tracking": {"track_opens": True},
            "variables by recipient": {"recipient_variables": {"ann@example.com": {"a": "b"}}},
            "variables without a template": {"variables": {"a": "b"}},
            "blind copies only": {"rcpt_to": ("a@b.example", "c@d.example"), "to": (), "cc": ()},
            "52 recipients": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(51))},
        }
    ),
)
def test_what_resend_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="resend"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def test_the_same_key_sends_once(fake: ResendFake) -> None:
    first, second = _sent(fake), _sent(fake)

    assert first == second
    assert len(fake.caught) == 1


def test_the_same_key_with_other_content_is_refused(fake: ResendFake) -> None:
    _sent(fake)

    outcome = _sent(fake, text="Something else")

    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith("409 Same idempotency key")


def _answer(status: int, name: str, **headers: str) -> HttpResponse:
    body = {"statusCode": status, "name": name, "message": "no"}
    return HttpResponse(status, headers, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "wrong key": (_answer(403, "invalid_api_key"), Refused("403 no", "credentials")),
            "no key": (_answer(401, "missing_api_key"), Refused("401 no", "credentials")),
            "domain": (_answer(403, "validation_error"), Refused("403 no", "account")),
            "sender": (_answer(422, "invalid_from_address"), Refused("422 no", "settings")),
            "invalid": (_answer(422, "validation_error"), Refused("422 no", "message")),
            "under way": (_answer(409, "concurrent_idempotent_requests"), Retry(reason="409 no")),
            "too fast": (
                _answer(429, "rate_limit_exceeded", **{"retry-after": "1"}),
                Retry(timedelta(seconds=1), "429 no"),
            ),
            "quota": (_answer(429, "daily_quota_exceeded"), Retry(None, "429 no")),
            "internal error": (_answer(500, "application_error"), Retry(None, "500 no")),
            "gateway": (HttpResponse(504), Retry(None, "504")),
            "success without id": (HttpResponse(200, {}, b"{}"), Unknown("200 {}")),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


@pytest.mark.parametrize(
    ("change", "name"),
    cases(
        {
            "no sender": ({"from": ""}, "missing_required_field"),
            "no recipient": ({"to": []}, "missing_required_field"),
            "no address": ({"to": ["ann"]}, "validation_error"),
            "51 recipients": ({"to": ["a@example.com"] * 51}, "validation_error"),
            "no body": ({"text": "", "html": ""}, "missing_required_field"),
            "a tag outside the alphabet": (
                {"tags": [{"name": "a b", "value": "c"}]},
                "validation_error",
            ),
            "no base64": ({"attachments": [{"content": "?"}]}, "invalid_attachment"),
        }
    ),
)
def test_the_fake_refuses_what_resend_refuses(
    fake: ResendFake, change: dict[str, Any], name: str
) -> None:
    request = PROVIDER.build_send(outgoing(), CONFIG, NOW)
    body = json.dumps(json.loads(request.body) | change).encode()

    answer = fake.handle(replace(request, body=body))

    assert (answer.status, json.loads(answer.body)["name"]) == (422, name)
    assert not fake.caught


short = st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace").decode())


@given(short, st.dictionaries(short, short))
def test_tag_and_metadata_come_back_whatever_their_letters(
    tag: str, metadata: dict[str, str]
) -> None:
    written = resend_tags.tags(outgoing(tag=tag, metadata=metadata))

    back = resend_tags.read({t["name"]: t["value"] for t in written})

    assert resend_tags.tag(back) == tag
    assert resend_tags.metadata(back) == {n: v for n, v in metadata.items() if v}


def test_what_is_too_long_for_a_tag_stays_in_the_store() -> None:
    written = resend_tags.tags(outgoing(**ONE, tag="", metadata={"long": "x" * 257, "a": "b"}))
    assert written == [{"name": "a", "value": "b"}]


@pytest.mark.parametrize(
    ("key", "value"),
    [("api_url", "http://x.example"), ("insecure", "maybe"), ("signing_secret", "whsec_short")],
)
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"resend: {key} ") as raised:
        PROVIDER.configure({**OPTIONS, key: value})
    assert "whsec_short" not in str(raised.value)
