"""What SNS brings: events, subscriptions, mail, and who signed it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError
from inboxkit.providers.base import (
    FetchPlan,
    HttpRequest,
    HttpResponse,
    NeedsFetch,
    ParseError,
    Refused,
    Retry,
    Sent,
    Unknown,
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.fakes.ses import SesFake
from inboxkit.values import EventType

from .ses_account import CONFIG, OPTIONS, PROVIDER, TOPIC, notification
from .vendor import MAILS, NOW, cases, outgoing, recorded, value_of


@pytest.fixture
def fake() -> SesFake:
    return SesFake(CONFIG, lambda: NOW)


def _sent(fake: SesFake, **changes: Any) -> Sent | Refused | Retry | Unknown:
    message = outgoing(**changes)
    answer = fake.handle(PROVIDER.build_send(message, CONFIG, NOW))
    return PROVIDER.parse_send(answer, message, CONFIG)


@pytest.mark.parametrize("case", recorded("ses"))
def test_documented_events_are_normalized(case: Any) -> None:
    events = PROVIDER.parse_events(notification(case["payload"]), CONFIG)

    seen = [{name: value_of(event, name) for name in case["expected"][0]} for event in events]  # type: ignore[arg-type]  # no plans among events
    assert seen == case["expected"]
    assert {e.at.replace(microsecond=0) for e in events} == {NOW - timedelta(seconds=1)}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "message",
    cases(
        {
            "an event destination": "Successfully validated SNS topic for Amazon SES event "
            "publishing.",
            "an identity": '{"notificationType": "AmazonSnsSubscriptionSucceeded"}',
        }
    ),
)
def test_what_is_posted_at_set_up_is_nothing(message: str) -> None:
    post = notification(message)

    assert PROVIDER.parse_events(post, CONFIG) == PROVIDER.parse_inbound(post, CONFIG) == ()


def test_a_subscription_is_confirmed_where_sns_lives(fake: SesFake) -> None:
    [plan] = PROVIDER.parse_events(fake.subscription(), CONFIG)

    assert isinstance(plan, FetchPlan)
    assert plan.is_allowed
    answer = fake.handle(HttpRequest(method="GET", url=plan.url))
    assert PROVIDER.parse_fetched(plan, answer, CONFIG) == ()
    assert fake.confirmed == [TOPIC]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?Action=ConfirmSubscription",
        "http://sns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com.evil.example/",
        "https://sns.eu-west-1.amazonaws.com@evil.example/",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
    ],
)
def test_a_confirmation_elsewhere_is_not_followed(url: str) -> None:
    post = notification("x", Type="SubscriptionConfirmation", SubscribeURL=url)

    [plan] = PROVIDER.parse_events(post, CONFIG)

    assert isinstance(plan, FetchPlan)
    assert not plan.is_allowed


def test_the_end_of_a_subscription_is_shown() -> None:
    post = notification("You have chosen to deactivate it.", Type="UnsubscribeConfirmation")
    with pytest.raises(ParseError, match="posts here no more"):
        PROVIDER.parse_events(post, CONFIG)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/SimpleNotificationService-0a.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a.pem",  # other region
        "https://sns.eu-west-1.amazonaws.com/other.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem/other",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem?x=1",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-0a.pem",
        "http://[",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_never_asked_for(url: str) -> None:
    post = notification("x", SignatureVersion="2", Signature="x", SigningCertURL=url)

    verdict = PROVIDER.verify(post, CONFIG, NOW)

    assert isinstance(verdict, Unverified)
    assert verdict.status == 403


def test_a_certificate_that_cannot_be_read_is_asked_for_again(fake: SesFake) -> None:
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")

    verdict = PROVIDER.verify_fetched(post, HttpResponse(200, {}, b"?"), CONFIG, NOW)

    assert isinstance(verdict, Unverified)
    assert verdict.status == 503


def test_what_sns_signed_for_a_strangers_topic_is_refused() -> None:
    stranger = PROVIDER.configure({**OPTIONS, "topic_arns": TOPIC + "2"})
    theirs = SesFake(stranger, lambda: NOW)
    post = theirs.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")
    needed = PROVIDER.verify(post, stranger, NOW)
    assert isinstance(needed, NeedsFetch)
    certificate = theirs.handle(HttpRequest(method="GET", url=needed.plan.url))

    assert isinstance(PROVIDER.verify_fetched(post, certificate, stranger, NOW), Verified)
    refused = PROVIDER.verify_fetched(post, certificate, CONFIG, NOW)
    assert refused == Unverified("its topic is not in topic_arns", 403)


@pytest.mark.parametrize("path", ["", "/ses"])
def test_a_local_stand_in_gives_certificates_and_mail_too(path: str) -> None:
    config = PROVIDER.configure({**OPTIONS, "api_url": f"http://127.0.0.1:8025{path}"})
    local = SesFake(config, lambda: NOW)
    post = local.inbound(
        MAILS["8-bit"], recipient="a@shop.example", mail_from="b@example.com", stored=True
    )
    needed = PROVIDER.verify(post, config, NOW)
    assert isinstance(needed, NeedsFetch)
    certificate = local.handle(HttpRequest(method="GET", url=needed.plan.url))
    [plan] = PROVIDER.parse_inbound(post, config)
    assert isinstance(plan, FetchPlan)

    [mail] = PROVIDER.parse_fetched(
        plan, local.handle(HttpRequest(method="GET", url=plan.url)), config
    )
    assert isinstance(PROVIDER.verify_fetched(post, certificate, config, NOW), Verified)
    assert (mail.raw, plan.is_allowed) == (MAILS["8-bit"], True)
    assert local.handle(PROVIDER.build_send(outgoing(), config, NOW)).status == 200


@pytest.mark.parametrize(("age", "fresh"), [(7_200, True), (7_201, False), (-7_201, False)])
def test_anotification_is_taken_for_two_hours(fake: SesFake, age: int, fresh: bool) -> None:
    post = fake.subscription()

    verdict = PROVIDER.verify(post, CONFIG, NOW + timedelta(seconds=age))

    assert isinstance(verdict, NeedsFetch) is fresh


def test_without_a_topic_webhooks_are_refused_for_now(fake: SesFake) -> None:
    config = PROVIDER.configure({k: v for k, v in OPTIONS.items() if k != "topic_arns"})

    verdict = PROVIDER.verify(fake.subscription(), config, NOW)

    assert verdict == Unverified("provider ses: topic_arns is not set", 503)


def test_mail_in_s3_is_fetched_by_a_signed_url(fake: SesFake) -> None:
    post = fake.inbound(
        MAILS["every byte"], recipient="a@shop.example", mail_from="b@example.com", stored=True
    )

    [plan] = PROVIDER.parse_inbound(post, CONFIG)
    assert isinstance(plan, FetchPlan)
    answer = fake.handle(HttpRequest(method=plan.method, url=plan.url))
    [mail] = PROVIDER.parse_fetched(plan, answer, CONFIG)

    assert plan.is_allowed
    assert plan.hosts == ("inboxkit-mail.s3.eu-west-1.amazonaws.com",)
    assert "secret" not in repr(plan)
    assert (mail.raw, mail.mail_from) == (MAILS["every byte"], "b@example.com")
    assert fake.handle(HttpRequest(method="GET", url=f"{plan.url}0")).status == 403


def _received(action: object, **told: object) -> WebhookRequest:
    mail = {"source": "b@example.com", "destination": ["elsewhere@x.example"]}
    receipt = {"recipients": ["a@shop.example", "c@shop.example"], "action": action}
    told = {"notificationType": "Received", "mail": mail, "receipt": receipt, **told}
    return notification(told)


@pytest.mark.parametrize(
    ("action", "url"),
    cases(
        {
            "odd key": (
                {"bucketName": "mail", "objectKey": "in box/ü+1"},
                "https://mail.s3.eu-west-1.amazonaws.com/in%20box/%C3%BC%2B1?",
            ),
            "dots in the name": (
                {"bucketName": "mail.shop.example", "objectKey": "k"},
                "https://s3.eu-west-1.amazonaws.com/mail.shop.example/k?",
            ),
        }
    ),
)
def test_an_object_has_the_url_that_its_names_need(action: object, url: str) -> None:
    [plan] = PROVIDER.parse_inbound(_received(action), CONFIG)

    assert isinstance(plan, FetchPlan)
    assert plan.url.startswith(url)
    assert plan.is_allowed


@pytest.mark.parametrize(
    "action",
    cases(
        {
            "no place": {},
            "a host in the bucket": {"bucketName": "evil.example/x", "objectKey": "k"},
            "a port in the bucket": {"bucketName": "evil.example:1", "objectKey": "k"},
            "no key": {"bucketName": "mail", "objectKey": ""},
        }
    ),
)
def test_mail_that_is_nowhere_is_a_parse_error(action: object) -> None:
    with pytest.raises(ParseError):
        PROVIDER.parse_inbound(_received(action), CONFIG)


def test_everybody_whom_the_rule_matched_is_a_recipient() -> None:
    [mail] = PROVIDER.parse_inbound(_received({"encoding": "UTF8"}, content="Ä"), CONFIG)

    assert not isinstance(mail, FetchPlan)
    assert (mail.rcpt_to, mail.by_header) == (("a@shop.example", "c@shop.example"), False)
    assert mail.raw == "Ä".encode()


def test_mail_that_its_rule_encrypted_is_shown_as_such() -> None:
    [plan] = PROVIDER.parse_inbound(_received({"bucketName": "mail", "objectKey": "k"}), CONFIG)
    assert isinstance(plan, FetchPlan)

    with pytest.raises(ParseError, match="encrypted"):
        PROVIDER.parse_fetched(plan, HttpResponse(200, {"x-amz-meta-x-amz-key-v2": "x"}), CONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("region", "us-east-1/../x"),
        ("region", "eu_west"),
        ("s3_region", "nowhere"),
        ("topic_arns", "arn:aws:sqs:eu-west-1:123456789012:mail"),
        ("topic_arns", f"{TOPIC}, nonsense"),
        ("window", "0"),
        ("api_url", "http://email.example.com"),
    ],
)
def test_a_wrong_setting_is_named(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"provider ses: {key} "):
        PROVIDER.configure({**OPTIONS, key: value})


def test_china_has_a_domain_of_its_own() -> None:
    topic = "arn:aws-cn:sns:cn-north-1:123456789012:mail"
    config = PROVIDER.configure({**OPTIONS, "region": "cn-north-1", "topic_arns": topic})

    assert config.api_url == "https://email.cn-north-1.amazonaws.com.cn"
    assert config.topics[0].host == "sns.cn-north-1.amazonaws.com.cn"
    assert config.object_url("mail", "k") == "https://mail.s3.cn-north-1.amazonaws.com.cn/k"


def test_an_event_teaches_the_id_that_a_lost_answer_would_have_told(fake: SesFake) -> None:
    _sent(fake)
    [event] = PROVIDER.parse_events(
        fake.event(EventType.DELIVERED, fake.caught[0], "ann@example.com"), CONFIG
    )

    assert not isinstance(event, FetchPlan)
    assert event.message_id == f"<{fake.caught[0].id}@"


def test_a_verifiednotification_is_known_by_its_id(fake: SesFake) -> None:
    post = fake.subscription()
    plan = PROVIDER.verify(post, CONFIG, NOW)
    assert isinstance(plan, NeedsFetch)
    certificate = fake.handle(HttpRequest(method="GET", url=plan.plan.url))

    verified = PROVIDER.verify_fetched(post, certificate, CONFIG, NOW)

    assert verified == Verified(json.loads(post.body)["MessageId"])
