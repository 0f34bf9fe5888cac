from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import ConfigurationError, UnsupportedFeature
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
from inboxkit.providers.ses import Ses
from inboxkit.providers.ses_fake import SesFake
from inboxkit.values import Address, EventType, File

from .conformance import MAILS, NOW, Conformance, Vendor, cases, outgoing, recorded, value_of

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
OPTIONS = {
    "access_key_id": "AKIDEXAMPLE",
    "secret_access_key": "key-secret-1",
    "session_token": "signing-secret-2",
    "region": "eu-west-1",
    "topic_arns": TOPIC,
}
PROVIDER = Ses()
CONFIG = PROVIDER.configure(OPTIONS)


def _notification(message: object, **changes: str) -> WebhookRequest:
    fields = {
        "Type": "Notification",
        "MessageId": "11111111-2222-3333-4444-555555555555",
        "TopicArn": TOPIC,
        "Timestamp": "2026-01-02T03:04:05.000Z",
        "Message": message if isinstance(message, str) else json.dumps(message),
        **changes,
    }
    return WebhookRequest(body=json.dumps(fields).encode())


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    good = json.loads(post.body)
    other = base64.b64encode(b"x" * 256).decode()
    changes = {
        "message": {"Message": good["Message"] + " "},
        "id": {"MessageId": "other"},
        "a subject that was not there": {"Subject": "x"},
        "time": {"Timestamp": "2026-01-02T03:04:07.000Z"},
        "old": {"Timestamp": "2026-01-01T03:04:06.000Z"},
        "another topic": {"TopicArn": TOPIC + "2"},
        "signature": {"Signature": other},
        "no signature": {"Signature": ""},
        "weaker digest": {"SignatureVersion": "1"},
        "unknown digest": {"SignatureVersion": "3"},
        "another type": {"Type": "SubscriptionConfirmation"},
        "unknown type": {"Type": "Other"},
        "a certificate of the sender": {"SigningCertURL": "https://evil.example/a.pem"},
    }
    posts = {name: {**good, **change} for name, change in changes.items()}
    bodies = {name: json.dumps(fields).encode() for name, fields in posts.items()}
    return {name: replace(post, body=body) for name, body in bodies.items()}


class TestSes(Conformance):
    vendor = Vendor(
        provider=PROVIDER,
        options=OPTIONS,
        make_fake=SesFake,
        required=("access_key_id", "secret_access_key"),
        refusal=403,
        tampered=_tampered,
        most=50,
        posted=_notification,
    )

    def told_of(self) -> Any:
        """SES does not say who of several has opened a mail."""
        return outgoing(rcpt_to=("ann@example.com",), cc=(), bcc=())


@pytest.fixture
def fake() -> SesFake:
    return SesFake(CONFIG, lambda: NOW)


def _sent(fake: SesFake, **changes: Any) -> Sent | Refused | Retry | Unknown:
    message = outgoing(**changes)
    answer = fake.handle(PROVIDER.build_send(message, CONFIG, NOW))
    return PROVIDER.parse_send(answer, message, CONFIG)


def _asked(**changes: Any) -> Any:
    return json.loads(PROVIDER.build_send(outgoing(**changes), CONFIG, NOW).body)


# sending


def test_the_composed_bytes_go_out_whole_but_under_an_id_and_date_of_ses(fake: SesFake) -> None:
    sent = _sent(fake)

    [caught] = fake.caught
    head, _, body = caught.mime.partition(b"\r\n\r\n")
    assert base64.b64decode(_asked()["Content"]["Raw"]["Data"]) == outgoing().mime
    assert body == outgoing().mime.partition(b"\r\n\r\n")[2]
    assert b"order-42.1@shop.example" not in head
    assert caught.message_id == f"<{caught.id}@eu-west-1.amazonses.com>"
    assert sent == Sent(caught.id, (caught.message_id, f"<{caught.id}@"))


def test_recipients_that_no_header_names_are_blind() -> None:
    asked = _asked(rcpt_to=("ann@example.com", "ben@example.com", "zoe@example.com"))

    assert asked["Destination"] == {
        "ToAddresses": ["ann@example.com"],
        "CcAddresses": ["ben@example.com"],
        "BccAddresses": ["zoe@example.com"],
    }


def test_a_template_goes_with_its_variables_headers_and_files(fake: SesFake) -> None:
    file = File("a.pdf", b"%PDF", "application/pdf")
    sent = _sent(fake, template="order", variables={"n": "42"}, attachments=(file,))

    assert isinstance(sent, Sent)
    asked = _asked(template="order", variables={"n": "42"}, attachments=(file,))
    template = asked["Content"]["Template"]
    assert (template["TemplateName"], json.loads(template["TemplateData"])) == (
        "order",
        {"n": "42"},
    )
    assert {"Name": "In-Reply-To", "Value": "<a1@example.com>"} in template["Headers"]
    assert asked["ReplyToAddresses"] == ["support+token@shop.example"]
    assert b'filename="a.pdf"' in fake.caught[0].mime


def test_variables_by_recipient_make_a_mail_for_each(fake: SesFake) -> None:
    variables = {"ann@example.com": {"name": "Ann"}}
    sent = _sent(fake, template="order", variables={"n": "42"}, recipient_variables=variables)

    assert isinstance(sent, Sent)
    assert [c.rcpt_to for c in fake.caught] == [(r,) for r in outgoing().rcpt_to]
    assert [b'{"n": "42", "name": "Ann"}' in c.mime for c in fake.caught] == [True, False, False]
    assert {c.message_id for c in fake.caught} < set(sent.aliases)


@pytest.mark.parametrize(
    ("states", "expected"),
    cases(
        {
            "some": (
                ("SUCCESS", "MESSAGE_REJECTED", "TRANSIENT_FAILURE"),
                Sent(
                    "id0",
                    ("<id0@eu-west-1.amazonses.com>", "<id0@"),
                    {"ben@example.com": "MESSAGE_REJECTED"},
                    {"eve@example.com": "TRANSIENT_FAILURE"},
                ),
            ),
            "later": (("ACCOUNT_THROTTLED",) * 3, Retry(reason="ACCOUNT_THROTTLED")),
            "none": (("ACCOUNT_SUSPENDED",) * 3, Refused("ACCOUNT_SUSPENDED", "account")),
            "too few": (("SUCCESS",), Unknown("the answer does not tell of every recipient")),
        }
    ),
)
def test_a_bulk_answer_tells_of_each_recipient(states: tuple[str, ...], expected: object) -> None:
    results = [{"Status": s, "MessageId": f"id{n}"} for n, s in enumerate(states)]
    answer = HttpResponse(200, {}, json.dumps({"BulkEmailEntryResults": results}).encode())

    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


@pytest.mark.parametrize(
    "changes",
    cases(
        {
            "51 recipients": {"rcpt_to": tuple(f"a{n}@example.com" for n in range(51))},
            "scheduling": {"send_at": NOW + timedelta(hours=1)},
            "tracking by message": {"track_opens": True},
            "merging without a template": {"recipient_variables": {"ann@example.com": {"a": "b"}}},
        }
    ),
)
def test_what_ses_cannot_do_is_refused_before_anything_is_sent(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="ses "):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


def _error(status: int, kind: str, message: str = "why") -> HttpResponse:
    body = json.dumps({"message": message}).encode()
    return HttpResponse(status, {"X-Amzn-ErrorType": f"{kind}:http://internal/"}, body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    cases(
        {
            "rejected": (_error(400, "MessageRejected"), Refused("400 why", "message")),
            "not verified": (
                _error(400, "MessageRejected", "Email address is not verified."),
                Refused("400 Email address is not verified.", "settings"),
            ),
            "suspended": (_error(400, "AccountSuspendedException"), Refused("400 why", "account")),
            "quota": (_error(400, "LimitExceededException"), Retry(reason="400 why")),
            "throttled": (_error(400, "ThrottlingException"), Retry(reason="400 why")),
            "wrong key": (
                _error(403, "UnrecognizedClientException"),
                Refused("403 why", "credentials"),
            ),
            "type in the body": (
                HttpResponse(400, {}, b'{"__type": "com.amazonaws.ses#SendingPausedException"}'),
                Refused('400 {"__type": "com.amazonaws.ses#SendingPausedException"}', "account"),
            ),
            "no such set": (_error(404, "NotFoundException"), Refused("404 why", "settings")),
            "unavailable": (_error(503, "ServiceUnavailable"), Retry(reason="503 why")),
            "internal": (_error(500, "InternalFailure"), Unknown("500 why")),
            "redirect": (
                HttpResponse(302),
                Refused("302: the API's URL leads elsewhere", "settings"),
            ),
            "no id": (HttpResponse(200, {}, b"{}"), Unknown("200 {}")),
        }
    ),
)
def test_answers_are_classified(answer: HttpResponse, expected: object) -> None:
    assert PROVIDER.parse_send(answer, outgoing(), CONFIG) == expected


def test_metadata_too_long_for_a_tag_stays_behind() -> None:
    asked = _asked(metadata={"long": "x" * 257, "short": "y", "b64_": "z"}, tag="")

    assert asked["EmailTags"] == [
        {"Name": "short", "Value": "y"},
        {"Name": "b64_YjY0Xw", "Value": "z"},
    ]


@pytest.mark.parametrize(
    ("change", "kind"),
    cases(
        {
            "no signature": ({"Authorization": ""}, "MissingAuthenticationTokenException"),
            "another date": ({"X-Amz-Date": "20260102T030407Z"}, "InvalidSignatureException"),
            "another token": ({"X-Amz-Security-Token": "x"}, "InvalidSignatureException"),
        }
    ),
)
def test_the_fake_refuses_what_is_signed_wrong(fake: SesFake, change: Any, kind: str) -> None:
    request = PROVIDER.build_send(outgoing(), CONFIG, NOW)

    answer = fake.handle(replace(request, headers={**request.headers, **change}))

    assert (answer.status, answer.header("x-amzn-errortype")) == (403, kind)
    assert not fake.caught


# webhooks


@pytest.mark.parametrize("case", recorded("ses"))
def test_documented_events_are_normalized(case: Any) -> None:
    events = PROVIDER.parse_events(_notification(case["payload"]), CONFIG)

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
    post = _notification(message)

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
    post = _notification("x", Type="SubscriptionConfirmation", SubscribeURL=url)

    [plan] = PROVIDER.parse_events(post, CONFIG)

    assert isinstance(plan, FetchPlan)
    assert not plan.is_allowed


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/SimpleNotificationService-0a.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a.pem",  # other region
        "https://sns.eu-west-1.amazonaws.com/other.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem?x=1",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-0a.pem",
        "http://[",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_never_asked_for(url: str) -> None:
    post = _notification("x", SignatureVersion="2", Signature="x", SigningCertURL=url)

    verdict = PROVIDER.verify(post, CONFIG, NOW)

    assert isinstance(verdict, Unverified)
    assert verdict.status == 403


def test_a_certificate_that_cannot_be_read_is_asked_for_again(fake: SesFake) -> None:
    post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")

    verdict = PROVIDER.verify_fetched(post, HttpResponse(200, {}, b"?"), CONFIG, NOW)

    assert isinstance(verdict, Unverified)
    assert verdict.status == 503


@pytest.mark.parametrize(("age", "fresh"), [(7_200, True), (7_201, False), (-7_201, False)])
def test_a_notification_is_taken_for_two_hours(fake: SesFake, age: int, fresh: bool) -> None:
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
    return _notification(told)


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
    assert mail.rcpt_to == ("a@shop.example", "c@shop.example")
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


@pytest.mark.parametrize(
    ("region", "host"), [("us-east-1", "email"), ("ap-southeast-2", "ap-southeast-2")]
)
def test_the_alias_has_the_host_of_the_region(region: str, host: str) -> None:
    answer = HttpResponse(200, {}, b'{"MessageId": "0100-1"}')

    sent = PROVIDER.parse_send(answer, outgoing(), replace(CONFIG, region=region))

    assert sent == Sent("0100-1", (f"<0100-1@{host}.amazonses.com>", "<0100-1@"))


def test_an_event_teaches_the_id_that_a_lost_answer_would_have_told(fake: SesFake) -> None:
    _sent(fake)
    [event] = PROVIDER.parse_events(
        fake.event(EventType.DELIVERED, fake.caught[0], "ann@example.com"), CONFIG
    )

    assert not isinstance(event, FetchPlan)
    assert event.message_id == f"<{fake.caught[0].id}@"


def test_a_verified_notification_is_known_by_its_id(fake: SesFake) -> None:
    post = fake.subscription()
    plan = PROVIDER.verify(post, CONFIG, NOW)
    assert isinstance(plan, NeedsFetch)
    certificate = fake.handle(HttpRequest(method="GET", url=plan.plan.url))

    verified = PROVIDER.verify_fetched(post, certificate, CONFIG, NOW)

    assert verified == Verified(json.loads(post.body)["MessageId"])


def test_names_outside_ascii_are_encoded_words_in_a_template() -> None:
    asked = _asked(
        template="order", sender=Address("support@shop.example", "Größe"), attachments=()
    )

    assert asked["FromEmailAddress"] == "=?utf-8?b?R3LDtsOfZQ==?= <support@shop.example>"
