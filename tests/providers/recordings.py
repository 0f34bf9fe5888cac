"""Recorded payloads of vendors that post JSON, and what was read from them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inboxkit.providers.base import ProviderEvent, WebhookRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def posted(case: Mapping[str, Any]) -> WebhookRequest:
    """Return a recorded payload as the vendor posts it, but for the signature."""
    headers = {"content-type": "application/json"}
    return WebhookRequest(headers=headers, body=json.dumps(case["payload"]).encode())


def seen(events: Iterable[object], case: Mapping[str, Any]) -> list[dict[str, object]]:
    """Return of each event what the recording expects of it."""
    return [
        {name: _value(event, name) for name in expected}
        for event, expected in zip(events, case["expected"], strict=True)
    ]


def _value(event: object, name: str) -> object:
    assert isinstance(event, ProviderEvent)
    if name == "metadata":
        return event.data.get("metadata", {})
    return event.data[name] if name in ("url", "tags") else getattr(event, name)
