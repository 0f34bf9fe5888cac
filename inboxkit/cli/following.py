"""The event log of a server, for the command ``events`` with ``--url``."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..client import AsyncClient
from .opening import settings_of, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import click

    from ..models import Event

_BEGINNING = "start"


async def events(
    ctx: click.Context, after: str | None, message_id: str | None, limit: int, *, follow: bool
) -> AsyncIterator[Event]:
    """Iterate over the first events after one, or over the last ones, and then over new ones."""
    async with AsyncClient(url_of(ctx), settings_of(ctx).api_key or None) as client:
        if message_id is not None:
            await client.message(message_id)  # or say that there is none
        found, cursor = await _past(client, after, message_id, limit)
        for event in found:
            yield event
        if not follow:
            return
        async for event in client.events(after=cursor):
            if message_id in (None, event.message.id):
                yield event


async def _past(
    client: AsyncClient, after: str | None, message_id: str | None, limit: int
) -> tuple[list[Event], str]:
    """Return the first ``limit`` events after one, the last ones without it, and the log's end."""
    found: deque[Event] = deque(maxlen=None if after or not limit else limit)
    cursor, before = after or _BEGINNING, ""
    while cursor != before:
        before = cursor
        page, cursor = await client.actions.logged(cursor)
        found.extend(e for e in page if message_id in (None, e.message.id))
    return (list(found)[: limit or None] if after else list(found)), cursor
