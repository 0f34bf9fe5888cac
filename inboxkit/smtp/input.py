"""What a client has sent and nobody has read yet, with back-pressure on the socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, Transport

_HIGH_WATER = 64 * 1024


class Input:
    """A buffer between the transport and the one task that reads; it never reads ahead of it.

    aiosmtpd's StreamReader is left aside: it copies more, and a line that it finds too long
    must be read through to its end.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.received = 0
        self._loop = loop
        self._buffer = bytearray()
        self._ended = False
        self._paused = False
        self._transport: Transport | None = None
        self._waiter: Future[None] | None = None

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def has_line(self) -> bool:
        """Whether a whole line is there to be read."""
        return self._buffer.find(b"\n") >= 0

    def start(self, transport: Transport) -> None:
        """Read from ``transport``; what came before it is dropped (RFC 3207 section 4.2)."""
        self._transport = transport
        self._buffer.clear()

    def feed(self, data: bytes) -> None:
        """Take what the socket gave; after the end it is dropped."""
        if self._ended:
            return
        self._buffer += data
        self.received += len(data)
        if len(self._buffer) > _HIGH_WATER and self._transport and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def finish(self) -> None:
        """Take no more; what is there can still be read."""
        self._ended = True
        self._wake()

    def abandon(self) -> None:
        """Take no more, and drop what is there."""
        self._buffer.clear()
        self.finish()

    async def line(self, limit: int) -> bytes | None:
        """Return the next line with its LF, or None if it was longer than ``limit``.

        A line that is too long is dropped piece by piece. Raise EOFError at the end.
        """
        seen, dropped = 0, False
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > limit:
                self._buffer.clear()
                seen, dropped = 0, True
            await self._more()
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return None if dropped or len(line) > limit else line

    async def chunk(self) -> bytes:
        """Return all that is there, waiting for the first octet; raise EOFError at the end."""
        while not self._buffer:
            await self._more()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def give_back(self, data: bytes) -> None:
        """Put ``data`` in front of what is there."""
        self._buffer[:0] = data

    async def readline(self) -> bytes:
        """Return the next line, or nothing if it was too long; for aiosmtpd's AUTH."""
        return await self.line(_HIGH_WATER) or b""

    async def read(self, n: int = 0) -> bytes:
        """Return at most ``n`` octets; with the next two, for aiosmtpd's PROXY."""
        data = await self.chunk()
        self.give_back(data[n:])
        return data[:n]

    async def readexactly(self, n: int) -> bytes:
        """Return ``n`` octets; raise EOFError at the end."""
        while len(self._buffer) < n:
            await self._more()
        return await self.read(n)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Return all up to ``separator``; raise EOFError at the end or when that is far away."""
        while (end := self._buffer.find(separator)) < 0:
            if len(self._buffer) > _HIGH_WATER:
                raise EOFError
            await self._more()
        return await self.read(end + len(separator))

    async def _more(self) -> None:
        if self._ended:
            raise EOFError
        if self._paused and self._transport and len(self._buffer) <= _HIGH_WATER:
            self._paused = False
            self._transport.resume_reading()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
