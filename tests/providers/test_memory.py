from __future__ import annotations

from datetime import timedelta

import pytest

from inboxkit.errors import ConfigurationError
from inboxkit.providers.base import Capture, Retry, Sent, SmtpResponse, Unverified, WebhookRequest
from inboxkit.providers.memory import Memory

from .vendor import NOW, outgoing

PROVIDER = Memory()
CONFIG = PROVIDER.configure({})


def test_a_message_is_captured_with_its_envelope() -> None:
    message = outgoing(send_at=NOW + timedelta(days=99), template="a", track_opens=True)

    capture = PROVIDER.build_send(message, CONFIG, NOW)

    assert capture == Capture(
        mime=message.mime, mail_from=message.mail_from, rcpt_to=message.rcpt_to
    )


def test_it_always_counts_as_sent() -> None:
    outcome = PROVIDER.parse_send(SmtpResponse(0), outgoing(), CONFIG)
    assert outcome == Sent("<order-42.1@shop.example>")


def test_a_failed_capture_is_tried_again() -> None:
    assert PROVIDER.transport_error(request_sent=True, reason="disk full") == Retry(
        reason="disk full"
    )


def test_it_has_no_settings() -> None:
    with pytest.raises(ConfigurationError, match="provider memory: api_key "):
        PROVIDER.configure({"api_key": "x"})


def test_it_has_no_webhooks() -> None:
    verdict = PROVIDER.verify(WebhookRequest(), CONFIG, NOW)

    assert isinstance(verdict, Unverified)
    assert verdict.status == 404
    assert PROVIDER.parse_events(WebhookRequest(), CONFIG) == ()
    assert PROVIDER.parse_inbound(WebhookRequest(), CONFIG) == ()
