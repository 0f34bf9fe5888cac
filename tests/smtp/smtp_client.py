"""A listener that keeps what it accepts, and a client that speaks SMTP byte by byte."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxkit.smtp.listener import Listener
from inboxkit.smtp.settings import SmtpSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from inboxkit.smtp.incoming import Incoming

CERTIFICATE = Path(__file__).with_name("localhost.pem")
_PATIENCE = 10.0


@dataclass
class Server:
    """A running listener, the messages it accepted and their content."""

    listener: Listener
    messages: list[Incoming] = field(default_factory=list["Incoming"])
    bodies: list[bytes] = field(default_factory=list[bytes])

    @asynccontextmanager
    async def client(self, *, greet: bool = True, host: str = "") -> AsyncIterator[Client]:
        """Connect, from ``host`` if given; with ``greet`` say EHLO too."""
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.listener.port, local_addr=(host, 0) if host else None
            )
        client = Client(reader, writer)
        try:
            if greet:
                assert (await client.reply()).startswith("220 ")
                assert (await client.command("EHLO client.example")).startswith("250")
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
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            return


async def anyone(address: str) -> None:
    """Accept every recipient."""


@asynccontextmanager
async def serving(
    *,
    check: Callable[[str], Awaitable[None]] = anyone,
    accept: Callable[[Incoming], Awaitable[None]] | None = None,
    **settings: Any,
) -> AsyncIterator[Server]:
    """Run a listener that keeps every message, after ``accept`` if given."""

    async def keep(message: Incoming) -> None:
        if accept is not None:
            await accept(message)
        body = message.body if isinstance(message.body, bytes) else message.body.read()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (message.size, message.sha256)
        server.messages.append(message)
        server.bodies.append(body)

    server = Server(Listener(SmtpSettings(**settings), keep, check))
    await server.listener.start()
    try:
        yield server
    finally:
        await server.listener.stop(0)


def tls() -> ssl.SSLContext:
    """Return a server's TLS context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_tls() -> ssl.SSLContext:
    """Return the TLS context of a client that takes any certificate: dates pass."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
