"""The words of a file, read in a process that is ended when it takes too long or too much memory.

Run as ``python -m inboxkit.parsing.extraction``: the file comes on stdin, its words go to stdout.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import sys
from typing import Any, BinaryIO

import anyio

from ..blocking import in_thread
from ..errors import ConfigurationError
from . import processes
from .documents import document_text, is_plain, missing_library

LIMIT = 200_000
_SECONDS = 20.0
_MEMORY = 1024**3  # bytes of address space
_AT_ONCE = 2
_SMALL = 256 * 1024  # bytes of text or HTML, which our own linear code reads


class FileReader:
    """Reads the words of files, a few at a time."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._turns = anyio.CapacityLimiter(_AT_ONCE)

    async def words(
        self, data: bytes, content_type: str, filename: str = "", *, limit: int = LIMIT
    ) -> str | None:
        """Return what ``document_text`` does, or None when it takes too long.

        Raise ConfigurationError when a library of the extra ``docs`` is missing.
        """
        if library := missing_library(data, content_type, filename):
            raise ConfigurationError(
                f"reading {content_type or 'this file'} needs {library}: pip install inboxkit[docs]"
            )
        if len(data) <= _SMALL and is_plain(data, content_type, filename):
            return await in_thread(lambda: document_text(data, content_type, filename, limit=limit))
        asked = {"content_type": content_type, "filename": filename, "limit": limit}
        async with self._turns:
            return await self._asked_for(json.dumps(asked).encode() + b"\n" + data)

    async def _asked_for(self, request: bytes) -> str | None:
        process = await processes.start("extraction", stderr=asyncio.subprocess.DEVNULL)
        try:
            async with asyncio.timeout(self._seconds):
                answer, _ = await process.communicate(request)
        except TimeoutError:
            return None
        finally:
            await processes.end(process)
        return str(json.loads(answer)) if answer and process.returncode == 0 else None


def serve(request: BinaryIO, answer: BinaryIO) -> None:
    """Answer one request: a line of JSON and the file; nothing is answered if it has no words."""
    asked: dict[str, Any] = json.loads(request.readline())
    words = document_text(
        request.read(), asked["content_type"], asked["filename"], limit=asked["limit"]
    )
    if words is not None:
        answer.write(json.dumps(words).encode())


def _limit_memory() -> None:
    # Not every system has it; there the time alone is limited.
    with contextlib.suppress(ImportError, ValueError, OSError):
        resource: Any = importlib.import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    processes.leave_signals_to_the_parent()
    _limit_memory()
    serve(sys.stdin.buffer, sys.stdout.buffer)
