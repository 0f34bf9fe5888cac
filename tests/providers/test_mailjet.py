from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.errors import UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers.base import (
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
from inboxkit.providers.fakes.mailjet import MailjetFake
from inboxkit.providers.mailjet import Mailjet
from inboxkit.values import Address, EventType, File

from .conformance import Conformance
from .recordings import posted, seen
from .tampering import unauthorized
from .vendor import MAILS, NOW, PAYLOADS, Vendor, cases, outgoing, recorded

if TYPE_CHECKING:
    from inboxkit.providers.fakes.fake import Fake

OPTIONS = {
    "api_key": "key-secret-1",
    "secret_key": "signing-secret-2",
    "webhook_password": "password-secret-3",
}
PROVIDER = Mailjet()
CONFIG = PROVIDER.configure(OPTIONS)
TWO = ("eve@example.com", "zoe@example.com")


class TestMailjet(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=MailjetFake,
        required=("api_key", "secret_key", "webhook_password"),
        refusal=401,
        tampered=unauthorized,
        lacks=frozenset({EventType.ACCEPTED}),
        most=50,
        lossy=frozenset(MAILS),
    )

    def known_ids(self, fake: Fake, message: Any, sent: Sent) -> tuple[str, ...]:
        # nobody tells which id the recipients see: answers are known by References and payload
        return (fake.caught[0].message_id,)


def _mail(**changes: Any) -> dict[str, Any]:
    request = PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)
    [mail] = json.loads(request.body)["Messages"]
    found: dict[str, Any] = mail
    return found


def _sent(fake: MailjetFake, **changes: Any) -> object:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


@pytest.fixture
def fake() -> MailjetFake:
    return MailjetFake(CONFIG, lambda: NOW)


def test_the_recipients_get_the_parts_under_an_id_of_mailjets(fake: MailjetFake) -> None:
    assert _sent(fake) == Sent(fake.caught[0].id)

    mail = parse(fake.caught[0].mime)
    assert mail.message_id.endswith("mailjet.com>")
    assert (mail.text.strip(), mail.subject) == ("Which size? 尺码", "Größe 尺码")
    assert [(a.filename, a.inline) for a in mail.attachments] == [
        ("logo.png", True),
        ("rechnung ü.pdf", False),
    ]
    assert fake.caught[0].rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert b"eve@" not in fake.caught[0].mime


def test_blind_copies_alone_are_a_mail_for_each(fake: MailjetFake) -> None:
    _sent(fake, rcpt_to=TWO, to=(), cc=(), bcc=())

    assert [caught.rcpt_to for caught in fake.caught] == [(TWO[0],), (TWO[1],)]


def test_variables_by_recipient_are_a_mail_for_each() -> None:
    own = {TWO[0]: {"name": "Eve"}}
    message = outgoing(rcpt_to=TWO, to=(), cc=(), recipient_variables=own, variables={"shop": "S"})
    mails = json.loads(PROVIDER.build_send(message, CONFIG, NOW).body)["Messages"]

    assert [m["Variables"] for m in mails] == [{"shop": "S", "name": "Eve"}, {"shop": "S"}]
    assert all(m["TemplateLanguage"] for m in mails)


def test_options_of_the_message_are_sent_along() -> None:
    mail = _mail(track_opens=False, track_clicks=True, template="12", variables={"a": "b"})

    assert (mail["TrackOpens"], mail["TrackClicks"]) == ("disabled", "enabled")
    assert (mail["TemplateID"], mail["Variables"]) == (12, {"a": "b"})
    assert (mail["CustomID"], mail["CustomCampaign"]) == ("order-42", "order")
    assert json.loads(mail["EventPayload"])["inboxkit_message_id"] == "<order-42.1@shop.example>"
    assert "TrackOpens" not in _mail()


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "scheduled": {"send_at": NOW},
            "two Reply-To": {"reply_to": (Address("a@b.example"), Address("c@d.example"))},
            "a header that mailjet sets": {"headers": {"Message-Id": "<a@b>"}},
            "template by name": {"template": "welcome"},
            "51 recipients": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(51))},
        }
    ),
)
def test_what_mailjet_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="mailjet"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def _answer(status: int, *messages: object) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps({"Messages": messages}).encode())


GOOD = {"Status": "success", "To": [{"Email": TWO[0], "MessageID": 456}]}
BAD = {"Status": "error", "Errors": [{"ErrorCode": "mj-0013", "ErrorMessage": "not valid"}]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "sent": (_answer(200, GOOD), Sent("456")),
            "the second not": (
                _answer(400, GOOD, BAD),
                Sent("456", (), {TWO[1]: "mj-0013 not valid"}),
            ),
            "the first not": (
                _answer(400, BAD, GOOD),
                Sent("456", (), {TWO[0]: "mj-0013 not valid"}),
            ),
            "none": (_answer(400, BAD, BAD), Refused("400 mj-0013 not valid; mj-0013 not valid")),
            "none, with 200": (_answer(200, BAD), Refused("200 mj-0013 not valid")),
            "no words": (_answer(400, {"Status": "error"}), Refused("400 error")),
            "wrong key": (
                HttpResponse(401, {}, b'{"ErrorMessage": "no", "StatusCode": 401}'),
                Refused("401 no", "credentials"),
            ),
            "blocked account": (HttpResponse(403), Refused("403", "account")),
            "rate limit": (HttpResponse(429), Retry(None, "429")),
            "no ids": (_answer(200, {"Status": "success"}), Unknown("200")),
            "internal error": (HttpResponse(500), Unknown("500")),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: Any) -> None:
    message = outgoing(rcpt_to=TWO, to=(), cc=(), bcc=())

    outcome: Any = PROVIDER.parse_send(answer, message, CONFIG)

    if isinstance(expected, Unknown):
        assert isinstance(outcome, Unknown)
        return
    assert outcome == expected


def test_the_sandbox_checks_and_drops() -> None:
    config = PROVIDER.configure({**OPTIONS, "sandbox": "yes"})
    fake = MailjetFake(config, lambda: NOW)
    answer = fake.handle(PROVIDER.build_send(outgoing(), config, NOW))

    assert PROVIDER.parse_send(answer, outgoing(), config) == Sent()
    assert not fake.caught


def test_a_lost_send_is_found_by_its_key(fake: MailjetFake) -> None:
    message = outgoing()
    request = PROVIDER.build_lookup(message, CONFIG, NOW)
    before = PROVIDER.parse_lookup(fake.handle(request), message, CONFIG)
    _sent(fake, idempotency_key="another")
    _sent(fake)

    after = PROVIDER.parse_lookup(fake.handle(request), message, CONFIG)

    assert isinstance(before, Unknown)
    assert after == Sent(fake.caught[1].id)


@pytest.mark.parametrize("case", [c for c in recorded("mailjet") if c.id != "inbound"])
def test_documented_events_are_normalized(case: Any) -> None:
    events = PROVIDER.parse_events(posted(case), CONFIG)

    assert seen(events, case) == case["expected"]
    assert {event.at.timestamp() for event in events} == {1_767_323_045}


def test_an_unknown_event_keeps_its_payload_and_repeats_have_one_id() -> None:
    data = {"event": "teleported", "time": 1_767_323_045, "where": "Mars"}

    [event] = PROVIDER.parse_events(posted({"payload": data}), CONFIG)
    [again] = PROVIDER.parse_events(posted({"payload": [data]}), CONFIG)

    assert (event.type, event.data["payload"]) == (EventType.UNKNOWN, data)
    assert event.event_id == again.event_id


@pytest.mark.parametrize(
    "payload",
    cases({"a number": 7, "nothing": {}, "no time": {"event": "open"}, "a list": [[]]}),
)
def test_events_without_sense_are_parse_errors(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(posted({"payload": payload}), CONFIG)


def _inbound(**changes: object) -> InboundMail:
    payload = json.loads((PAYLOADS / "mailjet" / "inbound.json").read_text())["payload"]
    [mail] = PROVIDER.parse_inbound(posted({"payload": {**payload, **changes}}), CONFIG)
    return mail


def test_mail_in_pieces_is_put_together_with_its_files() -> None:
    mail = _inbound()

    assert (mail.mail_from, mail.rcpt_to) == ("ann@example.com", ("support@shop.example",))
    read = parse(mail.raw)
    assert (read.subject, read.text.strip()) == ("Re: Größe", "Größe 42, danke.")
    assert len(read.headers.all("received")) == 2
    assert sorted((a.filename, a.inline, a.data) for a in read.attachments) == [
        ("fuß.pdf", False, b"%PDF\x00\xff"),
        ("logo.png", True, b"\x89PNG\r\n\x1a\n"),
    ]


def test_what_mailjet_says_is_answered_is_cited_first() -> None:
    read = parse(_inbound().raw)

    theirs = "<1ab23cd4.e5674901@bnc3.mailjet.com>"
    assert (read.in_reply_to, read.references) == (theirs, ("<order-42.1@shop.example>", theirs))


@pytest.mark.parametrize("sent_along", ["", "{'not': 'json'}", '{"order": "1"}', 7, None])
def test_mail_that_answers_nothing_of_ours_stays_as_it_is(sent_along: object) -> None:
    assert b"References" not in _inbound(Payload=sent_along).raw


def test_a_file_that_is_no_base64_is_kept_as_it_came() -> None:
    [pdf] = [a for a in parse(_inbound(Attachment1="a").raw).attachments if not a.inline]

    assert pdf.data == b"a"


@pytest.mark.parametrize("name", ["plain", "8-bit", "gb18030", "duplicate headers"])
def test_pieces_say_what_the_mail_said(fake: MailjetFake, name: str) -> None:
    post = fake.inbound(MAILS[name], recipient="a@shop.example", mail_from="ann@example.com")

    [mail] = PROVIDER.parse_inbound(post, CONFIG)

    said, read = parse(MAILS[name]), parse(mail.raw)
    assert (read.text.strip(), read.subject) == (said.text.strip(), said.subject)
    assert (read.message_id, read.senders) == (said.message_id, said.senders)
    assert read.headers.all("x-same") == said.headers.all("x-same")


def test_mail_without_a_recipient_is_a_parse_error() -> None:
    with pytest.raises(ParseError):
        _inbound(Recipient="")


def test_anybody_may_post_only_if_the_user_insists() -> None:
    options = {"api_key": "a", "secret_key": "b", "insecure": "yes"}
    config = PROVIDER.configure(options)

    assert isinstance(PROVIDER.verify(WebhookRequest(), config, NOW), Verified)


def test_a_file_without_a_name_is_sent_under_one() -> None:
    [file] = _mail(attachments=(File("", b"x"),))["Attachments"]

    assert file["Filename"] == "attachment"
    assert file["ContentType"] == "application/octet-stream"
