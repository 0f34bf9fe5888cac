"""A Mailgun account and what is posted to it, for the tests of the provider."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING

from inboxkit.providers import forms
from inboxkit.providers.base import WebhookRequest
from inboxkit.providers.mailgun import Mailgun

if TYPE_CHECKING:
    from inboxkit.providers.forms import Field

OPTIONS = {"api_key": "key-secret-1", "domain": "shop.example", "signing_key": "signing-secret-2"}
PROVIDER = Mailgun()
CONFIG = PROVIDER.configure(OPTIONS)
JSON = {"content-type": "application/json"}


def json_post(payload: object) -> WebhookRequest:
    return WebhookRequest(headers=JSON, body=json.dumps(payload).encode())


def form_post(*fields: Field) -> WebhookRequest:
    content_type, body = forms.write(fields)
    return WebhookRequest(headers={"content-type": content_type}, body=body)


def signature_block(timestamp: str, token: str, key: str = "signing-secret-2") -> dict[str, str]:
    signed = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": signed}
