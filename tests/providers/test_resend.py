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
    Verified,
    WebhookRequest,
)
from inboxkit.providers.fakes.resend import ResendFake
from inboxkit.providers.resend import Resend
from inboxkit.signatures import Key
from inboxkit.values import Address, EventType, File

from .conformance import Conformance
from .signed import KEY, tampered
from .vendor import MAILS, NOW, Vendor, cases, outgoing, recorded, value_of

if TYPE_CHECKING:
    from inboxkit.providers.base import Outgoing
    from inboxkit.providers.fakes.fake import Fake

OPTIONS = {"api_key": "key-secret-1", "signing_secret": KEY.secret}
PROVIDER = Resend()
CONFIG = PROVIDER.configure(OPTIONS)
JSON = {"content-type": "application/json"}
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


def _post(payload: object) -> WebhookRequest:
    return WebhookRequest(headers=JSON, body=json.dumps(payload).encode())


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


@pytest.mark.parametrize("case", recorded("resend"))
def test_documented_events_are_normalized(case: Any) -> None:
    [event] = PROVIDER.parse_events(_post(case["payload"]), CONFIG)

    [expected] = case["expected"]
    assert {name: value_of(event, name) for name in expected} == expected
    assert event.at.replace(microsecond=0) == NOW - timedelta(seconds=1)
    assert (event.type is EventType.UNKNOWN) == ("payload" in event.data)


def test_an_event_keeps_its_id_at_every_retry(fake: ResendFake) -> None:
    _sent(fake)
    post = fake.event(EventType.DELIVERED, fake.caught[0], "ann@example.com")

    [event] = PROVIDER.parse_events(post, CONFIG)

    assert PROVIDER.verify(post, CONFIG, NOW) == Verified(event.event_id)


@pytest.mark.parametrize("name", ["contact.created", "domain.updated", "inbox.email.received"])
def test_what_is_not_about_a_mail_of_ours_is_passed_over(name: str) -> None:
    post = _post({"type": name, "created_at": "2026-01-02T03:04:05Z", "data": {}})
    assert not PROVIDER.parse_events(post, CONFIG)
    assert not PROVIDER.parse_inbound(post, CONFIG)


@pytest.mark.parametrize(
    "payload",
    cases(
        {
            "a list": [],
            "nothing": {},
            "no time": {"type": "email.sent", "data": {}},
            "a time of no calendar": {"type": "email.sent", "created_at": "2026-99-99"},
        }
    ),
)
def test_events_without_sense_are_parse_errors(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(_post(payload), CONFIG)


# mail


def _described(fake: ResendFake, **changes: Any) -> tuple[InboundMail | FetchPlan, ...]:
    """Return what the description of a mail comes to, with these fields changed."""
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")
    [plan] = PROVIDER.parse_inbound(post, CONFIG)
    request = PROVIDER.build_send(outgoing(), CONFIG, NOW)
    answer = fake.handle(replace(request, method="GET", url=plan.url, body=b""))
    body = json.dumps(json.loads(answer.body) | changes).encode()
    return PROVIDER.parse_fetched(plan, HttpResponse(200, {}, body), CONFIG)


def test_the_key_is_sent_to_the_api_and_to_no_other_host(fake: ResendFake) -> None:
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")

    [first] = PROVIDER.parse_inbound(post, CONFIG)
    [second] = _described(fake)

    assert isinstance(second, FetchPlan)
    assert (first.hosts, "Authorization" in first.headers) == (("api.resend.com",), True)
    assert (second.is_allowed, second.headers) == (True, {})


def test_a_download_from_elsewhere_is_not_allowed(fake: ResendFake) -> None:
    [plan] = _described(fake, raw={"download_url": "https://evil.example/x"})
    assert isinstance(plan, FetchPlan)
    assert not plan.is_allowed


def test_an_id_in_a_webhook_cannot_lead_to_another_path() -> None:
    data = {"email_id": "../emails/x?y"}
    [plan] = PROVIDER.parse_inbound(_post({"type": "email.received", "data": data}), CONFIG)
    assert plan.url.startswith("https://api.resend.com/emails/receiving/..%2Femails%2Fx%3Fy?")


@pytest.mark.parametrize("email_id", ["", "..", None, 7.5])
def test_a_webhook_without_a_usable_id_is_a_parse_error(email_id: object) -> None:
    post = _post({"type": "email.received", "data": {"email_id": email_id}})
    with pytest.raises(ParseError, match="email_id"):
        PROVIDER.parse_inbound(post, CONFIG)


def test_a_mail_without_its_raw_form_is_rebuilt(fake: ResendFake) -> None:
    [inbound] = _described(fake, raw=None, html="<p>Which size?</p>")

    assert isinstance(inbound, InboundMail)
    mail = parse(inbound.raw)
    assert (inbound.mail_from, inbound.rcpt_to) == ("b@example.com", ("a@shop.example",))
    assert (mail.message_id, mail.subject, mail.text.strip()) == (
        "<a1@example.com>",
        "Size",
        "Which size?",
    )


def test_attachments_that_would_be_lost_are_a_parse_error(fake: ResendFake) -> None:
    with pytest.raises(ParseError, match="attachments"):
        _described(fake, raw=None, attachments=[{"id": "1"}])


def test_an_answer_without_the_mail_is_a_parse_error(fake: ResendFake) -> None:
    plan = FetchPlan(url="https://api.resend.com/x", hosts=(), then="bytes")
    with pytest.raises(ParseError, match="302"):
        PROVIDER.parse_fetched(plan, HttpResponse(302), CONFIG)


@pytest.mark.parametrize(
    ("changes", "recipients"),
    cases(
        {
            "received for several": (
                {"received_for": ["a@shop.example", "b@shop.example"]},
                ("a@shop.example", "b@shop.example"),
            ),
            "not said": ({"received_for": [], "to": ["C <c@shop.example>"]}, ("c@shop.example",)),
            "nobody named": ({"received_for": None, "to": []}, ("a@shop.example",)),
        }
    ),
)
def test_every_recipient_of_the_envelope_is_kept(
    fake: ResendFake, changes: dict[str, Any], recipients: tuple[str, ...]
) -> None:
    [inbound] = _described(fake, raw=None, **changes)
    assert isinstance(inbound, InboundMail)
    assert inbound.rcpt_to == recipients


# settings


def test_each_endpoint_may_have_a_secret_of_its_own(fake: ResendFake) -> None:
    other = Key(b"another key of this account")
    config = PROVIDER.configure({**OPTIONS, "signing_secret": f"{other.secret}, {KEY.secret}"})
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")

    assert isinstance(PROVIDER.verify(post, config, NOW), Verified)


def test_without_a_secret_everybody_may_post_only_if_the_user_insists(fake: ResendFake) -> None:
    config = PROVIDER.configure({"api_key": "k", "insecure": "yes"})
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")

    assert PROVIDER.verify(post, config, NOW) == Verified(post.header("svix-id"))
    assert isinstance(PROVIDER.verify(_post({}), config, NOW), Verified)


@pytest.mark.parametrize(
    ("key", "value"),
    [("api_url", "http://x.example"), ("insecure", "maybe"), ("signing_secret", "whsec_short")],
)
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"resend: {key} ") as raised:
        PROVIDER.configure({**OPTIONS, key: value})
    assert "whsec_short" not in str(raised.value)


def test_an_event_is_a_value_without_its_payload_in_the_repr() -> None:
    [event] = PROVIDER.parse_events(
        _post({"type": "email.sent", "created_at": "2026-01-02T03:04:05Z", "data": {"x": "y"}}),
        CONFIG,
    )
    assert isinstance(event, ProviderEvent)
    assert event.recipient == ""


def test_a_fake_that_is_served_under_a_path_names_downloads_there() -> None:
    config = PROVIDER.configure({**OPTIONS, "api_url": "http://127.0.0.1:9/vendor"})
    fake = ResendFake(config, lambda: NOW)
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")
    [first] = PROVIDER.parse_inbound(post, config)
    url = first.url.replace("/vendor", "")  # as the server that strips the path has it

    answer = fake.handle(HttpRequest(method="GET", url=url, headers=first.headers))

    [second] = PROVIDER.parse_fetched(first, answer, config)
    assert isinstance(second, FetchPlan)
    assert second.is_allowed
    assert second.url.startswith("http://127.0.0.1:9/vendor/")
