"""MCP over standard input and output; it ends when the input does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

from ..values import is_unicode
from .server import make_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.streams.memory import MemoryObjectSendStream
    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from pydantic_core import ErrorDetails

    from .desk import Desk

_PIECE_BYTES = 64 * 1024


async def serve(desk: Desk) -> None:
    """Answer what comes on standard input until it ends, or until cancelled.

    Meanwhile standard output carries the protocol alone: what is printed goes to standard error.
    """
    server = make_server(desk.policy, lambda _: desk)
    heard, messages = anyio.create_memory_object_stream[SessionMessage | Exception]()
    async with (
        stdio_server(stdin=cast("Any", _lines())) as (read, write),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_hear, read, write, heard)
        await server.serve(messages, write)


async def _hear(
    read: ReadStream[SessionMessage | Exception],
    write: WriteStream[SessionMessage],
    heard: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    """Hand on what is read. What is no message is refused: else its sender waits for ever."""
    async with heard:
        async for item in read:
            if isinstance(item, ValidationError):
                await write.send(SessionMessage(_refusal(item.errors(include_url=False))))
            else:
                await heard.send(item)


def _refusal(errors: list[ErrorDetails]) -> JSONRPCError:
    """Return the answer to a line that is no message (JSON-RPC 2.0 section 5)."""
    is_json = errors[0]["type"] != "json_invalid"
    code = INVALID_REQUEST if is_json else PARSE_ERROR
    told = "not a single JSON-RPC 2.0 message" if is_json else errors[0]["msg"]
    ids = [id for one in errors if (id := _id(one["input"])) is not None]
    return JSONRPCError(
        jsonrpc="2.0", id=next(iter(ids), None), error=ErrorData(code=code, message=told)
    )


def _id(given: Any) -> int | str | None:
    """Return the id in what a message would be: an object, or the line itself."""
    if isinstance(given, str):
        try:
            given = json.loads(given)  # reads more than what is valid: half a pair of surrogates
        except (ValueError, RecursionError):
            return None
    id = cast("dict[str, Any]", given).get("id") if isinstance(given, dict) else None
    if isinstance(id, str):
        return id if is_unicode(id) else None
    return id if isinstance(id, int) and not isinstance(id, bool) else None


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
            for line in filter(bytes.strip, lines):
                yield line.decode("utf-8", "replace")
    if left.strip():
        yield left.decode("utf-8", "replace")
