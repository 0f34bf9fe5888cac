"""The published libraries of Standard Webhooks and of Svix against our signatures, both ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest

from inboxkit.signatures import BadSignature, Key, headers, verify

svix: Any = import_module("svix.webhooks")
standard: Any = import_module("standardwebhooks.webhooks")

KEY, OTHER = Key(bytes(range(24))), Key(bytes(range(32)))
BODY = '{"größe": "尺码"}'.encode()


@pytest.mark.parametrize("prefix", ["svix", "webhook"])
def test_svix_takes_both_sets_of_headers(prefix: Any) -> None:
    signed = headers([OTHER, KEY], "msg_1", datetime.now(UTC), BODY, prefix=prefix)

    svix.Webhook(KEY.secret).verify(BODY, signed)
    with pytest.raises(svix.WebhookVerificationError):
        svix.Webhook(KEY.secret).verify(BODY + b" ", signed)


def test_standard_webhooks_takes_ours() -> None:
    signed = headers([OTHER, KEY], "msg_1", datetime.now(UTC), BODY)

    assert standard.Webhook(KEY.secret).verify(BODY.decode(), signed) == {"größe": "尺码"}


@pytest.mark.parametrize("library", [svix, standard], ids=["svix", "standardwebhooks"])
def test_we_take_theirs(library: Any) -> None:
    now = datetime.now(UTC)
    signature = library.Webhook(KEY.secret).sign("msg_1", now, BODY.decode())
    signed = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }

    assert verify([OTHER, KEY], signed, BODY, now) == "msg_1"
    with pytest.raises(BadSignature):
        verify([OTHER], signed, BODY, now)


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (295, True), (305, False), (-305, False)])
def test_the_window_is_theirs(age: int, fresh: bool) -> None:
    signed = headers([KEY], "msg_1", datetime.now(UTC) - timedelta(seconds=age), BODY)

    for library in (svix, standard):
        try:
            library.Webhook(KEY.secret).verify(BODY.decode(), signed)
            taken = True
        except library.WebhookVerificationError:
            taken = False
        assert taken is fresh
