"""Where a message waits while it comes in: in memory when small, else in a temporary file."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from anyio import CapacityLimiter, to_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Spool:
    """Keep up to ``limit`` bytes in memory; above that, write them to a file of ``folder``.

    Files are written, and large pieces hashed, in threads, so that no disk stops the event loop.
    """

    def __init__(self, limit: int, folder: Path | None, threads: CapacityLimiter) -> None:
        self.size = 0
        self._limit = limit
        self._folder = folder
        self._threads = threads
        self._parts: list[bytes] = []
        self._waiting = 0
        self._hash = hashlib.sha256()
        self._file: IO[bytes] | None = None

    async def write(self, data: bytes) -> None:
        """Append ``data``; raise OSError when the disk refuses."""
        self._parts.append(data)
        self._waiting += len(data)
        self.size += len(data)
        if self._waiting > self._limit:
            await self._run(self._flush)

    async def finish(self) -> tuple[bytes | BinaryIO, str]:
        """Return the content, as bytes or as a file at its beginning, and its SHA-256 in hex."""
        if self._file is None:
            body = b"".join(self._parts)
            self._hash.update(body)
            return body, self._hash.hexdigest()
        await self._run(self._rewind)
        return cast("BinaryIO", self._file), self._hash.hexdigest()

    def close(self) -> None:
        """Let go of everything that was written."""
        self._parts.clear()
        self._waiting = 0
        if self._file is not None:
            with suppress(OSError):  # a full disk refuses once more what was left in the buffer
                self._file.close()
            self._file = None

    async def _run(self, step: Callable[[], None]) -> None:
        await to_thread.run_sync(step, limiter=self._threads)

    def _flush(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)
        for part in self._parts:
            self._hash.update(part)
            self._file.write(part)
        self._parts.clear()
        self._waiting = 0

    def _rewind(self) -> None:
        self._flush()
        if self._file is not None:
            self._file.seek(0)
