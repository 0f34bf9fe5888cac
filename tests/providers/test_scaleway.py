from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.parsing import parse
from inboxkit.providers.base import (
    FetchPlan,
    HttpResponse,
    ParseError,
    ProviderEvent,
    Refused,
    Retry,
    Sent,
    Unknown,
    WebhookRequest,
)
from inboxkit.providers.fakes.scaleway import ScalewayFake
from inboxkit.providers.scaleway import Scaleway
from inboxkit.values import Address, EventType, File

from .conformance import Conformance
from .vendor import NOW, Vendor, cases, outgoing, recorded, value_of

OPTIONS = {
    "secret_key": "key-secret-1",
    "project_id": "project-1",
    "webhook_password": "password-secret-3",
}
PROVIDER = Scaleway()
CONFIG = PROVIDER.configure(OPTIONS)
PDF = File("rechnung ü.pdf", b"%PDF\x00\xff", "application/pdf")


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    good = post.header("authorization")
    changes = {"none": "", "other password": f"{good[:-4]}AAA=", "cut off": good[:-1]}
    return {
        name: replace(post, headers={**post.headers, "authorization": value})
        for name, value in changes.items()
    }


class TestScaleway(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=ScalewayFake,
        required=("secret_key", "project_id", "webhook_password"),
        refusal=401,
        tampered=_tampered,
        lacks=frozenset(
            {EventType.COMPLAINED, EventType.OPENED, EventType.CLICKED, EventType.UNSUBSCRIBED}
        ),
        most=1,  # blind copies without anybody in To: one
    )

    def told_of(self) -> Any:
        return self.vendor.message(rcpt_to=("ann@example.com",), cc=(), bcc=())


@pytest.fixture
def fake() -> ScalewayFake:
    return ScalewayFake(CONFIG, lambda: NOW)


def _message(**changes: Any) -> Any:
    return outgoing(**{"attachments": (PDF,), **changes})


def _sent(fake: ScalewayFake, **changes: Any) -> Sent | Refused | Retry | Unknown:
    message = _message(**changes)
    request = PROVIDER.build_send(message, CONFIG, NOW)
    return PROVIDER.parse_send(fake.handle(request), message, CONFIG)


def _post(payload: object) -> WebhookRequest:
    return WebhookRequest(body=json.dumps(payload).encode())


def test_every_field_arrives(fake: ScalewayFake) -> None:
    sent = _sent(fake)

    mail = parse(fake.caught[0].mime)
    assert isinstance(sent, Sent)
    assert sent.aliases[0] == mail.message_id == fake.caught[0].message_id
    assert (mail.subject, mail.text.strip()) == ("Größe 尺码", "Which size? 尺码")
    assert mail.senders == (Address("support@shop.example", "Shop"),)
    assert (mail.to, mail.cc, mail.reply_to) == (outgoing().to, outgoing().cc, outgoing().reply_to)
    assert mail.references == ("<a1@example.com>",)
    assert b"eve@example.com" not in fake.caught[0].mime
    assert [(a.filename, a.data) for a in mail.attachments] == [(PDF.filename, PDF.data)]


def test_an_event_names_the_send_for_each_of_its_recipients(fake: ScalewayFake) -> None:
    sent = _sent(fake)
    assert isinstance(sent, Sent)

    for recipient in outgoing().rcpt_to:
        post = fake.event(EventType.DELIVERED, fake.caught[0], recipient)
        [event] = PROVIDER.parse_events(post, CONFIG)

        assert isinstance(event, ProviderEvent)
        assert (event.recipient, event.provider_id) == (recipient, sent.ids[recipient])


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "scheduled": {"send_at": NOW + timedelta(days=1)},
            "inline images": {"attachments": outgoing().attachments},
            "tracking": {"track_opens": False},
            "a template": {"template": "x"},
            "blind copies only": {"rcpt_to": ("a@b.example", "c@d.example"), "to": (), "cc": ()},
            "an address outside ASCII": {"rcpt_to": ("größe@example.com",)},
        }
    ),
)
def test_what_scaleway_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="scaleway"):
        PROVIDER.build_send(_message(**changes), CONFIG, NOW)


def _answer(status: int, type: str) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps({"type": type, "message": "no"}).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "wrong key": (_answer(401, "denied_authentication"), Refused("401 no", "credentials")),
            "other project": (_answer(403, "permissions_denied"), Refused("403 no", "account")),
            "quota": (_answer(429, "quotas_exceeded"), Refused("429 no", "account")),
            "wrong region": (_answer(404, "not_found"), Refused("404 no", "settings")),
            "invalid": (_answer(400, "invalid_arguments"), Refused("400 no", "message")),
            "too fast": (_answer(429, "too_many_requests"), Retry(None, "429 no")),
            "internal error": (HttpResponse(500), Unknown("500")),
            "success without emails": (HttpResponse(200, {}, b"{}"), Unknown("200 {}")),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


@pytest.mark.parametrize(
    ("change", "status"),
    cases(
        {
            "another project": ({"project_id": "x"}, 403),
            "nobody in To": ({"to": []}, 400),
            "no address": ({"to": [{"email": "ann"}]}, 400),
            "no body": ({"text": "", "html": ""}, 400),
            "no base64": ({"attachments": [{"content": "?"}]}, 400),
        }
    ),
)
def test_the_fake_refuses_what_scaleway_refuses(
    fake: ScalewayFake, change: dict[str, Any], status: int
) -> None:
    request = PROVIDER.build_send(_message(), CONFIG, NOW)
    body = json.dumps(json.loads(request.body) | change).encode()

    assert fake.handle(replace(request, body=body)).status == status
    assert fake.handle(replace(request, url="https://api.scaleway.com/other")).status == 404
    assert not fake.caught


@pytest.mark.parametrize("case", recorded("scaleway"))
def test_documented_events_are_normalized(case: Any) -> None:
    [event] = PROVIDER.parse_events(_post(case["payload"]), CONFIG)

    assert isinstance(event, ProviderEvent)
    [expected] = case["expected"]
    assert {name: value_of(event, name) for name in expected} == expected
    assert event.at.replace(microsecond=0) == NOW - timedelta(seconds=1)
    assert (event.type is EventType.UNKNOWN) == ("payload" in event.data)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://messaging.s3.fr-par.scw.cloud/confirm?token=x", True),
        ("https://sns.mnq.fr-par.scaleway.com/?Action=ConfirmSubscription", True),
        ("https://evil.example/?scaleway.com", False),
        ("http://sns.mnq.fr-par.scaleway.com/", False),
    ],
)
def test_a_subscription_is_confirmed_at_scaleway_only(url: str, allowed: bool) -> None:
    post = _post({"Type": "SubscriptionConfirmation", "SubscribeURL": url})

    [plan] = PROVIDER.parse_events(post, CONFIG)

    assert isinstance(plan, FetchPlan)
    assert plan.is_allowed is allowed
    assert not PROVIDER.parse_fetched(plan, HttpResponse(200), CONFIG)


def test_what_is_not_about_a_mail_is_passed_over() -> None:
    block = {"type": "blocklist_created", "created_at": "2026-01-02T03:04:05Z"}
    assert not PROVIDER.parse_events(_post(block), CONFIG)
    assert not PROVIDER.parse_events(_post({"Type": "UnsubscribeConfirmation"}), CONFIG)


@pytest.mark.parametrize(
    "payload",
    cases(
        {
            "a list": [],
            "nothing": {},
            "no time": {"type": "email_queued"},
            "no event inside": {"Type": "Notification", "Message": "{}"},
            "no JSON inside": {"Type": "Notification", "Message": "hello"},
        }
    ),
)
def test_events_without_sense_are_parse_errors(payload: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_events(_post(payload), CONFIG)


@pytest.mark.parametrize(
    ("key", "value"), [("region", "../x"), ("region", "Paris"), ("api_url", "http://x.example")]
)
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"scaleway: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})
