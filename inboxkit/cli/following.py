"""The event log of a server, for the command ``events`` with ``--url``."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..client import AsyncClient
from .opening import settings_of, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    import click

    from ..models import Event

_BEGINNING = "start"


class Log:
    """The event log of one server, or what of it is about one message."""

    def __init__(self, client: AsyncClient, message_id: str | None) -> None:
        self._client = client
        self._message_id = message_id
        self._cursor = _BEGINNING

    async def past(self, after: str | None, limit: int) -> list[Event]:
        """Return the first ``limit`` events after one, or the last ones without it; 0 means all."""
        found: deque[Event] = deque(maxlen=None if after or not limit else limit)
        cursor, before = after or _BEGINNING, ""
        while cursor != before:
            before = cursor
            page, cursor = await self._client.actions.logged(cursor)
            found.extend(e for e in page if self._message_id in (None, e.message.id))
        self._cursor = cursor
        return list(found)[: limit or None] if after else list(found)

    def coming(self) -> AsyncIterator[Event]:
        """Iterate for ever over what happens after what was ``past``."""
        return self._client.events(after=self._cursor)


@asynccontextmanager
async def log(ctx: click.Context, message_id: str | None) -> AsyncGenerator[Log]:
    """Reach the log of the server that ``--url`` names; raise NotFound for no such message."""
    async with AsyncClient(url_of(ctx), settings_of(ctx).api_key or None) as client:
        if message_id is not None:
            await client.message(message_id)
        yield Log(client, message_id)
