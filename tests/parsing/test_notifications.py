"""News of deliveries in JSON, as a sending service mails it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing import Bounce, parse
from inboxkit.values import Kind

SENT = {
    "messageId": "0100018f7-ab12-000000",
    "headers": [{"name": "Message-ID", "value": "<order-1@shop.example>"}],
}
FOOTER = "\n\n--\nIf you wish to stop receiving notifications, visit https://sns.example/x\n"


def sns(news: object, *, after: str = FOOTER, field: str = "x-amz-sns-message-id: 1\r\n") -> bytes:
    text = news if isinstance(news, str) else json.dumps(news)
    head = "From: SES <no-reply@sns.amazonaws.com>\r\nSubject: AWS Notification Message\r\n"
    return f"{head}{field}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}{after}".encode()


def bounced(subtype: str = "General", kind: str = "Permanent", **person: str) -> dict[str, Any]:
    return {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": [{"emailAddress": "ann@example.com", **person}],
        },
        "mail": SENT,
    }


UNKNOWN = {"status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}


def test_bounce_in_an_envelope_of_sns() -> None:
    news = {"Type": "Notification", "Message": json.dumps(bounced(**UNKNOWN))}

    message = parse(sns(news, after=""))

    assert (message.kind, message.kind_reason) == (
        Kind.BOUNCE,
        "a delivery that a sending service reports",
    )
    assert message.report.bounces == (
        Bounce("ann@example.com", "5.1.1", "user_unknown", True, "smtp; 550 5.1.1 user unknown"),
    )
    assert message.report.original_message_id == "<order-1@shop.example>"
    assert message.report.original_recipient == "ann@example.com"


@pytest.mark.parametrize(
    ("news", "reason", "hard"),
    [
        (bounced("NoEmail"), "user_unknown", True),
        (bounced("Suppressed", diagnosticCode="Amazon SES did not send"), "user_unknown", True),
        (bounced("OnAccountSuppressionList", status="5.1.1"), "blocked", False),
        (bounced("MailboxFull", "Transient"), "mailbox_full", False),
        (bounced("General", "Transient", **UNKNOWN), "user_unknown", False),
        (bounced("General", "Undetermined"), "other", False),
    ],
    ids=["no such", "suppressed", "own list", "full", "transient", "undetermined"],
)
def test_reason_of_a_bounce(news: dict[str, Any], reason: str, hard: bool) -> None:
    (bounce,) = parse(sns(news)).report.bounces

    assert (bounce.reason, bounce.hard, bounce.action) == (reason, hard, "failed")


@pytest.mark.parametrize(
    ("news", "kind", "action", "reason"),
    [
        (
            {
                "eventType": "Complaint",
                "complaint": {
                    "complainedRecipients": [{"emailAddress": "ann@example.com"}],
                    "complaintFeedbackType": "abuse",
                },
            },
            Kind.COMPLAINT,
            "complained",
            "complaint",
        ),
        (
            {"notificationType": "Delivery", "delivery": {"recipients": ["ann@example.com"]}},
            Kind.BOUNCE,
            "delivered",
            "delivered",
        ),
        (
            {
                "eventType": "DeliveryDelay",
                "deliveryDelay": {"delayedRecipients": [{"emailAddress": "ann@example.com"}]},
            },
            Kind.BOUNCE,
            "delayed",
            "expired",
        ),
    ],
    ids=["complaint", "delivery", "delay"],
)
def test_other_news(news: dict[str, Any], kind: Kind, action: str, reason: str) -> None:
    message = parse(sns({**news, "mail": {"messageId": "0100018f7-ab12"}}))

    assert message.kind == kind
    (bounce,) = message.report.bounces
    assert (bounce.recipient, bounce.action) == ("ann@example.com", action)
    assert (bounce.reason, bounce.hard) == (reason, False)
    assert message.report.original_message_id == "<0100018f7-ab12@email.amazonses.com>"


def test_long_lines_are_joined_again() -> None:
    text = json.dumps(bounced(**UNKNOWN)).replace("ann@", "an!\r\n n@")

    assert parse(sns(text)).report.bounces[0].recipient == "ann@example.com"


@pytest.mark.parametrize(
    "raw",
    [
        sns(bounced(**UNKNOWN), field=""),
        sns({"eventType": "Open", "open": {}}),
        sns({"notificationType": "Bounce"}),
        sns({"notificationType": "Bounce", "bounce": {"bouncedRecipients": [1]}}),
        sns({"Message": "A new machine was started"}),
        sns("no JSON at all"),
        sns("[" * 100_000),
        sns('{"Message":' * 20_000),
    ],
    ids=["not by SNS", "opened", "empty", "numbers", "other news", "words", "deep", "deep objects"],
)
def test_other_mail_is_no_bounce(raw: bytes) -> None:
    assert parse(raw).kind == Kind.HUMAN


NEWS = json.dumps(bounced(**UNKNOWN))


@given(st.integers(0, len(NEWS)), st.text(max_size=20))
def test_any_damage_is_survived(place: int, harm: str) -> None:
    text = NEWS[:place] + harm + NEWS[place + len(harm) :]

    assert parse(sns(text)).state == "parsed"
