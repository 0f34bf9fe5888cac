from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inboxkit.errors import UnsupportedFeature
from inboxkit.providers.base import (
    HttpResponse,
    Refused,
    Retry,
    Sent,
    Unknown,
    WebhookRequest,
)
from inboxkit.providers.fakes.ses import SesFake
from inboxkit.values import Address, File

from .conformance import Conformance
from .ses_account import CONFIG, OPTIONS, PROVIDER, TOPIC, notification
from .vendor import NOW, Vendor, cases, outgoing


def _tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    good = json.loads(post.body)
    other = base64.b64encode(b"x" * 256).decode()
    changes = {
        "message": {"Message": good["Message"] + " "},
        "id": {"MessageId": "other"},
        "subject": {"Subject": "x"},
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
        posted=notification,
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
    assert sent.ids == {c.rcpt_to[0]: c.id for c in fake.caught}


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
                    {"ann@example.com": "id0"},
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
            "denied by a new name": (
                _error(403, "AccessDenied"),
                Refused("403 why", "credentials"),
            ),
            "signed too long ago": (
                _error(400, "RequestExpired"),
                Refused("400 why", "credentials"),
            ),
            "a conflict": (_error(409, "ConflictException"), Refused("409 why", "message")),
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


@pytest.mark.parametrize(
    ("region", "host"), [("us-east-1", "email"), ("ap-southeast-2", "ap-southeast-2")]
)
def test_the_alias_has_the_host_of_the_region(region: str, host: str) -> None:
    answer = HttpResponse(200, {}, b'{"MessageId": "0100-1"}')

    sent = PROVIDER.parse_send(answer, outgoing(), replace(CONFIG, region=region))

    assert sent == Sent("0100-1", (f"<0100-1@{host}.amazonses.com>", "<0100-1@"))


def test_names_outside_ascii_are_encoded_words_in_a_template() -> None:
    asked = _asked(
        template="order", sender=Address("support@shop.example", "Größe"), attachments=()
    )

    assert asked["FromEmailAddress"] == "=?utf-8?b?R3LDtsOfZQ==?= <support@shop.example>"
