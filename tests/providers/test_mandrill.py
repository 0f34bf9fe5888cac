from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.errors import ConfigurationError
from inboxkit.parsing import parse
from inboxkit.providers import forms
from inboxkit.providers.base import (
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
from inboxkit.providers.fakes.mandrill import MandrillFake
from inboxkit.providers.forms import Field
from inboxkit.providers.mandrill import TEST_KEY, Mandrill, sign
from inboxkit.values import EventType

from .conformance import Conformance
from .vendor import MAILS, NOW, Vendor, cases, outgoing, recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxkit.providers.base import SendOutcome

URL = "https://shop.example/webhooks/mandrill?a=1"
OPTIONS = {"api_key": "key-secret-1", "webhook_key": "signing-secret-2", "webhook_url": URL}
PROVIDER = Mandrill()
CONFIG = PROVIDER.configure(OPTIONS)
FORM = {"content-type": "application/x-www-form-urlencoded"}


def _post(items: object, *, key: str = "signing-secret-2", url: str = URL) -> WebhookRequest:
    content_type, body = forms.write([Field("mandrill_events", json.dumps(items).encode())])
    signature = sign(key, url, forms.read(content_type, body).fields)
    headers = {"content-type": content_type, "x-mandrill-signature": signature}
    return WebhookRequest(headers=headers, body=body)


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    items = json.loads(forms.read(post.header("content-type"), post.body).text("mandrill_events"))
    signature = post.header("x-mandrill-signature")
    signed = {
        "none": None,
        "empty": "",
        "in lower case": signature.lower(),
        "of another key": _post(items, key="another").header("x-mandrill-signature"),
        "of another URL": _post(items, url=URL[:-1]).header("x-mandrill-signature"),
        "of the test key": _post(items, key="test-webhook").header("x-mandrill-signature"),
    }
    headers = {
        k: {**FORM, **({"x-mandrill-signature": v} if v is not None else {})}
        for k, v in signed.items()
    }
    posts = {name: replace(post, headers=value) for name, value in headers.items()}
    posts["another body"] = replace(post, body=post.body.replace(b"event", b"evenT", 1))
    posts["one more field"] = replace(post, body=post.body + b"&a=1")
    posts["an empty batch"] = replace(post, body=b"mandrill_events=%5B%5D")
    return posts | {"no form": replace(post, headers={**post.headers, "content-type": "text/x"})}


class TestMandrill(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=MandrillFake,
        required=("api_key", "webhook_key"),
        refusal=401,
        tampered=_tampered,
        lacks=frozenset({EventType.ACCEPTED}),  # the answer to the send says so
        posted=lambda payload: _post([payload]),
    )

    @pytest.mark.parametrize("raw", cases(MAILS))
    def test_raw_mail_comes_in_byte_for_byte(self, raw: bytes) -> None:
        """As far as JSON text goes: Mandrill posts no base64."""
        post = self.vendor.fake().inbound(
            raw, recipient="support@shop.example", mail_from="ann@example.com"
        )

        [mail] = self.vendor.provider.parse_inbound(post, self.vendor.config)

        assert isinstance(mail, InboundMail)
        assert mail.raw == raw.decode("utf-8", "replace").replace("\0", "\ufffd").encode()
        assert (mail.mail_from, mail.rcpt_to) == ("ann@example.com", ("support@shop.example",))

    def test_a_bounce_comes_in_with_an_empty_sender(self) -> None:
        """Mandrill tells no envelope sender, and a report has none."""
        report = b"From: mailer@x.example\r\nContent-Type: Multipart/Report; boundary=b\r\n\r\n"
        post = self.vendor.fake().inbound(report, recipient="a@shop.example", mail_from="")

        [mail] = self.vendor.provider.parse_inbound(post, self.vendor.config)

        assert isinstance(mail, InboundMail)
        assert mail.mail_from == ""


@pytest.fixture
def fake() -> MandrillFake:
    return MandrillFake(CONFIG, lambda: NOW)


def _send(fake: MandrillFake, **changes: Any) -> SendOutcome:
    message = outgoing(**changes)
    return PROVIDER.parse_send(
        fake.handle(PROVIDER.build_send(message, CONFIG, NOW)), message, CONFIG
    )


def _sent_json(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)
    return body


def test_the_message_id_and_every_byte_of_the_text_are_kept(fake: MandrillFake) -> None:
    _send(fake)

    [caught] = fake.caught
    assert caught.message_id == "<order-42.1@shop.example>"
    assert b"X-MC" not in caught.mime
    assert parse(caught.mime).text == parse(outgoing().mime).text


def test_mail_of_seven_bits_goes_as_it_is() -> None:
    assert str(_sent_json(mime=MAILS["plain"])["raw_message"]).endswith(MAILS["plain"].decode())


def test_options_go_as_headers_that_the_vendor_takes_off(fake: MandrillFake) -> None:
    config = replace(CONFIG, subaccount="shop")
    message = outgoing(
        tag="_a,b",
        track_opens=False,
        track_clicks=True,
        template="order",
        variables={"größe": "ü"},
        recipient_variables={"ann@example.com": {"name": "Ann"}},
    )

    fake.handle(PROVIDER.build_send(message, config, NOW))

    [caught] = fake.caught
    assert caught.tags == ("a b",)
    assert caught.options["x-mc-track"] == "clicks"
    assert caught.options["x-mc-template"] == "order|main"
    assert caught.options["x-mc-subaccount"] == "shop"
    assert caught.options["x-mc-preserverecipients"] == "false"
    assert '"_rcpt":"ann@example.com"' in caught.options["x-mc-mergevars"]


def test_a_send_can_be_scheduled(fake: MandrillFake) -> None:
    due = NOW + timedelta(days=20)
    _send(fake, send_at=due)
    assert fake.caught[0].send_at == due


def test_no_header_line_is_too_long_or_holds_a_line_of_its_own() -> None:
    many = {f"person{n}@example.com": {"name": "x" * 50} for n in range(40)}
    given = {"a": "1\r\nBcc: eve@example.com"}

    raw = str(
        _sent_json(recipient_variables=many, variables=given, tag="a\r\nBcc: b")["raw_message"]
    )

    head = raw.partition("\r\n\r\n")[0]
    assert max(map(len, head.split("\r\n"))) < 998
    assert "\nBcc" not in head


def test_metadata_beyond_the_limit_loses_its_first_entries(fake: MandrillFake) -> None:
    _send(fake, metadata={"long": "x" * 140, "order": "x" * 40, "inboxkit_id": "msg_1"})
    assert fake.caught[0].metadata == {"inboxkit_id": "msg_1", "order": "x" * 40}


def test_whom_the_vendor_rejects_is_told_apart(fake: MandrillFake) -> None:
    fake.denied["ben@example.com"] = "hard-bounce"

    outcome = _send(fake)

    assert isinstance(outcome, Sent)
    assert outcome.recipients == {"ben@example.com": "rejected: hard-bounce"}
    assert fake.caught[0].rcpt_to == ("ann@example.com", "eve@example.com")


@pytest.mark.parametrize(("why", "fault"), [("hard-bounce", "recipient"), ("unsigned", "settings")])
def test_when_all_are_rejected_nothing_was_sent(fake: MandrillFake, why: str, fault: str) -> None:
    fake.denied = dict.fromkeys(outgoing().rcpt_to, why)
    assert _send(fake) == Refused(f"rejected: {why}", fault)


def _error(status: int, name: str) -> HttpResponse:
    body = {"status": "error", "code": -1, "name": name, "message": "why"}
    return HttpResponse(status, {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "a wrong key": (_error(500, "Invalid_Key"), Refused("500 why", "credentials")),
            "no money": (_error(500, "PaymentRequired"), Refused("500 why", "account")),
            "a bad field": (_error(500, "ValidationError"), Refused("500 why", "message")),
            "a failure": (_error(500, "GeneralError"), Unknown("500 why")),
            "a gateway": (HttpResponse(502), Unknown("502")),
            "not there": (HttpResponse(503), Retry(None, "503")),
            "elsewhere": (
                HttpResponse(301),
                Refused("301: the API's URL leads elsewhere", "settings"),
            ),
            "no list": (HttpResponse(200, {}, b"{}"), Unknown("200 {}")),
        }
    ),
)
def test_errors_are_told_by_name(answer: HttpResponse, expected: SendOutcome) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


def test_a_lost_send_is_found_by_its_metadata(fake: MandrillFake) -> None:
    sent = _send(fake)
    others = _send(fake, metadata={"order": "43"})

    def look_up(**changes: Any) -> object:
        message = outgoing(**changes)
        answer = fake.handle(PROVIDER.build_lookup(message, CONFIG, NOW))
        return PROVIDER.parse_lookup(answer, message, CONFIG)

    assert isinstance(sent, Sent) and isinstance(others, Sent)
    assert look_up() == Sent(sent.provider_id)
    assert look_up(metadata={"order": "43"}) == Sent(others.provider_id)
    assert isinstance(look_up(metadata={"order": "44"}), Unknown)
    assert isinstance(look_up(metadata={}), Unknown)


@pytest.mark.parametrize("case", recorded("mandrill"))
def test_recorded_events_are_normalized(case: Mapping[str, Any]) -> None:
    [event] = PROVIDER.parse_events(_post([case["payload"]]), CONFIG)

    expected = case["expected"]
    assert {key: getattr(event, key) for key in expected if key != "data"} == {
        key: value for key, value in expected.items() if key != "data"
    }
    assert expected.get("data", {}).items() <= event.data.items()
    assert ("payload" in event.data) == (event.type == EventType.UNKNOWN)


def test_one_batch_may_hold_events_and_mail(fake: MandrillFake) -> None:
    _send(fake)
    posts = [fake.event(EventType.OPENED, fake.caught[0], to) for to in fake.caught[0].rcpt_to]
    posts.append(fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@x.example"))
    items = [
        json.loads(forms.read(FORM["content-type"], p.body).text("mandrill_events"))[0]
        for p in posts
    ]

    batch = fake.batch(items)

    assert len(PROVIDER.parse_events(batch, CONFIG)) == 3
    assert len(PROVIDER.parse_inbound(batch, CONFIG)) == 1
    assert len({event.provider_id for event in PROVIDER.parse_events(batch, CONFIG)}) == 3


def test_the_post_that_checks_a_new_url_is_taken(fake: MandrillFake) -> None:
    post = fake.batch([])
    assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Verified)
    assert (*PROVIDER.parse_events(post, CONFIG), *PROVIDER.parse_inbound(post, CONFIG)) == ()


def test_the_key_that_everybody_knows_signs_nothing_else() -> None:
    items = Field("mandrill_events", json.dumps([{"event": "open"}]).encode())
    for fields in ([items], [items, Field("x", b"[]")]):
        content_type, body = forms.write(fields)
        signature = sign(TEST_KEY, URL, forms.read(content_type, body).fields)
        headers = {"content-type": content_type, "x-mandrill-signature": signature}
        post = WebhookRequest(headers=headers, body=body)
        assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Unverified)


def test_the_url_is_that_of_the_request_unless_it_is_set(fake: MandrillFake) -> None:
    config = replace(CONFIG, webhook_url="")
    post = replace(fake.batch([{}]), url=URL.partition("?")[0], query="a=1")

    assert isinstance(PROVIDER.verify(post, config, NOW), Verified)
    assert isinstance(PROVIDER.verify(replace(post, query=""), config, NOW), Unverified)


def test_several_keys_are_tried() -> None:
    config = PROVIDER.configure({**OPTIONS, "webhook_key": "first, second"})
    for key in ("first", "second"):
        assert isinstance(PROVIDER.verify(_post([], key=key), config, NOW), Verified)
    assert isinstance(PROVIDER.verify(_post([], key="first,"), config, NOW), Unverified)


def test_the_signature_is_the_documented_one() -> None:
    fields = [Field("b", b"2"), Field("a", b"\xff1")]
    # openssl: printf 'https://x.example/a\3771b2' | openssl dgst -sha1 -hmac key -binary | base64
    assert sign("key", "https://x.example/", fields) == "XRImwmKt+KsQiWLzNAuDGRYmQmg="


def test_unsigned_webhooks_are_taken_only_when_somebody_says_so() -> None:
    config = PROVIDER.configure({"api_key": "key-secret-1", "insecure": "yes"})
    post = WebhookRequest(headers=FORM, body=b"mandrill_events=[]")
    assert isinstance(PROVIDER.verify(post, config, NOW), Verified)


@pytest.mark.parametrize(
    ("key", "value"), [("api_url", "http://mandrillapp.com/api/1.0"), ("subaccount", "a\nb")]
)
def test_bad_settings_are_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"mandrill: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})


@pytest.mark.parametrize(
    "body",
    cases(
        {
            "no field": b"a=1",
            "no JSON": b"mandrill_events=[",
            "no list": b"mandrill_events={}",
            "no time": b'mandrill_events=[{"event":"send","msg":{}}]',
            "no mail": b'mandrill_events=[{"event":"inbound","ts":1,"msg":{}}]',
        }
    ),
)
def test_what_cannot_be_read_is_said(body: bytes) -> None:
    post = WebhookRequest(headers=FORM, body=body)
    with pytest.raises(ParseError):
        PROVIDER.parse_events(post, CONFIG)
        PROVIDER.parse_inbound(post, CONFIG)


def test_the_fake_refuses_another_key(fake: MandrillFake) -> None:
    request = PROVIDER.build_send(outgoing(), replace(CONFIG, api_key="other"), NOW)
    outcome = PROVIDER.parse_send(fake.handle(request), outgoing(), CONFIG)
    assert outcome == Refused("401 Invalid API key", "credentials")


def test_the_fake_gives_a_message_id_to_what_has_none(fake: MandrillFake) -> None:
    _send(fake, mime=MAILS["no Message-ID"])
    assert fake.caught[0].message_id.endswith("@mail1.mandrillapp.com>")


def test_the_fake_answers_unknown_calls_as_errors(fake: MandrillFake) -> None:
    request = HttpRequest(
        method="POST", url="https://x.example/a/b.json", body=b'{"key":"key-secret-1"}'
    )
    assert fake.handle(request).status == 404
