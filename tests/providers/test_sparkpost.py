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
from inboxkit.providers.fakes.sparkpost import SparkPostFake
from inboxkit.providers.sparkpost import SparkPost
from inboxkit.values import EventType

from .conformance import Conformance
from .vendor import MAILS, NOW, Vendor, cases, outgoing, recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxkit.providers.base import SendOutcome

OPTIONS = {
    "api_key": "key-secret-1",
    "webhook_password": "password-secret-3",
    "webhook_token": "signing-secret-2",
}
PROVIDER = SparkPost()
CONFIG = PROVIDER.configure(OPTIONS)
TOKEN = "x-messagesystems-webhook-token"


def _post(items: object) -> WebhookRequest:
    return WebhookRequest(
        headers={"content-type": "application/json"}, body=json.dumps(items).encode()
    )


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    good = post.header("authorization")
    changes = {
        "nothing": {},
        "an empty token": {TOKEN: ""},
        "another token": {TOKEN: "signing-secret-3"},
        "a longer token": {TOKEN: "signing-secret-22"},
        "the password as token": {TOKEN: "password-secret-3"},
        "another password": {"authorization": "Basic aW5ib3hraXQ6eA=="},
        "another scheme": {"authorization": good.replace("Basic", "Bearer") or "Bearer x"},
        "a batch id": {"x-messagesystems-batch-id": "1"},
    }
    return {name: replace(post, headers=headers) for name, headers in changes.items()}


class TestSparkPost(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=SparkPostFake,
        required=("api_key", "webhook_password"),
        refusal=401,
        tampered=_tampered,
        posted=lambda payload: _post([payload]),
    )


@pytest.fixture
def fake() -> SparkPostFake:
    return SparkPostFake(CONFIG, lambda: NOW)


def _send(fake: SparkPostFake, **changes: Any) -> SendOutcome:
    message = outgoing(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


def _sent_json(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)
    return body


def test_the_message_id_and_every_byte_of_the_text_are_kept(fake: SparkPostFake) -> None:
    _send(fake)

    [caught] = fake.caught
    assert caught.message_id == "<order-42.1@shop.example>"
    assert parse(caught.mime).text == parse(outgoing().mime).text


def test_options_are_sent_along(fake: SparkPostFake) -> None:
    due = NOW + timedelta(days=2)

    _send(fake, send_at=due, track_opens=False, track_clicks=True)

    [caught] = fake.caught
    assert caught.send_at == due
    assert {k: caught.options[k] for k in ("transactional", "open_tracking", "click_tracking")} == {
        "transactional": "true",
        "open_tracking": "false",
        "click_tracking": "true",
    }


def test_a_subaccount_and_a_return_path_are_named() -> None:
    options = {**OPTIONS, "subaccount": "42", "return_path": "b@bounces.shop.example"}
    request = PROVIDER.build_send(outgoing(), PROVIDER.configure(options), NOW)

    assert request.header("x-msys-subaccount") == "42"
    assert json.loads(request.body)["return_path"] == "b@bounces.shop.example"


def test_braces_in_a_mail_are_not_read_as_variables() -> None:
    mime = MAILS["plain"].replace(b"Subject: Size", b"Subject: {{a}}\r\n and {{b}}")

    sent = _sent_json(mime=mime, subject="{{a}} and {{b}}")

    raw = str(sent["content"]["email_rfc822"])
    assert sent["options"]["perform_substitutions"] is False
    assert "{{" not in raw.partition("\r\n\r\n")[0]
    assert parse(raw.encode()).subject == "{{a}} and {{b}}"


def test_braces_in_another_header_are_refused() -> None:
    mime = MAILS["plain"].replace(b"From: Ann", b"From: {{x}} Ann")
    with pytest.raises(UnsupportedFeature, match=r"\{\{ in a header"):
        _sent_json(mime=mime)


def test_variables_by_recipient_switch_substitution_on() -> None:
    variables = {"ann@example.com": {"name": "Ann"}}

    sent = _sent_json(recipient_variables=variables, variables={"shop": "Ü"})

    assert sent["recipients"][0] == {
        "address": {"email": "ann@example.com"},
        "substitution_data": {"name": "Ann"},
    }
    assert sent["substitution_data"] == {"shop": "Ü"}
    assert "perform_substitutions" not in sent["options"]


def test_a_template_brings_its_own_content() -> None:
    sent = _sent_json(template="order", attachments=())

    assert sent["content"] == {"template_id": "order"}
    assert sent["override"] == {
        "from": {"email": "support@shop.example", "name": "Shop"},
        "reply_to": "support+token@shop.example",
    }


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "later than 3 days": {"send_at": NOW + timedelta(days=4)},
            "files with a template": {"template": "order"},
        }
    ),
)
def test_what_sparkpost_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="sparkpost"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def test_a_long_tag_is_cut_between_characters() -> None:
    assert _sent_json(tag="ü" * 40)["campaign_id"] == "ü" * 32
    assert _sent_json(tag="a" + "ü" * 40)["campaign_id"] == "a" + "ü" * 31


def test_when_all_are_rejected_nothing_was_sent(fake: SparkPostFake) -> None:
    fake.denied = set(outgoing().rcpt_to)
    assert _send(fake) == Refused("every recipient was rejected", "recipient")
    fake.denied.pop()
    assert isinstance(_send(fake), Sent)


def _errors(status: int, code: str) -> HttpResponse:
    error = {"message": "Invalid domain", "description": "Unconfigured.", "code": code}
    return HttpResponse(status, {}, json.dumps({"errors": [error]}).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "a wrong domain": (
                _errors(400, "7001"),
                Refused("400 Invalid domain: Unconfigured.", "settings"),
            ),
            "a bad field": (
                _errors(422, "1400"),
                Refused("422 Invalid domain: Unconfigured.", "message"),
            ),
            "the day's limit": (
                _errors(420, "2102"),
                Retry(None, "420 Invalid domain: Unconfigured."),
            ),
            "a wrong key": (HttpResponse(401), Refused("401", "credentials")),
            "too busy": (HttpResponse(503), Retry(None, "503")),
            "a failure": (HttpResponse(500), Unknown("500")),
            "no id": (HttpResponse(200, {}, b'{"results": {}}'), Unknown('200 {"results": {}}')),
        }
    ),
)
def test_answers_are_told_apart(answer: HttpResponse, expected: SendOutcome) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


@pytest.mark.parametrize("case", recorded("sparkpost"))
def test_recorded_events_are_normalized(case: Mapping[str, Any]) -> None:
    [event] = PROVIDER.parse_events(_post([case["payload"]]), CONFIG)

    expected = case["expected"]
    assert {key: getattr(event, key) for key in expected if key != "data"} == {
        key: value for key, value in expected.items() if key != "data"
    }
    assert expected.get("data", {}).items() <= event.data.items()
    assert ("payload" in event.data) == (event.type == EventType.UNKNOWN)
    assert event.at == NOW - timedelta(seconds=1)


def test_one_batch_may_hold_events_and_mail_and_nothing(fake: SparkPostFake) -> None:
    _send(fake)
    posts = [fake.event(EventType.OPENED, fake.caught[0], to) for to in fake.caught[0].rcpt_to]
    posts += [fake.ping(), fake.inbound(MAILS["8-bit"], recipient="a@b.example", mail_from="")]

    batch = _post([item for post in posts for item in json.loads(post.body)])

    assert len(PROVIDER.parse_events(batch, CONFIG)) == 3
    assert PROVIDER.parse_inbound(batch, CONFIG) == (
        InboundMail(raw=MAILS["8-bit"], mail_from="", rcpt_to=("a@b.example",)),
    )


def test_a_ping_is_taken_and_says_nothing(fake: SparkPostFake) -> None:
    post = fake.ping()
    assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Verified)
    assert (*PROVIDER.parse_events(post, CONFIG), *PROVIDER.parse_inbound(post, CONFIG)) == ()


def test_a_batch_is_known_by_its_id(fake: SparkPostFake) -> None:
    post = fake.ping()
    assert PROVIDER.verify(post, CONFIG, NOW) == Verified(post.header("x-messagesystems-batch-id"))


def test_a_relay_may_use_the_password_too(fake: SparkPostFake) -> None:
    config = replace(CONFIG, webhook_token="")
    post = SparkPostFake(config, lambda: NOW).inbound(b"", recipient="a@b.example", mail_from="")

    assert post.header(TOKEN) == ""
    assert isinstance(PROVIDER.verify(post, CONFIG, NOW), Verified)
    assert isinstance(PROVIDER.verify(replace(post, headers={TOKEN: ""}), config, NOW), Unverified)


def test_unsigned_webhooks_are_taken_only_when_somebody_says_so() -> None:
    config = PROVIDER.configure({"api_key": "key-secret-1", "insecure": "yes"})
    assert isinstance(PROVIDER.verify(_post([]), config, NOW), Verified)


@pytest.mark.parametrize(
    ("key", "value"), [("region", "asia"), ("subaccount", "x\r\n"), ("api_url", "ftp://x")]
)
def test_bad_settings_are_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"sparkpost: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})


def test_the_region_chooses_the_host() -> None:
    config = PROVIDER.configure({**OPTIONS, "region": "eu"})
    request = PROVIDER.build_send(outgoing(), config, NOW)
    assert request.url == "https://api.eu.sparkpost.com/api/v1/transmissions"


@pytest.mark.parametrize(
    "items",
    cases(
        {
            "an object": ({},),
            "no msys": ([{}],),
            "no time": ([{"msys": {"message_event": {"type": "open"}}}],),
            "no mail": ([{"msys": {"relay_message": {}}}],),
            "no base64": (
                [
                    {
                        "msys": {
                            "relay_message": {
                                "content": {"email_rfc822": "a", "email_rfc822_is_base64": True}
                            }
                        }
                    }
                ],
            ),
        }
    ),
)
def test_what_cannot_be_read_is_said(items: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(_post(items), CONFIG)
        PROVIDER.parse_inbound(_post(items), CONFIG)


def test_the_fake_refuses_what_sparkpost_refuses(fake: SparkPostFake) -> None:
    nobody, nowhere = _send(fake, rcpt_to=()), _send(fake, rcpt_to=("ann",))
    request = PROVIDER.build_send(outgoing(), replace(CONFIG, api_key="other"), NOW)

    stranger = PROVIDER.parse_send(fake.handle(request), outgoing(), CONFIG)

    assert (nobody, nowhere) == (
        Refused("422 required field is missing: recipients or list_id required"),
        Refused("422 Invalid email address: 'ann' is no address"),
    )
    assert stranger == Refused("401 Unauthorized.", "credentials")


def test_the_fake_gives_a_message_id_to_what_has_none(fake: SparkPostFake) -> None:
    _send(fake, mime=MAILS["no Message-ID"])
    assert fake.caught[0].message_id.endswith(".sparkpost>")
