"""Receivers' side of our webhooks: what is signed is read, all else is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from inboxkit import signatures
from inboxkit.webhooks import BadSignature, verify

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY, OTHER = signatures.Key(b"k" * 24), signatures.Key(b"o" * 24)
BODY = json.dumps({"event_type": "message.received", "event_id": "evt_1"}).encode()


def signed(body: bytes = BODY) -> dict[str, str]:
    return signatures.headers([KEY], "evt_1", NOW, body)


def test_a_signed_webhook_is_returned_parsed() -> None:
    event = verify(BODY, signed(), KEY.secret, now=NOW + timedelta(seconds=299))
    assert (event.id, event.type, event.truncated) == ("evt_1", "message.received", ())
    assert event.data["event_id"] == "evt_1"


def test_what_was_left_out_is_named() -> None:
    body = b'{"event_type": "x", "inboxkit": {"truncated": ["text"]}}'
    assert verify(body, signed(body), [OTHER.secret, KEY.secret], now=NOW).truncated == ("text",)


@pytest.mark.parametrize(
    ("body", "headers", "late"),
    [
        (BODY + b" ", signed(), 0),
        (BODY, {}, 0),
        (BODY, signed(), 301),
        (BODY, signed() | {"webhook-id": "evt_2"}, 0),
        (BODY, signatures.headers([OTHER], "evt_1", NOW, BODY), 0),
        (b"[]", signed(b"[]"), 0),
        (b"{", signed(b"{"), 0),
    ],
    ids=["changed", "unsigned", "late", "id", "key", "no object", "no JSON"],
)
def test_other_requests_are_refused(body: bytes, headers: dict[str, str], late: int) -> None:
    with pytest.raises(BadSignature):
        verify(body, headers, KEY.secret, now=NOW + timedelta(seconds=late))
