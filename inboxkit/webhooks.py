"""For receivers of our webhooks: verify a request and read its event. Needs no server of ours."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from .signatures import BadSignature, Key
from .signatures import verify as verify_signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["BadSignature", "WebhookEvent", "verify"]


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event as it was posted. ``id`` is the same at every retry: keep it to act only once.

    ``data`` is the whole JSON object; ``truncated`` names the fields that were left out of it.
    """

    id: str
    type: str
    data: Mapping[str, Any] = field(repr=False)

    @property
    def truncated(self) -> tuple[str, ...]:
        """The fields that a long message came without; fetch it by the API to have them."""
        own = self.data.get("inboxkit")
        named = cast("Mapping[str, Any]", own).get("truncated") if isinstance(own, dict) else None
        return tuple(str(name) for name in cast("list[Any]", named or []))


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    now: datetime | None = None,
) -> WebhookEvent:
    """Return the event of a webhook that we signed; raise BadSignature for any other.

    ``body`` are the bytes as they came, ``secret`` the webhook's or several while it is changed.
    Raise ValueError when a secret itself is malformed.
    """
    named = [secret] if isinstance(secret, str) else secret
    keys = [Key.of(one) for one in named]
    id = verify_signature(keys, headers, body, now or datetime.now(UTC))
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise BadSignature("signed, but not a JSON object")
    found = cast("dict[str, Any]", said)
    return WebhookEvent(id, str(found.get("event_type", "")), found)
