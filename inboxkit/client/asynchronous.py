"""AsyncClient: on asyncio, each wait a pending request of one process, none of them a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import aiohttp
import anyio
from yarl import URL

from ..errors import ConfigurationError
from .actions import RemoteActions
from .server import Server
from .transport import Answer, Place, Question, place, unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime, timedelta

    from ..inbox import Inbox
    from ..models import Event, Message, Thread

_CONNECT_SECONDS = 10.0


class AsyncTransport:
    """Carries requests over aiohttp; as many at once as are asked."""

    def __init__(self, where: Place) -> None:
        self._where = where
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Begin; called in the event loop."""
        connector = aiohttp.TCPConnector(limit=0)  # or a hundred waits would hold up the next call
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, question: Question) -> Answer:
        """Return the answer; raise Unreachable."""
        if self._session is None:
            raise ConfigurationError("the client is not open; use `async with AsyncClient()`")
        timeout = aiohttp.ClientTimeout(total=question.timeout, sock_connect=_CONNECT_SECONDS)
        try:
            async with self._session.request(
                question.method,
                URL(f"{self._where.url}{question.target}", encoded=True),
                data=question.body,
                headers=question.headers,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                etag = answer.headers.get("ETag", "")
                return Answer(answer.status, await answer.read(), etag)
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(self._where, error) from None

    async def pause(self, seconds: float) -> None:
        """Return after so many seconds."""
        await anyio.sleep(seconds)


class AsyncClient:
    """A server's inboxes: an async context manager with what ``InboxKit`` has in process."""

    def __init__(self, url: str = "http://127.0.0.1:8025", api_key: str | None = None) -> None:
        self._transport = AsyncTransport(place(url))
        self._actions = RemoteActions(Server(self._transport, api_key))

    async def __aenter__(self) -> Self:
        self._transport.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._transport.close()

    @property
    def actions(self) -> RemoteActions:
        """What messages, threads and inboxes can do."""
        return self._actions

    async def inbox(
        self,
        address: str | None = None,
        *,
        display_name: str = "",
        metadata: Mapping[str, Any] | None = None,
        client_id: str | None = None,
        since: datetime | timedelta | None = None,
    ) -> Inbox:
        """Return the inbox of an address, made if it is new; without one, a new address.

        A new inbox's waits see everything; those of one that was there see what comes from now on,
        or from ``since``.
        """
        return await self._actions.open_inbox(
            address, display_name=display_name, metadata=metadata, client_id=client_id, since=since
        )

    async def message(self, id: str) -> Message:
        """Return a message; raise NotFound."""
        return await self._actions.message(id)

    async def thread(self, id: str) -> Thread:
        """Return a thread; raise NotFound."""
        return await self._actions.thread(id)

    def search(self, query: str = "", *, limit: int | None = None) -> AsyncIterator[Message]:
        """Iterate over the messages of all inboxes that match, newest first."""
        return self._actions.search(None, query, limit)

    def events(self, *, after: str | None = None) -> AsyncIterator[Event]:
        """Iterate over the event log for ever, from a cursor (an event's id) or from now on."""
        return self._actions.events(after)
