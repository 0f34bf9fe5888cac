"""Measure how many messages a second are accepted by SMTP, side by side with bare aiosmtpd.

    python bench/ingest.py [--seconds 1] [--rounds 3] [--smtp-source]

Servers and load generator are processes of their own on loopback ports. Runs are interleaved, and
the medians compared, since the machine's speed drifts. ``durable`` answers 250 after a commit with
an fsync (SQLite, WAL, synchronous=FULL); bare aiosmtpd stores nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import queue
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxkit.smtp.listener import Listener
from inboxkit.smtp.settings import SmtpSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from inboxkit.smtp.incoming import Incoming

SENDER, RECIPIENT = "load@bench.example", "bench@inbox.example"
SESSIONS = 10
MAX_MESSAGES = 20_000  # of one run, whatever the time
BATCH = 256


@dataclass(frozen=True)
class Load:
    """One kind of traffic, and how much faster than bare aiosmtpd the durable server must be."""

    name: str
    size: int
    persistent: bool
    floor: float


LOADS = (
    Load("5 kB, connections kept", 5_000, True, 1.7),
    Load("5 kB, one connection each", 5_000, False, 1.5),
    Load("50 kB, connections kept", 50_000, True, 2.5),
)


# Servers: each runs until SIGTERM in a process of its own and prints its port.


async def serve_bare() -> None:
    """Serve with aiosmtpd as it comes; its handler throws everything away."""
    from aiosmtpd.smtp import SMTP

    class Nothing:
        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
            return "250 OK"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Nothing(), hostname="bench", loop=loop), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def serve_nothing() -> None:
    """Serve with our listener; nothing is stored."""

    async def accept(message: Incoming) -> None: ...

    await _listen(accept)


async def serve_ours() -> None:
    """Serve durably: 250 after the commit."""
    with tempfile.TemporaryDirectory(prefix="inboxkit-bench-") as folder:
        store = GroupCommit(Path(folder) / "bench.db")
        try:
            await _listen(store.accept)
        finally:
            store.close()


SERVERS: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
    "aiosmtpd": serve_bare,
    "listener": serve_nothing,
    "durable": serve_ours,
}


async def _listen(accept: Callable[[Incoming], Awaitable[None]]) -> None:
    async def check_recipient(address: str) -> None: ...

    listener = Listener(SmtpSettings(hostname="bench"), accept, check_recipient)
    await listener.start()
    print(listener.port, flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await listener.stop()


class GroupCommit:
    """One writer thread: it takes what is queued, commits it at once and tells all who wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[tuple[Incoming, asyncio.Future[None]] | None]
        self._queue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    async def accept(self, message: Incoming) -> None:
        stored: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((message, stored))
        await stored

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute(
                "CREATE TABLE message (mail_from TEXT, rcpt_to TEXT, sha256 TEXT, raw BLOB)"
            )
            while batch := self._batch():
                database.execute("BEGIN IMMEDIATE")
                database.executemany(
                    "INSERT INTO message VALUES (?, ?, ?, ?)", [_row(m) for m, _ in batch]
                )
                database.execute("COMMIT")
                self._loop.call_soon_threadsafe(_resolve, [stored for _, stored in batch])

    def _batch(self) -> list[tuple[Incoming, asyncio.Future[None]]]:
        item = self._queue.get()
        batch: list[tuple[Incoming, asyncio.Future[None]]] = []
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH:
                break
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
        return batch


def _row(message: Incoming) -> tuple[str, str, str, bytes]:
    body = message.body if isinstance(message.body, bytes) else message.body.read()
    return message.mail_from, " ".join(message.rcpt_to), message.sha256, body


def _resolve(waiting: list[asyncio.Future[None]]) -> None:
    for stored in waiting:
        if not stored.done():
            stored.set_result(None)


# Load: one process, SESSIONS lockstep clients.


class Client(asyncio.Protocol):
    """Send messages over one connection, or one message over each connection."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._reply = b""
        self._steps = self._dialogue()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no asyncio.Transport

    def data_received(self, data: bytes) -> None:
        self._reply += data
        last = self._reply.rfind(b"\n", 0, -1) + 1
        if not self._reply.endswith(b"\n") or self._reply[last + 3 : last + 4] == b"-":
            return
        code, self._reply = self._reply[last : last + 1], b""
        assert self._transport is not None
        if code not in b"23":
            self._run.failed += 1
            self._transport.close()
            return
        try:
            self._transport.write(next(self._steps))
        except StopIteration:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.client_left()

    def _dialogue(self) -> Iterator[bytes]:
        yield b"EHLO load.bench.example\r\n"
        while self._run.wants_more():
            yield b"MAIL FROM:<%s>\r\n" % SENDER.encode()
            yield b"RCPT TO:<%s>\r\n" % RECIPIENT.encode()
            yield b"DATA\r\n"
            yield self._run.message()
            self._run.accepted += 1
            if not self._run.load.persistent:
                break
        yield b"QUIT\r\n"


class Run:
    """One run of the load: its clients, its clock and what came of it."""

    def __init__(self, load: Load, port: int, seconds: float) -> None:
        self.load = load
        self.accepted = self.failed = self._made = 0
        self._port = port
        self._seconds = seconds
        self._open = 0
        self._begun = 0.0
        self._done: asyncio.Event = asyncio.Event()
        line = b"The quick brown fox jumps over the lazy dog, and then does it again.\r\n"
        self._tail = b"\r\n" + line * (load.size // len(line)) + b".\r\n"

    async def __call__(self) -> float:
        """Return the messages accepted a second; raise RuntimeError if any was refused."""
        self._begun = time.perf_counter()
        for _ in range(SESSIONS):
            await self._connect()
        await asyncio.wait_for(self._done.wait(), self._seconds + 20)
        if self.failed or not self.accepted:
            raise RuntimeError(f"{self.failed} refused, {self.accepted} accepted")
        return self.accepted / (time.perf_counter() - self._begun)

    def wants_more(self) -> bool:
        out_of_time = time.perf_counter() - self._begun >= self._seconds
        return not out_of_time and self._made < MAX_MESSAGES

    def message(self) -> bytes:
        self._made += 1
        head = b"From: <%s>\r\nTo: <%s>\r\nSubject: %d\r\nMessage-ID: <%d.%d.%d@bench.example>\r\n"
        unique = (time.time_ns(), os.getpid(), self._made)
        return head % (SENDER.encode(), RECIPIENT.encode(), self._made, *unique) + self._tail

    def client_left(self) -> None:
        self._open -= 1
        if self.wants_more() and not self.load.persistent and not self.failed:
            task = asyncio.ensure_future(self._connect())
            task.add_done_callback(lambda done: done.result())
        elif not self._open:
            self._done.set()

    async def _connect(self) -> None:
        self._open += 1
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Client(self), "127.0.0.1", self._port)


def smtp_source(load: Load, port: int, seconds: float, rate: float) -> float:
    """Return the rate that Postfix's smtp-source gets; it sends a number, not for a time."""
    count = max(50, min(MAX_MESSAGES, int(rate * seconds)))
    command = ["smtp-source", "-s", str(SESSIONS), "-m", str(count), "-l", str(load.size)]
    command += ["-d"] if load.persistent else []
    command += ["-f", SENDER, "-t", RECIPIENT, f"inet:127.0.0.1:{port}"]
    begun = time.perf_counter()
    subprocess.run(command, check=True, timeout=seconds * 10 + 20)
    return count / (time.perf_counter() - begun)


# The comparison.


@dataclass
class Server:
    """A server in a process of its own."""

    name: str
    port: int
    process: subprocess.Popen[str]

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far, 0 where there is no /proc."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(name: str) -> Iterator[Server]:
    """Start a server and stop it at the end."""
    command = [sys.executable, __file__, "--serve", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(name, int(process.stdout.readline()), process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def measure(load: Load, server: Server, seconds: float, *, source: bool, rate: float) -> float:
    """Return the messages a second of one run."""
    if source:
        return smtp_source(load, server.port, seconds, rate)
    command = [sys.executable, __file__, "--load", str(LOADS.index(load)), str(server.port)]
    done = subprocess.run(
        [*command, "--seconds", str(seconds)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def compare(options: argparse.Namespace) -> bool:
    """Print the table; tell whether every floor was reached."""
    rates: dict[tuple[Load, str], list[float]] = {}
    cpu: dict[tuple[Load, str], list[float]] = {}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(running(name)) for name in SERVERS]
        for load in (load for _ in range(options.rounds) for load in LOADS):
            for server in servers:
                before = server.cpu_seconds()
                known = rates.setdefault((load, server.name), [])
                guess = known[-1] if known else 500.0
                known.append(
                    measure(load, server, options.seconds, source=options.smtp_source, rate=guess)
                )
                used = (server.cpu_seconds() - before) / max(1.0, known[-1] * options.seconds)
                cpu.setdefault((load, server.name), []).append(used * 1000)
    return report(rates, cpu)


def report(
    rates: dict[tuple[Load, str], list[float]], cpu: dict[tuple[Load, str], list[float]]
) -> bool:
    """Print medians, ratios and floors."""
    print(f"{'messages/s (CPU ms each)':28}" + "".join(f"{name:>18}" for name in SERVERS))
    reached = True
    for load in LOADS:
        cells = [
            f"{statistics.median(rates[load, name]):8.0f} ({statistics.median(cpu[load, name]):.2f})"
            for name in SERVERS
        ]
        ratio = statistics.median(
            ours / bare
            for ours, bare in zip(rates[load, "durable"], rates[load, "aiosmtpd"], strict=True)
        )
        verdict = "ok" if ratio >= load.floor else "BELOW"
        reached &= ratio >= load.floor
        print(f"{load.name:28}" + "".join(f"{cell:>18}" for cell in cells), end="")
        print(f"   durable / aiosmtpd {ratio:.2f}, floor {load.floor} {verdict}")
    return reached


def run_loop(main: Coroutine[Any, Any, Any]) -> Any:
    """Run on uvloop where it is installed, all servers and the load alike."""
    if uvloop_version():
        import uvloop

        return uvloop.run(main)
    return asyncio.run(main)


def uvloop_version() -> str:
    """Return the version of uvloop, or nothing."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("uvloop")
    except PackageNotFoundError:
        return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smtp-source", action="store_true", help="use Postfix's load generator")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--load", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        with contextlib.suppress(asyncio.CancelledError):
            run_loop(SERVERS[options.serve]())
        return 0
    if options.load:
        which, port = options.load

        async def load() -> float:
            return await Run(LOADS[which], port, options.seconds)()

        print(run_loop(load()))
        return 0
    if options.smtp_source and not shutil.which("smtp-source"):
        parser.error("smtp-source is not on PATH (Debian: package postfix)")
    print(f"{SESSIONS} sessions, {options.rounds} rounds of {options.seconds} s, "
          f"loop {'uvloop ' + uvloop_version() if uvloop_version() else 'asyncio'}, "
          f"database in {tempfile.gettempdir()}")  # fmt: skip
    return 0 if compare(options) else 1


if __name__ == "__main__":
    sys.exit(main())
