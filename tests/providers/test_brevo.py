from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers.base import (
    FetchPlan,
    HttpRequest,
    HttpResponse,
    InboundMail,
    ParseError,
    Refused,
    Retry,
    Sent,
    Unknown,
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.brevo import Brevo
from inboxkit.providers.fakes.brevo import BrevoFake
from inboxkit.values import Address, EventType, File

from .conformance import Conformance
from .recordings import posted, seen
from .tampering import unauthorized
from .vendor import MAILS, NOW, PAYLOADS, Vendor, cases, outgoing, recorded

OPTIONS = {"api_key": "key-secret-1", "webhook_password": "password-secret-3"}
PROVIDER = Brevo()
CONFIG = PROVIDER.configure(OPTIONS)
PDF = File("a.pdf", b"%PDF", "application/pdf")
ID = "<202601020304.1@smtp-relay.mailin.fr>"


class TestBrevo(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=BrevoFake,
        required=("api_key", "webhook_password"),
        refusal=429,
        tampered=unauthorized,
        lossy=frozenset(MAILS),
    )


def _payload(**changes: Any) -> dict[str, Any]:
    message = outgoing(attachments=(PDF,), **changes)
    payload: dict[str, Any] = json.loads(PROVIDER.build_send(message, CONFIG, NOW).body)
    return payload


def _sent(fake: BrevoFake, **changes: Any) -> object:
    message = outgoing(**{"attachments": (PDF,), **changes})
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


@pytest.fixture
def fake() -> BrevoFake:
    return BrevoFake(CONFIG, lambda: NOW)


def test_recipients_see_the_message_id_that_the_answer_names(fake: BrevoFake) -> None:
    sent = _sent(fake)

    mail = parse(fake.caught[0].mime)
    assert mail.message_id.endswith("@smtp-relay.mailin.fr>")
    assert sent == Sent(mail.message_id, (mail.message_id,))
    assert (mail.text.strip(), mail.subject) == ("Which size? 尺码", "Größe 尺码")
    assert mail.references == ("<a1@example.com>",)
    assert [a.filename for a in mail.attachments] == ["a.pdf"]


def test_blind_copies_and_unnamed_recipients_are_in_no_header(fake: BrevoFake) -> None:
    everybody = ("ann@example.com", "eve@example.com", "zoe@example.com")
    _sent(fake, rcpt_to=everybody, cc=())

    assert fake.caught[0].rcpt_to == everybody
    assert b"eve@" not in fake.caught[0].mime
    assert b"zoe@" not in fake.caught[0].mime


def test_blind_copies_alone_are_a_mail_for_each(fake: BrevoFake) -> None:
    sent = _sent(fake, rcpt_to=("eve@example.com", "zoe@example.com"), to=(), cc=())

    assert [caught.rcpt_to for caught in fake.caught] == [
        ("eve@example.com",),
        ("zoe@example.com",),
    ]
    assert isinstance(sent, Sent)
    assert sent.aliases == tuple(caught.message_id for caught in fake.caught)


def test_variables_by_recipient_are_versions() -> None:
    own = {"ann@example.com": {"name": "Ann"}}
    payload = _payload(
        rcpt_to=("ann@example.com", "ben@example.com"),
        bcc=(),
        recipient_variables=own,
        variables={"shop": "S"},
        template="12",
    )

    versions = [(v["to"][0]["email"], v["params"]) for v in payload["messageVersions"]]
    assert versions == [
        ("ann@example.com", {"shop": "S", "name": "Ann"}),
        ("ben@example.com", {"shop": "S"}),
    ]
    assert (payload["templateId"], "to" in payload) == (12, False)


def test_a_name_that_brevo_would_drop_goes_encoded() -> None:
    people = (Address("ann@example.com", "Müller, Jörg"),)
    payload = _payload(to=people, sender=people[0], reply_to=people)

    assert payload["sender"]["name"] == "=?utf-8?b?TcO8bGxlciwgSsO2cmc=?="
    assert payload["to"] == [payload["sender"]]
    assert payload["replyTo"] == {"email": "ann@example.com"}
    shop = Address("a@b.example", "B, C")
    plain = _payload(sender=Address("a@b.example", "Jörg"), reply_to=(shop,))
    assert (plain["sender"]["name"], plain["replyTo"]["name"]) == ("Jörg", "B, C")


def test_text_alone_is_sent_as_html_too() -> None:
    assert _payload(html="", text="1 < 2\nyes")["htmlContent"] == "1 &lt; 2<br>\nyes"


def test_when_and_under_which_key_it_is_sent() -> None:
    payload = _payload(send_at=NOW + timedelta(days=2))

    assert payload["scheduledAt"] == "2026-01-04T03:04:06.000Z"
    key = payload["headers"]["idempotencyKey"]
    assert (key[14], key) == ("4", _payload()["headers"]["idempotencyKey"])
    assert key != _payload(idempotency_key="other")["headers"]["idempotencyKey"]


def test_metadata_goes_in_ascii_without_escapes() -> None:
    value = _payload()["headers"]["X-Mailin-custom"]
    assert value == "order=42&gr%C3%B6%C3%9Fe=%C3%BC%26%3D%25%2B"


def test_a_topic_beyond_ascii_is_left_out_rather_than_refused() -> None:
    headers = _payload(headers={"Thread-Topic": "Größe", "Thread-Index": "AQ=="})["headers"]

    assert "Thread-Topic" not in headers
    assert headers["Thread-Index"] == "AQ=="


def test_a_key_used_twice_sends_once_and_is_no_refusal(fake: BrevoFake) -> None:
    _sent(fake)

    assert isinstance(_sent(fake), Unknown)
    assert len(fake.caught) == 1


def test_the_sandbox_checks_and_drops() -> None:
    config = PROVIDER.configure({**OPTIONS, "sandbox": "yes"})
    fake = BrevoFake(config, lambda: NOW)
    request = PROVIDER.build_send(outgoing(attachments=()), config, NOW)

    assert (fake.handle(request).status, fake.caught) == (201, [])


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "inline image": {"attachments": outgoing().attachments},
            "tracking by message": {"track_opens": True},
            "two Reply-To": {"reply_to": (Address("a@b.example"), Address("c@d.example"))},
            "header beyond ASCII": {"headers": {"X-Größe": "ü"}},
            "template by name": {"template": "welcome"},
            "2001 recipients": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(2001))},
        }
    ),
)
def test_what_brevo_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="brevo"):
        PROVIDER.build_send(outgoing(**{"attachments": (), **changes}), CONFIG, NOW)


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "sent": (HttpResponse(201, {}, b'{"messageId": "<a@b>"}'), Sent("<a@b>", ("<a@b>",))),
            "versions": (
                HttpResponse(201, {}, b'{"messageIds": ["<a@b>", "<c@d>"]}'),
                Sent("<a@b>", ("<a@b>", "<c@d>")),
            ),
            "no id": (HttpResponse(201, {}, b"{}"), Unknown("201 {}")),
            "bad request": (
                HttpResponse(400, {}, b'{"code": "missing_parameter", "message": "to is missing"}'),
                Refused("400 to is missing", "message"),
            ),
            "wrong key": (HttpResponse(401), Refused("401", "credentials")),
            "no credits": (HttpResponse(402), Refused("402", "account")),
            "rate limit": (
                HttpResponse(429, {"x-sib-ratelimit-reset": "17"}),
                Retry(timedelta(seconds=17), "429"),
            ),
            "gateway": (HttpResponse(502), Unknown("502")),
            "internal error": (HttpResponse(500), Unknown("500")),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


def test_a_file_that_brevo_does_not_take_is_its_refusal(fake: BrevoFake) -> None:
    refused = _sent(fake, attachments=(File("run.exe", b"MZ"),))

    assert refused == Refused("400 Unsupported file format: run.exe", "message")


@pytest.mark.parametrize("case", [c for c in recorded("brevo") if c.id != "inbound"])
def test_documented_events_are_normalized(case: Any) -> None:
    events = PROVIDER.parse_events(posted(case), CONFIG)

    assert seen(events, case) == case["expected"]
    assert {event.at for event in events} == {NOW - timedelta(seconds=1)}


def test_an_unknown_event_keeps_its_payload_and_repeats_have_one_id() -> None:
    data = {"event": "teleported", "ts_epoch": 1_767_323_045_000, "where": "Mars"}

    [event] = PROVIDER.parse_events(posted({"payload": data}), CONFIG)
    [again] = PROVIDER.parse_events(posted({"payload": [data]}), CONFIG)

    assert (event.type, event.data["payload"]) == (EventType.UNKNOWN, data)
    assert event.event_id == again.event_id


@pytest.mark.parametrize(
    "payload",
    cases({"a number": 7, "nothing": {}, "no time": {"event": "click"}, "a list": [[]]}),
)
def test_events_without_sense_are_parse_errors(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(posted({"payload": payload}), CONFIG)


def _inbound() -> WebhookRequest:
    return posted(json.loads((PAYLOADS / "brevo" / "inbound.json").read_text()))


def test_mail_in_pieces_is_put_together_with_its_files() -> None:
    [plan] = PROVIDER.parse_inbound(_inbound(), CONFIG)
    assert isinstance(plan, FetchPlan)
    file = HttpResponse(200, {"content-type": "application/pdf"}, b"%PDF\x00\xff")

    [mail] = PROVIDER.parse_fetched(plan, file, CONFIG)

    assert isinstance(mail, InboundMail)
    assert (mail.mail_from, mail.rcpt_to) == ("ann@example.com", ("support@shop.example",))
    read = parse(mail.raw)
    assert (read.subject, read.text.strip()) == ("Re: Größe", "Größe 42, danke.")
    assert read.references[0] == "<order-42.1@shop.example>"
    assert [(a.filename, a.data) for a in read.attachments] == [("fuß.pdf", b"%PDF\x00\xff")]
    assert len(read.headers.all("received")) == 2


@pytest.mark.parametrize("name", ["plain", "8-bit", "gb18030", "duplicate headers"])
def test_pieces_say_what_the_mail_said(fake: BrevoFake, name: str) -> None:
    post = fake.inbound(MAILS[name], recipient="a@shop.example", mail_from="ann@example.com")

    [mail] = PROVIDER.parse_inbound(post, CONFIG)

    assert isinstance(mail, InboundMail)
    said, read = parse(MAILS[name]), parse(mail.raw)
    assert (read.text.strip(), read.subject) == (said.text.strip(), said.subject)
    assert (read.message_id, read.senders) == (said.message_id, said.senders)
    assert read.headers.all("x-same") == said.headers.all("x-same")


def test_files_come_only_from_the_api_and_only_it_gets_the_key() -> None:
    [plan] = PROVIDER.parse_inbound(_inbound(), CONFIG)

    assert isinstance(plan, FetchPlan)
    assert plan.url == "https://api.brevo.com/v3/inbound/attachments/ab%2Fcd%2Be%3D"
    assert (plan.is_allowed, plan.hosts) == (True, ("api.brevo.com",))
    assert plan.headers == {"api-key": "key-secret-1"}
    assert "key-secret-1" not in repr(plan)


def test_a_file_that_is_not_there_keeps_the_webhook(fake: BrevoFake) -> None:
    [plan] = PROVIDER.parse_inbound(_inbound(), CONFIG)
    assert isinstance(plan, FetchPlan)
    answer = fake.handle(HttpRequest(method="GET", url=plan.url, headers=plan.headers))

    with pytest.raises(ParseError, match="404"):
        PROVIDER.parse_fetched(plan, answer, CONFIG)


def test_without_an_envelope_the_header_says_whom_it_came_for() -> None:
    people = [{"Address": "a@shop.example"}, {"Address": "b@shop.example"}]
    item = {"Headers": {"Subject": "x"}, "From": {"Address": "ann@example.com"}, "To": people}

    [mail] = PROVIDER.parse_inbound(posted({"payload": {"items": [item]}}), CONFIG)

    assert isinstance(mail, InboundMail)
    assert (mail.mail_from, mail.rcpt_to) == (
        "ann@example.com",
        ("a@shop.example", "b@shop.example"),
    )
    assert mail.by_header


def test_a_token_is_as_good_as_a_password() -> None:
    config = PROVIDER.configure({"api_key": "k", "webhook_token": "signing-secret-2"})
    post = BrevoFake(config, lambda: NOW).inbound(b"", recipient="a@b.example", mail_from="")

    assert isinstance(PROVIDER.verify(post, config, NOW), Verified)
    assert isinstance(PROVIDER.verify(WebhookRequest(), config, NOW), Unverified)
    assert "signing-secret-2" not in repr(config)


def test_no_token_is_not_an_empty_one() -> None:
    config = PROVIDER.configure({"api_key": "k", "webhook_password": "signing-secret-2"})
    post = WebhookRequest(headers={"authorization": "Bearer "})

    assert isinstance(PROVIDER.verify(post, config, NOW), Unverified)


def test_anybody_may_post_only_if_the_user_insists() -> None:
    config = PROVIDER.configure({"api_key": "k", "insecure": "yes"})

    assert isinstance(PROVIDER.verify(WebhookRequest(), config, NOW), Verified)
    with pytest.raises(ConfigurationError, match="brevo: webhook_password"):
        PROVIDER.configure({"api_key": "k"})


def test_the_url_decides_where_to_send() -> None:
    config = PROVIDER.configure({**OPTIONS, "api_url": "http://127.0.0.1:1/v3/"})
    assert PROVIDER.build_send(outgoing(attachments=()), config, NOW).url == (
        "http://127.0.0.1:1/v3/smtp/email"
    )
