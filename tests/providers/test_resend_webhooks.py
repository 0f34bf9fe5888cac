"""What Resend posts: events, and mail that is fetched in two steps."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.parsing import parse
from inboxkit.providers.base import (
    FetchPlan,
    HttpRequest,
    HttpResponse,
    InboundMail,
    ParseError,
    ProviderEvent,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.fakes.resend import ResendFake
from inboxkit.signatures import Key
from inboxkit.values import EventType

from .signed import KEY
from .test_resend import CONFIG, OPTIONS, PROVIDER
from .vendor import MAILS, NOW, cases, outgoing, recorded, value_of


@pytest.fixture
def fake() -> ResendFake:
    return ResendFake(CONFIG, lambda: NOW)


def _post(payload: object) -> WebhookRequest:
    return WebhookRequest(
        headers={"content-type": "application/json"}, body=json.dumps(payload).encode()
    )


@pytest.mark.parametrize("case", recorded("resend"))
def test_documented_events_are_normalized(case: Any) -> None:
    [event] = PROVIDER.parse_events(_post(case["payload"]), CONFIG)

    [expected] = case["expected"]
    assert {name: value_of(event, name) for name in expected} == expected
    assert event.at.replace(microsecond=0) == NOW - timedelta(seconds=1)
    assert (event.type is EventType.UNKNOWN) == ("payload" in event.data)


def test_an_event_keeps_its_id_at_every_retry(fake: ResendFake) -> None:
    fake.handle(PROVIDER.build_send(outgoing(), CONFIG, NOW))
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
    assert (inbound.rcpt_to, inbound.by_header) == (recipients, not changes["received_for"])


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
