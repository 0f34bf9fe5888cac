"""An SES account and what SNS posts about it, for the tests of the provider."""

from __future__ import annotations

import json

from inboxkit.providers.base import WebhookRequest
from inboxkit.providers.ses import Ses

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


def notification(message: object, **changes: str) -> WebhookRequest:
    fields = {
        "Type": "Notification",
        "MessageId": "11111111-2222-3333-4444-555555555555",
        "TopicArn": TOPIC,
        "Timestamp": "2026-01-02T03:04:05.000Z",
        "Message": message if isinstance(message, str) else json.dumps(message),
        **changes,
    }
    return WebhookRequest(body=json.dumps(fields).encode())
