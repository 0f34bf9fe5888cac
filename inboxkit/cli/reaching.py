"""Where a command works: on the database, or with ``--url`` on a server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from .opening import opened, require_database, settings_of, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from datetime import timedelta

    import click

    from ..client import AsyncClient
    from ..client.server import Server
    from ..client.transport import Transport
    from ..inbox import Inbox
    from ..kit import InboxKit
    from ..models import Actions, Event, Message, Thread
    from ..settings import Settings
    from .looking import Look

_ASK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Reached:
    """What commands do alike on a database and on a server; ``kit`` is None on a server."""

    place: InboxKit | AsyncClient
    actions: Actions
    kit: InboxKit | None

    async def inbox(self, address: str, *, since: timedelta | None = None) -> Inbox:
        """Return the inbox of an address, made if it is new."""
        return await self.place.inbox(address, since=since)

    async def message(self, id: str) -> Message:
        """Return a message; raise NotFound."""
        return await self.place.message(id)

    async def thread(self, id: str) -> Thread:
        """Return a thread; raise NotFound."""
        return await self.place.thread(id)

    def count(self) -> int:
        """Return how much has happened so far."""
        return 0 if self.kit is None else self.kit.runtime.notify.bell.count("any")

    async def happens(self, seen: int) -> None:
        """Wait until something more may have happened; a server is simply asked again."""
        if self.kit is None:
            await anyio.sleep(_ASK_AGAIN_SECONDS)
        else:
            await self.kit.runtime.notify.bell.wait("any", seen)

    def events(self, after: str | None) -> AsyncIterator[Event]:
        """Iterate over the event log for ever."""
        return self.place.events(after=after)


@asynccontextmanager
async def reached(ctx: click.Context, *, makes: bool = True) -> AsyncGenerator[Reached]:
    """Open the database of this call and work on it, or reach the server that ``--url`` names.

    Raise NotFound if there is no database, unless it ``makes`` one.
    """
    if url_of(ctx):
        async with _client(ctx) as client:
            yield Reached(client, client.actions, None)
    else:
        if not makes:
            require_database(settings_of(ctx))
        async with opened(ctx, works=True) as kit:
            yield Reached(kit, kit.runtime.actions, kit)


@asynccontextmanager
async def glimpsed(ctx: click.Context) -> AsyncGenerator[Look | AsyncClient]:
    """Open the database of this call to look at it, or reach the server that ``--url`` names."""
    if url_of(ctx):
        async with _client(ctx) as client:
            yield client
    else:
        from .looking import looked  # a server's client needs no database

        async with looked(ctx) as look:
            yield look


@asynccontextmanager
async def api_of(
    ctx: click.Context, settings: Settings, *, works: bool, makes: bool = True
) -> AsyncGenerator[tuple[Transport, str | None]]:
    """Reach the API of the server that ``--url`` names, or open the database and be its owner.

    Raise NotFound if there is no database, unless it ``makes`` one.
    """
    if url_of(ctx):
        from ..client.asynchronous import AsyncTransport
        from ..client.transport import place

        transport = AsyncTransport(place(url_of(ctx)))
        transport.open()
        try:
            yield transport, settings.api_key or None
        finally:
            await transport.close()
    else:
        from ..http.api.access import Identity
        from ..http.api.app import Api
        from ..http.api.inside import Inside

        if not makes:
            require_database(settings)
        async with opened(ctx, works=works) as kit:
            yield Inside(Api(kit.runtime.parts), Identity(live=True)), None


@asynccontextmanager
async def server_of(
    ctx: click.Context, *, works: bool = False, makes: bool = False
) -> AsyncGenerator[Server]:
    """Ask the API that ``api_of`` reaches; raise NotFound without a database, as it does."""
    from ..client.server import Server

    async with api_of(ctx, settings_of(ctx), works=works, makes=makes) as (transport, key):
        yield Server(transport, key)


def _client(ctx: click.Context) -> AsyncClient:
    from ..client import AsyncClient  # only commands with --url pay for it

    return AsyncClient(url_of(ctx), settings_of(ctx).api_key or None)
