"""What the benches share: ``inboxkit run`` as a process of its own, an SMTP connection to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

_REPLY_SECONDS = 60.0
_STOP_SECONDS = 60.0
SENDER = "ann@example.com"


class Served:
    """A running server; ``process`` is the one that was started, its children belong to it."""

    def __init__(self, process: subprocess.Popen[str], smtp: int, url: str) -> None:
        self.process = process
        self.smtp = smtp
        self.url = url

    def pids(self) -> list[int]:
        """Return the server's processes, the first one first."""
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                found += [int(child) for child in children]
        return found

    def cpu_seconds(self) -> float:
        """Return the CPU time that all of them have used, 0 where there is no /proc."""
        return sum(_cpu(pid) for pid in self.pids())

    def resident_mb(self) -> float:
        """Return the memory that all of them hold, 0 where there is no /proc."""
        return sum(_resident(pid) for pid in self.pids())


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


@contextlib.contextmanager
def serving(
    folder: Path, *options: str, database: str = "", environ: Mapping[str, str] | None = None
) -> Generator[Served]:
    """Run ``inboxkit run`` in a folder, with its ``handlers/`` and a database of its own."""
    command = [sys.executable, "-m", "inboxkit"]
    command += ["--database", database or f"sqlite:///{folder / 'bench.db'}"]
    command += ["run", "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0", *options]
    given = {**os.environ, **(environ or {})}
    with subprocess.Popen(
        command, cwd=folder, env=given, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            if words[:1] != ["ready"]:
                raise SystemExit("the server did not start")
            told = dict(word.split("=", 1) for word in words[1:])
            yield Served(process, int(told["smtp"].rpartition(":")[2]), told["http"])
        finally:
            stop(process)


def stop(process: subprocess.Popen[Any]) -> None:
    """Ask a server to end; see to it where it does not."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


class Session:
    """One SMTP connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, port: int) -> AsyncGenerator[Session]:
        """Connect and greet."""
        session = cls(*await asyncio.open_connection("127.0.0.1", port))
        try:
            await session._reply()
            await session._command(b"EHLO bench.example")
            yield session
        finally:
            session._writer.close()

    async def begin(self, to: str) -> None:
        """Go as far as DATA."""
        await self._command(b"MAIL FROM:<%s>" % SENDER.encode())
        await self._command(b"RCPT TO:<%s>" % to.encode())
        await self._command(b"DATA")

    async def end(self, content: bytes) -> None:
        """Send a mail with the dot that ends it, and wait for the 250."""
        self._writer.write(content + b"\r\n.\r\n")
        await self._reply()

    async def _command(self, line: bytes) -> None:
        self._writer.write(line + b"\r\n")
        await self._reply()

    async def _reply(self) -> None:
        async with asyncio.timeout(_REPLY_SECONDS):
            while True:
                line = await self._reader.readline()
                if line[3:4] != b"-":
                    break
        if line[:1] not in (b"2", b"3"):
            raise SystemExit(f"the server said {line.decode()!r}")
