"""A post that somebody asks for, to see whether an endpoint takes events. Nothing is logged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ...egress import Guard
from ...pipeline.posting import Poster
from ...pipeline.posts import headers_of
from .envelope import invalid
from .examples import example, type_of
from .live import MOST_PAYLOAD_BYTES
from .routing import EVERYWHERE, Route
from .schemas.events import payload, types_named
from .schemas.webhooks import SendExampleRequest, SentExample
from .webhooks import wanted

if TYPE_CHECKING:
    from .call import Call


async def send_example(call: Call[SendExampleRequest]) -> SentExample:
    """Post an example event to an endpoint now, and return what it answered.

    It is signed as every other, of ``event_type`` or of the first type that the endpoint wants, and
    says ``"example": true`` in ``inboxkit.data``. It is posted once, also to an endpoint that is
    disabled, and changes nothing of how the endpoint does.
    """
    found = await wanted(call)
    name = call.given.event_type or type_of(found.event_types)
    if not types_named(name):
        raise invalid("never happens here, so there is no example", "event_type")
    inbox = found.inbox or f"example@{call.parts.settings.domain}"
    made = example(name, inbox, call.now, call.parts.actions)
    body = payload(made, MOST_PAYLOAD_BYTES)
    headers = headers_of(found, made.event_id, body, call.now)
    poster, begun = Poster(Guard(call.parts.settings.egress_networks)), time.monotonic()
    try:
        with call.parts.live.listeners.entered(call.line):
            answer = await poster.post(found.url, body, headers, call.now)
    finally:
        await poster.close()
    return SentExample(
        event_id=made.event_id,
        event_type=name,
        good=answer.is_good,
        status=answer.status,
        error=answer.error or None,
        milliseconds=round((time.monotonic() - begun) * 1000),
    )


ROUTES: tuple[Route[Any], ...] = (
    Route(
        "POST",
        "/webhooks/{webhook_id}/test",
        send_example,
        SendExampleRequest,
        SentExample,
        "webhook_update",
        EVERYWHERE,
    ),
)
