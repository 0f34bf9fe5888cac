"""HTTP connections: how many there may be, and how long each may take to ask for something.

aiohttp speaks the protocol; it counts no connections, and times none until its first request.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import TYPE_CHECKING, cast

from aiohttp import web

from ..connections import Connections, peer_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..settings import Settings

_STALLED_SECONDS = 60.0
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Length: 0\r\nRetry-After: 10\r\nConnection: close\r\n\r\n"
)


class Door:
    """Lets connections in, and knows which of them are in the middle of a request.

    A client has ``stalled_seconds`` to take what is written to it.
    """

    def __init__(self, settings: Settings, *, stalled_seconds: float = _STALLED_SECONDS) -> None:
        self.connections: Connections[Visitor] = Connections(
            settings.http_max_connections,
            per_client=settings.http_max_connections_per_client,
            trusted=[ip_network(block) for block in settings.trusted_networks],
        )
        self.head_seconds = settings.http_head_seconds
        self.stalled_seconds = stalled_seconds
        self.visitors: dict[asyncio.BaseProtocol, Visitor] = {}

    @web.middleware
    async def attend(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Note that a connection has asked for something, until its answer has been written."""
        visitor, task = self.visitors.get(request.protocol), asyncio.current_task()
        if visitor is not None and task is not None:
            visitor.asked()
            task.add_done_callback(visitor.served)  # aiohttp has a task for each request
        return await handler(request)


class Visitor(asyncio.Protocol):
    """One connection; what it says goes to ``make``'s protocol, once it was let in."""

    def __init__(self, door: Door, make: Callable[[], asyncio.Protocol]) -> None:
        self._loop = asyncio.get_running_loop()
        self.peer = ""
        self.heard_at = self._loop.time()
        self._door = door
        self._make = make
        self._inner: asyncio.Protocol | None = None
        self._pipe: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, or tell it that all places are taken."""
        self._pipe = cast("asyncio.Transport", transport)
        self.peer = peer_of(transport.get_extra_info("peername"))
        if self._door.connections.admit(self, self.heard_at) is not None:
            self._pipe.write(_FULL)
            self._pipe.close()
            return
        self._inner = self._make()
        self._door.visitors[self._inner] = self
        self._allow(self._door.head_seconds)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand on that no more will come."""
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        """The client does not keep up: it has some time to."""
        self._allow(self._door.stalled_seconds)
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client has kept up."""
        self._allow(None)
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the connection."""
        self._allow(None)
        self._door.connections.leave(self)
        if self._inner is not None:
            del self._door.visitors[self._inner]
            self._inner.connection_lost(exc)

    def asked(self) -> None:
        """The head of a request is here, and so is its handler."""
        self._allow(None)
        self._door.connections.working(self)

    def served(self, _task: object) -> None:
        """The answer has been written; from now on aiohttp times how long this one is idle."""
        self.heard_at = self._loop.time()
        self._door.connections.heard(self)

    def give_way(self) -> None:
        """Close the connection at once."""
        if self._pipe is not None:
            self._pipe.abort()

    def _allow(self, seconds: float | None) -> None:
        """Close the connection after so many seconds; None: not any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, self.give_way)
