"""The load generator of ingest.py: lockstep SMTP clients in a process of their own.

    python bench/smtp_load.py PORT SIZE kept|each SECONDS [MESSAGES [SESSIONS]]

prints how many messages were accepted and in how many seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

SENDER, RECIPIENT = "load@bench.example", "bench@inbox.example"
SESSIONS = 10
MAX_MESSAGES = 20_000  # of one run, whatever the time
_LINE = b"The quick brown fox jumps over the lazy dog, and then does it again.\r\n"


class Client(asyncio.Protocol):
    """Send messages over one connection, waiting for each reply."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._reply = b""
        self._steps = self._dialogue()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._reply += data
        last = self._reply.rfind(b"\n", 0, -1) + 1
        if not self._reply.endswith(b"\n") or self._reply[last + 3 : last + 4] == b"-":
            return
        code, self._reply = self._reply[last : last + 1], b""
        step = next(self._steps, b"") if code in b"23" else b""
        self._run.refused += code not in b"23"
        if self._transport is not None:
            self._transport.write(step) if step else self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.client_left()

    def _dialogue(self) -> Iterator[bytes]:
        yield b"EHLO load.bench.example\r\n"
        while self._run.wants_more():
            yield b"MAIL FROM:<%s>\r\n" % SENDER.encode()
            yield b"RCPT TO:<%s>\r\n" % RECIPIENT.encode()
            yield b"DATA\r\n"
            yield self._run.message()
            self._run.accepted += 1
            if not self._run.kept:
                break
        yield b"QUIT\r\n"


class Run:
    """One run: its clients, its clock and what came of it."""

    def __init__(self, port: int, size: int, *, kept: bool, seconds: float) -> None:
        self.kept = kept
        self.most = MAX_MESSAGES
        self.sessions = SESSIONS
        self.accepted = self.refused = self._made = self._open = 0
        self._port = port
        self._seconds = seconds
        self._begun = time.perf_counter()
        self._done = asyncio.Event()
        self._tail = b"\r\n" + _LINE * (size // len(_LINE)) + b".\r\n"

    async def __call__(self) -> float:
        """Return the seconds that it took; raise RuntimeError if any message was refused."""
        for _ in range(self.sessions):
            await self._connect()
        await asyncio.wait_for(self._done.wait(), self._seconds + 20)
        if self.refused or not self.accepted:
            raise RuntimeError(f"{self.refused} refused, {self.accepted} accepted")
        return time.perf_counter() - self._begun

    def wants_more(self) -> bool:
        """Tell whether there is time for another message."""
        out_of_time = time.perf_counter() - self._begun >= self._seconds
        return not out_of_time and self._made < self.most

    def message(self) -> bytes:
        """Return a message with a Message-ID of its own, and the end of data."""
        self._made += 1
        head = b"From: <%s>\r\nTo: <%s>\r\nSubject: %d\r\nMessage-ID: <%d.%d.%d@bench.example>\r\n"
        unique = (time.time_ns(), os.getpid(), self._made)
        return head % (SENDER.encode(), RECIPIENT.encode(), self._made, *unique) + self._tail

    def client_left(self) -> None:
        """Go on with another connection, or end with the last one."""
        self._open -= 1
        if self.wants_more() and not self.kept and not self.refused:
            task = asyncio.ensure_future(self._connect())
            task.add_done_callback(lambda done: done.result())
        elif not self._open:
            self._done.set()

    async def _connect(self) -> None:
        self._open += 1
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Client(self), "127.0.0.1", self._port)


def run_loop(main: Coroutine[Any, Any, Any]) -> None:
    """Run on uvloop where it is installed: servers and load alike."""
    if find_spec("uvloop"):
        import uvloop

        uvloop.run(main)
    else:
        asyncio.run(main)


async def main(
    port: str, size: str, kept: str, seconds: str, most: str = "", sessions: str = ""
) -> None:
    run = Run(int(port), int(size), kept=kept == "kept", seconds=float(seconds))
    run.most = int(most or MAX_MESSAGES)
    run.sessions = int(sessions or SESSIONS)
    took = await run()
    print(run.accepted, took)


if __name__ == "__main__":
    run_loop(main(*sys.argv[1:]))
