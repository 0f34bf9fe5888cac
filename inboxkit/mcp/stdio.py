"""MCP over standard input and output; it ends when the input does."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.stdio import stdio_server

from .server import make_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .desk import Desk

_PIECE_BYTES = 64 * 1024


async def serve(desk: Desk) -> None:
    """Answer what comes on standard input until it ends, or until cancelled.

    Meanwhile standard output carries the protocol alone: what is printed goes to standard error.
    """
    server = make_server(desk.policy, lambda _: desk)
    async with stdio_server(stdin=cast("Any", _lines())) as (read, write):
        await server.serve(read, write)


async def _lines() -> AsyncIterator[str]:
    """Iterate over standard input.

    It is read in a thread of its own, which ends with the process: one that waits for a line can
    be cancelled by nobody, and would hold up the end after a signal.
    """
    loop = asyncio.get_running_loop()
    came, pieces = anyio.create_memory_object_stream[bytes](1)

    def read() -> None:
        with suppress(RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            # Not through sys.stdin: its lock, held at the end of the process, would abort that.
            while piece := os.read(sys.stdin.fileno(), _PIECE_BYTES):
                asyncio.run_coroutine_threadsafe(came.send(piece), loop).result()
            loop.call_soon_threadsafe(came.close)

    threading.Thread(target=read, name="inboxkit-stdin", daemon=True).start()
    left = b""
    async with pieces:
        async for piece in pieces:
            *lines, left = (left + piece).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", "replace")
    if left.strip():
        yield left.decode("utf-8", "replace")
