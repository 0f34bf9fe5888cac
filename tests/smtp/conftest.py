"""A listener that keeps what it accepts, and a client that speaks SMTP byte by byte."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
import subprocess
import sys
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from inboxkit.clock import Clock
from inboxkit.smtp.listener import Listener
from inboxkit.smtp.settings import SmtpSettings

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from inboxkit.smtp.incoming import Incoming

_HERE = Path(__file__).parent
_PATIENCE = 30.0


@dataclass
class Server:
    """A running listener, its clock, the messages it accepted and their content."""

    listener: Listener
    clock: Clock
    messages: list[Incoming] = field(default_factory=list["Incoming"])
    bodies: list[bytes] = field(default_factory=list[bytes])

    @asynccontextmanager
    async def client(
        self, *, greet: bool = True, host: str = "", sock: socket.socket | None = None
    ) -> AsyncGenerator[Client]:
        """Connect, from ``host`` or by ``sock`` if given; with ``greet`` say EHLO too."""
        port = self.listener.port
        async with asyncio.timeout(_PATIENCE):
            if sock is not None:
                streams = await asyncio.open_connection(sock=sock)
            else:
                local = (host, 0) if host else None
                streams = await asyncio.open_connection("127.0.0.1", port, local_addr=local)
        client = Client(*streams)
        try:
            if greet:
                await client.greet()
            yield client
        finally:
            await client.close()


class Client:
    """One connection to a listener; every read has a timeout."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, octets: bytes) -> None:
        """Write without waiting for a reply."""
        self.writer.write(octets)

    async def reply(self) -> str:
        """Return the next reply, its lines joined, or "" when the connection has ended."""
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            async with asyncio.timeout(_PATIENCE):
                try:
                    line = await self.reader.readline()
                except ConnectionError:
                    line = b""
            if not line:
                return ""
            lines.append(line.decode().rstrip("\r\n"))
        return "\n".join(lines)

    async def greet(self) -> None:
        """Read the banner and say EHLO."""
        assert (await self.reply()).startswith("220 ")
        assert (await self.command("EHLO client.example")).startswith("250")

    async def replies_to_the_end(self) -> list[str]:
        """Return all replies until the connection ends."""
        replies = [await self.reply()]
        while replies[-1]:
            replies.append(await self.reply())
        return replies[:-1]

    async def command(self, line: str) -> str:
        """Send one line and return its reply."""
        self.send(line.encode() + b"\r\n")
        return await self.reply()

    async def begin(self, *recipients: str, mail: str = "MAIL FROM:<ann@example.com>") -> str:
        """Say MAIL, RCPT and DATA; return the reply to DATA."""
        assert (await self.command(mail)).startswith("250 2.1.0")
        for recipient in recipients or ("bot@example.org",):
            assert (await self.command(f"RCPT TO:<{recipient}>")).startswith("250 2.1.5")
        return await self.command("DATA")

    async def deliver(self, content: bytes, *recipients: str) -> str:
        """Send one message whose content has its dots stuffed; return the final reply."""
        assert (await self.begin(*recipients)).startswith("354 ")
        self.send(content + b".\r\n")
        return await self.reply()

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


class Child:
    """A listener in a process of its own, to see what memory it takes."""

    def __init__(self, pid: int, port: int) -> None:
        self._port = port
        self._status = Path(f"/proc/{pid}/status")

    def peak(self) -> int:
        """Return the most memory it ever held, in bytes."""
        found = re.search(r"VmHWM:\s+(\d+) kB", self._status.read_text())
        return int(found[1]) * 1024 if found else 0

    async def send(self, piece: bytes, times: int, end: bytes) -> str:
        """Send one message piece by piece; return the final reply, or "" if cut off."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self._port))
        try:
            await client.greet()
            assert (await client.begin()).startswith("354")
            for _ in range(times):
                client.send(piece)
                await client.writer.drain()
            client.send(end)
            return await client.reply()
        except ConnectionError:
            return ""
        finally:
            await client.close()


@pytest.fixture
async def child() -> AsyncGenerator[Child]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, _HERE / "listening.py", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    async with asyncio.timeout(60):
        yield Child(process.pid, int(await process.stdout.readline()))
        process.stdin.close()
        assert await process.wait() == 0


class Serving(Protocol):
    """Run a listener that keeps every message, after ``accept`` if given."""

    def __call__(
        self,
        *,
        check: Callable[[str], Awaitable[None]] = ...,
        accept: Callable[[Incoming], Awaitable[None]] | None = None,
        **settings: Any,
    ) -> AbstractAsyncContextManager[Server]: ...


@pytest.fixture(scope="session")
def serving() -> Serving:
    return _serving


async def _anyone(address: str) -> None:
    """Accept every recipient."""


@asynccontextmanager
async def _serving(
    *,
    check: Callable[[str], Awaitable[None]] = _anyone,
    accept: Callable[[Incoming], Awaitable[None]] | None = None,
    **settings: Any,
) -> AsyncGenerator[Server]:
    async def keep(message: Incoming) -> None:
        if accept is not None:
            await accept(message)
        body = message.body if isinstance(message.body, bytes) else message.body.read()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (message.size, message.sha256)
        server.messages.append(message)
        server.bodies.append(body)

    clock = Clock()
    server = Server(Listener(SmtpSettings(**settings), keep, check, clock), clock)
    await server.listener.start()
    try:
        yield server
    finally:
        await server.listener.stop(0)


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_HERE / "localhost.pem")
    return context


@pytest.fixture(scope="session")
def client_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate's dates are not the point
    return context
