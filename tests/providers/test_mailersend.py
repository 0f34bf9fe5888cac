from __future__ import annotations

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
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.body_hmac import sign
from inboxkit.providers.fakes.mailersend import MailerSendFake
from inboxkit.providers.mailersend import TEST_SECRET, MailerSend
from inboxkit.values import Address, EventType

from .conformance import Conformance
from .recordings import posted, seen
from .tampering import forged
from .vendor import MAILS, NOW, PAYLOADS, Vendor, cases, outgoing, recorded

if TYPE_CHECKING:
    from inboxkit.providers.fakes.fake import Fake

OPTIONS = {
    "api_key": "key-secret-1",
    "signing_secret": "signing-secret-2",
    "inbound_secret": "password-secret-3",
}
PROVIDER = MailerSend()
CONFIG = PROVIDER.configure(OPTIONS)
TWO = ("eve@example.com", "zoe@example.com")


class TestMailerSend(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=MailerSendFake,
        required=("api_key",),
        refusal=401,
        tampered=lambda post: forged(post, "signature"),
        lacks=frozenset({EventType.ACCEPTED, EventType.REJECTED}),
        lossy=frozenset({"8-bit", "gb18030", "every byte"}),
    )

    def known_ids(self, fake: Fake, message: Any, sent: Sent) -> tuple[str, ...]:
        # nobody tells which id the recipients see: answers are known by References
        return (fake.caught[0].message_id,)


def _mail(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)
    return found


def _sent(fake: MailerSendFake, **changes: Any) -> object:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


@pytest.fixture
def fake() -> MailerSendFake:
    return MailerSendFake(CONFIG, lambda: NOW)


def test_the_recipients_get_the_parts_and_the_references(fake: MailerSendFake) -> None:
    assert _sent(fake) == Sent(fake.caught[0].id)

    mail = parse(fake.caught[0].mime)
    assert (mail.text.strip(), mail.subject) == ("Which size? 尺码", "Größe 尺码")
    assert (mail.in_reply_to, mail.references) == ("<a1@example.com>", ("<a1@example.com>",))
    assert [(a.filename, a.content_id) for a in mail.attachments if a.inline] == [
        ("logo.png", "logo")
    ]
    assert fake.caught[0].rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert b"eve@" not in fake.caught[0].mime


def test_message_ids_go_without_angle_brackets() -> None:
    mail = _mail(headers={"in-reply-to": "<a@b>", "References": "<x@y>  <a@b>"})

    assert (mail["in_reply_to"], mail["references"]) == ("a@b", ["x@y", "a@b"])
    assert "headers" not in mail


def test_options_of_the_message_are_sent_along() -> None:
    due = NOW + timedelta(hours=71)
    mail = _mail(send_at=due, track_opens=False, template="t1", variables={"a": "b"})

    assert mail["settings"] == {"track_opens": False}
    assert (mail["send_at"], mail["template_id"]) == (int(due.timestamp()), "t1")
    assert [p["email"] for p in mail["personalization"]] == [
        "ann@example.com",
        "ben@example.com",
        "eve@example.com",
    ]
    assert "settings" not in _mail()
    assert "send_at" not in _mail(send_at=NOW - timedelta(hours=1))


def test_blind_copies_alone_are_a_mail_for_each(fake: MailerSendFake) -> None:
    sent: Any = _sent(fake, rcpt_to=TWO, to=(), cc=(), bcc=())

    assert [caught.rcpt_to for caught in fake.caught] == [(TWO[0],), (TWO[1],)]
    assert sent.provider_id.startswith("bulk:")


def test_variables_by_recipient_are_a_mail_for_each() -> None:
    own = {TWO[0]: {"name": "Eve"}}
    message = outgoing(rcpt_to=TWO, to=(), cc=(), recipient_variables=own)
    mails = json.loads(PROVIDER.build_send(message, CONFIG, NOW).body)

    assert [mail["personalization"][0]["data"] for mail in mails] == [{"name": "Eve"}, {}]


def test_our_id_comes_back_in_events_though_there_is_no_metadata(fake: MailerSendFake) -> None:
    _sent(fake, metadata={"inboxkit_id": "msg_7", "order": "42"})
    post = fake.event(EventType.DELIVERED, fake.caught[0], "ann@example.com")

    [event] = PROVIDER.parse_events(post, CONFIG)

    assert event.data["metadata"] == {"inboxkit_id": "msg_7"}
    assert (event.data["tags"], fake.caught[0].tags) == (["order"], ("order",))


def test_headers_are_for_enterprise_accounts() -> None:
    message = outgoing(headers={"X-Order": "42", "References": "<a@b>"})
    with pytest.raises(UnsupportedFeature, match="headers"):
        PROVIDER.build_send(message, CONFIG, NOW)

    config = PROVIDER.configure({**OPTIONS, "custom_headers": "yes"})
    fake = MailerSendFake(config, lambda: NOW)
    fake.handle(PROVIDER.build_send(message, config, NOW))
    assert parse(fake.caught[0].mime).headers.get("x-order") == "42"


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "later than 72 hours": {"send_at": NOW + timedelta(hours=73)},
            "two Reply-To": {"reply_to": (Address("a@b.example"), Address("c@d.example"))},
            "51 in To": {"to": tuple(Address(f"a{n}@example.com") for n in range(51))},
            "11 blind copies": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(11))},
            "501 mails": {
                **dict.fromkeys(("to", "cc", "bcc"), ()),
                "rcpt_to": tuple(f"a{n}@example.com" for n in range(501)),
            },
        }
    ),
)
def test_what_mailersend_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="mailersend"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def test_suppressed_recipients_are_told_of(fake: MailerSendFake) -> None:
    some: Any = _sent(fake, rcpt_to=("ann@example.com", "suppressed@example.com"), cc=(), bcc=())
    none = _sent(fake, rcpt_to=("suppressed@example.com",), to=(), cc=(), bcc=())

    assert some.recipients == {"suppressed@example.com": "suppressed: hard_bounced"}
    assert isinstance(none, Refused)
    assert none.reason_class == "recipient"


def _said(status: int, **answer: Any) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps(answer).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "sent": (HttpResponse(202, {"x-message-id": "5e42"}), Sent("5e42")),
            "no id": (HttpResponse(202), Unknown("202")),
            "invalid": (
                _said(422, message="Invalid.", errors={"to": ["The to field is required."]}),
                Refused("422 Invalid. The to field is required.", "message"),
            ),
            "domain not verified": (
                _said(422, message="The from.email domain must be verified. #MS42207"),
                Refused("422 The from.email domain must be verified. #MS42207", "settings"),
            ),
            "wrong key": (
                _said(401, message="Unauthenticated."),
                Refused("401 Unauthenticated.", "credentials"),
            ),
            "suspended": (HttpResponse(403), Refused("403", "account")),
            "rate limit": (
                HttpResponse(429, {"retry-after": "30"}),
                Retry(timedelta(seconds=30), "429"),
            ),
            "gateway": (HttpResponse(504), Unknown("504")),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


@pytest.mark.parametrize("case", [c for c in recorded("mailersend") if c.id != "inbound"])
def test_documented_events_are_normalized(case: Any) -> None:
    events = PROVIDER.parse_events(posted(case), CONFIG)

    assert seen(events, case) == case["expected"]
    assert {event.at for event in events} == {NOW - timedelta(seconds=1)}


def test_an_unknown_event_keeps_its_payload() -> None:
    payload = {"type": "activity.teleported", "created_at": "2026-01-02T03:04:05Z", "where": "Mars"}

    [event] = PROVIDER.parse_events(posted({"payload": payload}), CONFIG)

    assert (event.type, event.data["payload"]) == (EventType.UNKNOWN, payload)


@pytest.mark.parametrize(
    "payload",
    cases({"a list": [[]], "nothing": {}, "no time": {"type": "activity.opened", "data": {}}}),
)
def test_events_without_sense_are_parse_errors(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(posted({"payload": payload}), CONFIG)


def _inbound(**changes: object) -> WebhookRequest:
    case = json.loads((PAYLOADS / "mailersend" / "inbound.json").read_text())
    case["payload"]["data"] |= changes
    return posted(case)


def test_mail_comes_in_whole_with_every_recipient_of_the_envelope() -> None:
    [mail] = PROVIDER.parse_inbound(_inbound(), CONFIG)

    assert (mail.mail_from, mail.event_id) == ("bounces+7@example.com", "ibm123")
    assert mail.rcpt_to == ("support@shop.example", "orders@shop.example")
    assert (parse(mail.raw).text.strip(), parse(mail.raw).subject) == ("Größe 42", "Re: Größe")


@pytest.mark.parametrize("changes", [{"raw": None}, {"recipients": {}}], ids=str)
def test_mail_without_text_or_recipient_is_a_parse_error(changes: Any) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_inbound(_inbound(**changes), CONFIG)


def test_the_ping_of_a_new_webhook_is_answered_and_nothing_else_that_it_signs(
    fake: MailerSendFake,
) -> None:
    ping = fake.ping()
    other = _inbound()
    other = replace(other, headers={"signature": sign(TEST_SECRET, other.body)})

    assert isinstance(PROVIDER.verify(ping, CONFIG, NOW), Verified)
    assert (PROVIDER.parse_events(ping, CONFIG), PROVIDER.parse_inbound(ping, CONFIG)) == ((), ())
    assert isinstance(PROVIDER.verify(other, CONFIG, NOW), Unverified)
    large = replace(ping, body=ping.body[:-1] + b', "x": "' + b"y" * 500 + b'"}')
    large = replace(large, headers={"signature": sign(TEST_SECRET, large.body)})
    assert isinstance(PROVIDER.verify(large, CONFIG, NOW), Unverified)
    bad = replace(ping, headers={})
    assert isinstance(PROVIDER.verify(bad, CONFIG, NOW), Unverified)


def test_events_and_mail_have_secrets_of_their_own(fake: MailerSendFake) -> None:
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")
    config = PROVIDER.configure({"api_key": "k", "signing_secret": "signing-secret-2"})

    assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Verified)
    assert isinstance(PROVIDER.verify(post, config, NOW), Unverified)


def test_anybody_may_post_only_if_the_user_insists() -> None:
    config = PROVIDER.configure({"api_key": "k", "insecure": "yes"})

    assert isinstance(PROVIDER.verify(WebhookRequest(), config, NOW), Verified)
    with pytest.raises(ConfigurationError, match="mailersend: signing_secret"):
        PROVIDER.configure({"api_key": "k"})


@pytest.mark.parametrize("automatic", [True, False], ids=["automatic", "by hand"])
def test_an_automatic_mail_is_marked_as_bulk(automatic: bool) -> None:
    vendor = TestMailerSend.vendor
    fake = vendor.fake()
    vendor.send(fake, vendor.message(automatic=automatic))
    assert (b"Precedence: bulk" in fake.caught[0].mime) is automatic
