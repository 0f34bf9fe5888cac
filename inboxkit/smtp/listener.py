"""The SMTP listener: it takes messages from the network and hands each to ``accept``."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP
from anyio import CapacityLimiter

from ..connections import Connections
from ..errors import ConfigurationError
from ..listening import cannot_listen, serve
from . import replies
from .connection import Connection, Service
from .guesses import Guesses
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..clock import Clock
    from .incoming import Incoming
    from .settings import SmtpSettings

_SPOOL_THREADS = 4
_LAST_SECONDS = 5.0  # for connections to go once the grace has passed


class Listener:
    """Serve SMTP; a message is the caller's from the moment ``accept`` returns without error.

    Both callables run in the event loop of ``start``. They refuse by raising SmtpRefused; any
    other exception becomes "451 4.3.0" and is logged without its text. ``accept`` is awaited
    even when its client has gone; ``check_recipient`` gets the address as ``forward_path`` left it.
    """

    def __init__(
        self,
        settings: SmtpSettings,
        accept: Callable[[Incoming], Awaitable[None]],
        check_recipient: Callable[[str], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._accept = accept
        self._check_recipient = check_recipient
        self._connections: Connections[Connection] = Connections(
            settings.max_connections,
            per_client=settings.max_connections_per_client,
            trusted=settings.networks(),
        )
        self._guesses = Guesses(clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._bound: tuple[str, int] | None = None

    @property
    def port(self) -> int:
        """Return the port that is listened on; raise RuntimeError before ``start``."""
        if self._bound is None:
            raise RuntimeError("the SMTP listener has not been started")
        return self._bound[1]

    @property
    def address(self) -> str:
        """Return ``host:port``, with brackets around an IPv6 address."""
        port, host = self.port, self._bound[0] if self._bound else ""
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def connections(self) -> int:
        """Return how many clients are connected."""
        return len(self._connections)

    async def start(self, shared: socket.socket | None = None) -> None:
        """Listen; raise ConfigurationError when the address cannot be had.

        ``shared`` is a socket that listens already: several processes accept from it.
        """
        # aiosmtpd logs every command, and so every address, at INFO.
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        loop = asyncio.get_running_loop()
        service = Service(
            settings=self._settings,
            accept=self._accept,
            check_recipient=self._check_recipient,
            connections=self._connections,
            guesses=self._guesses,
            threads=CapacityLimiter(_SPOOL_THREADS),
            tasks=self._tasks,
            prototype=self._prototype(loop),
            loop=loop,
            closing=self._closing,
        )
        listening = shared or await self._listen(loop)
        self._bound = listening.getsockname()[:2]
        try:
            self._closing.clear()
            self._server = await serve(lambda: Session(service), listening)
        except BaseException:
            self._closing.set()
            listening.close()
            raise

    async def stop(self, grace: float = 30.0) -> None:
        """Take no more connections, end the idle ones, and let messages on their way finish.

        What is not done after ``grace`` seconds is cut off: its client gets no reply and will
        send it again. Idempotent.
        """
        if self._server is None:
            return
        self._closing.set()
        self._server.close()
        for guest in self._connections:
            guest.retire()
        await self._wait(grace)
        for guest in self._connections:
            guest.dismiss(replies.SHUTTING_DOWN)
        await self._wait(min(grace, _LAST_SECONDS))
        for task in self._tasks:
            task.cancel()
        await self._wait(_LAST_SECONDS)
        for guest in self._connections:
            guest.abort()
        await asyncio.sleep(0)  # the loop closes what was aborted in its next turn
        self._server = None

    async def _wait(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        host, port = self._settings.host, self._settings.port
        try:
            found = await loop.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            # "localhost" means both families: clients try IPv4 even where IPv6 is off.
            family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
            return self._bind(family, address)
        except OSError as error:
            raise ConfigurationError(cannot_listen("smtp", f"{host}:{port}", error)) from None

    def _bind(self, family: int, address: tuple[object, ...]) -> socket.socket:
        # With the protocol left at 0, asyncio does not set TCP_NODELAY on what is accepted, and
        # a client that pipelines waits 40 ms for each reply.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":  # elsewhere it would let two servers share a port unasked
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._settings.reuse_port:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listening.setblocking(False)
            listening.bind(address)
        except BaseException:
            listening.close()
            raise
        return listening

    def _prototype(self, loop: asyncio.AbstractEventLoop) -> Mapping[str, object]:
        """Return the attributes that aiosmtpd gives to every connection of this listener."""
        settings = self._settings
        return vars(
            SMTP(
                None,
                hostname=settings.hostname,
                enable_SMTPUTF8=True,
                tls_context=settings.tls_context,
                loop=loop,
            )
        )
