"""Notifications of Amazon SNS: what is signed, and where topics and certificates are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inboxkit.providers.base import ParseError
from inboxkit.providers.sns import Notification, Topic

from .vendor import cases

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
FIELDS = {
    "Type": "Notification",
    "MessageId": "id",
    "TopicArn": TOPIC,
    "Subject": "about",
    "Message": "grüße\n",
    "Timestamp": "2026-01-02T03:04:05.678Z",
    "SignatureVersion": "1",
    "Signature": "c2ln",
    "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
}


def _read(**changes: Any) -> Notification:
    fields = {name: value for name, value in (FIELDS | changes).items() if value is not None}
    return Notification.read(json.dumps(fields).encode())


def test_a_notification_is_signed_by_name_and_value() -> None:
    assert _read().signed.decode() == (
        "Message\ngrüße\n\nMessageId\nid\nSubject\nabout\nTimestamp\n2026-01-02T03:04:05.678Z\n"
        f"TopicArn\n{TOPIC}\nType\nNotification\n"
    )


def test_a_subject_that_is_not_there_is_not_signed() -> None:
    assert b"Subject" not in _read(Subject=None).signed


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_is_signed_with_its_url_and_token(kind: str) -> None:
    note = _read(Type=kind, Message="m", Token="t", SubscribeURL="u")

    assert note.signed.decode() == (
        "Message\nm\nMessageId\nid\nSubscribeURL\nu\nTimestamp\n2026-01-02T03:04:05.678Z\n"
        f"Token\nt\nTopicArn\n{TOPIC}\nType\n{kind}\n"
    )
    assert note.subscribe_url == ("u" if kind == "SubscriptionConfirmation" else "")


@pytest.mark.parametrize(
    ("arn", "host"),
    cases(
        {
            "plain": (TOPIC, "sns.eu-west-1.amazonaws.com"),
            "fifo": (f"{TOPIC}.fifo", "sns.eu-west-1.amazonaws.com"),
            "government": (
                "arn:aws-us-gov:sns:us-gov-west-1:123456789012:mail",
                "sns.us-gov-west-1.amazonaws.com",
            ),
            "queue": ("arn:aws:sqs:eu-west-1:123456789012:mail", ""),
            "a host for a region": ("arn:aws:sns:evil.example/:123456789012:mail", ""),
            "a line more": (f"{TOPIC}\n", ""),
            "nothing": ("", ""),
        }
    ),
)
def test_a_topic_has_the_host_of_its_region(arn: str, host: str) -> None:
    assert (Topic(arn).host, Topic(arn).is_valid) == (host, bool(host))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"Type": "Other"}', b'{"Type": 1}', b"\xff"])
def test_what_sns_does_not_send_is_a_parse_error(body: bytes) -> None:
    with pytest.raises(ParseError):
        Notification.read(body)


def test_values_that_are_no_text_are_not_there() -> None:
    note = _read(MessageId=1, TopicArn=[], Timestamp={}, Message=None, SigningCertURL=True)

    assert (note.id, note.topic.arn, note.published_at, note.message) == ("", "", None, "")
    assert note.certificate_url == ""


def test_a_post_that_no_topic_can_send_is_not_read() -> None:
    with pytest.raises(ParseError, match="JSON of over 2097152 bytes"):
        Notification.read(b'{"Type": "Notification", "a": "' + b"x" * 2**21 + b'"}')
