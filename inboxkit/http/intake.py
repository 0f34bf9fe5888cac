"""How much of what others send is held in memory at once, over all requests.

The first part of every body is free, so that ordinary webhooks never wait for large ones; what
goes beyond is charged as it arrives, not as it is announced.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from io import BytesIO
from typing import TYPE_CHECKING

import anyio
from aiohttp import web

from ..errors import InboxKitError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable
    from contextlib import AbstractAsyncContextManager

MOST_BYTES = 64 * 1024 * 1024  # inbound mail as base64 in JSON
_MOST_HELD_BYTES = 2 * MOST_BYTES
_FREE_BYTES = 64 * 1024
_PATIENCE_SECONDS = 10.0
_BODY_SECONDS = 60.0
_SILENT_SECONDS = 10.0


class BodyRefused(InboxKitError):
    """A body is too large or too slow, or there is no room for it; ``status`` is the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Intake:
    """Reads the bodies of requests into a bounded amount of memory.

    A body has ``seconds`` to arrive, and its client may be silent for ``silent`` of them.
    """

    def __init__(
        self,
        *,
        most: int = MOST_BYTES,
        held: int = _MOST_HELD_BYTES,
        free: int = _FREE_BYTES,
        patience: float = _PATIENCE_SECONDS,
        seconds: float = _BODY_SECONDS,
        silent: float = _SILENT_SECONDS,
    ) -> None:
        self._most = most
        self._left = held
        self._free = free
        self._patience = patience
        self._seconds = seconds
        self._silent = silent
        self._released = anyio.Event()

    def of(
        self, request: web.BaseRequest, *, most: int | None = None
    ) -> AbstractAsyncContextManager[bytes]:
        """Read the body of a request, as ``body`` does.

        Raise BodyRefused also when it does not arrive: 408, or 400 when its client has left; and
        415 when it is compressed.
        """
        return self.body(self._arriving(request), most=most)

    async def _arriving(self, request: web.BaseRequest) -> AsyncGenerator[bytes]:
        coding = request.headers.get("Content-Encoding", "identity")
        if coding.strip().lower() != "identity":
            raise BodyRefused(415, "the body is compressed; send it without Content-Encoding")
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        while True:
            try:
                async with asyncio.timeout_at(min(end, loop.time() + self._silent)):
                    piece = await request.content.readany()
            except TimeoutError:
                raise BodyRefused(408, "the body did not arrive in time") from None
            except (ConnectionError, web.RequestPayloadError):
                raise BodyRefused(400, "the body broke off") from None
            if not piece:
                return
            yield piece

    @asynccontextmanager
    async def body(
        self, pieces: AsyncIterable[bytes], *, most: int | None = None
    ) -> AsyncGenerator[bytes]:
        """Read a body and hold it; its room is given back at the end.

        Raise BodyRefused, 413 when it is longer than ``most`` bytes, 503 when others hold all the
        room for longer than ``patience`` seconds.
        """
        most = self._most if most is None else min(most, self._most)
        held, size, charged = BytesIO(), 0, 0
        try:
            async for piece in pieces:
                size += len(piece)
                if size > most:
                    raise BodyRefused(413, f"a body may have {most} bytes")
                due = max(0, size - self._free) - charged
                await self._take(due)
                charged += due
                held.write(piece)
            whole = held.getvalue()  # no copy, unlike a join of all pieces at the end
            del held
            yield whole
        finally:
            self._give_back(charged)

    async def _take(self, size: int) -> None:
        with anyio.move_on_after(self._patience):
            while size > self._left:
                await self._released.wait()
        if size > self._left:
            raise BodyRefused(503, "too much is being received, try again later")
        self._left -= size

    def _give_back(self, size: int) -> None:
        if size:
            self._left += size
            released, self._released = self._released, anyio.Event()
            released.set()
