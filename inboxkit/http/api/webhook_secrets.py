"""The secret of an outgoing webhook, changed without a post that its receiver must refuse."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ...signatures import Key
from ...store import endpoints
from .envelope import invalid
from .routing import EVERYWHERE, Route
from .schemas.webhooks import RotateSecretRequest, Webhook
from .webhooks import shown, wanted

if TYPE_CHECKING:
    from .call import Call


async def rotate(call: Call[RotateSecretRequest]) -> Webhook:
    """Sign with a new secret, and for ``overlap_hours`` (24 if none are given) with the old too.

    Every post has a signature by each, so a receiver that knows either can verify it. With
    ``overlap_hours`` 0 the old one is worth nothing from now on. Without ``secret`` one is made.
    """
    found, asked = await wanted(call), call.given
    try:
        new = Key.of(asked.secret) if asked.secret else Key.made()
    except ValueError as error:
        raise invalid(str(error), "secret", fix="leave it out, and one is made") from None
    overlap = timedelta(hours=asked.overlap_hours)
    await call.store.write(endpoints.rotate, found.id, new.secret, call.now, overlap)
    return await shown(call, found.id)


ROUTES: tuple[Route[Any], ...] = (
    Route(
        "POST",
        "/webhooks/{webhook_id}/secret/rotate",
        rotate,
        RotateSecretRequest,
        Webhook,
        "webhook_update",
        EVERYWHERE,
    ),
)
