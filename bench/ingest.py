"""Measure how many messages a second are accepted by SMTP, side by side with bare aiosmtpd.

    python bench/ingest.py [--seconds 1] [--rounds 3] [--smtp-source] [--database URL]

Servers and load generator are processes of their own on loopback ports. Runs are interleaved, and
the medians compared, since the machine's speed drifts. ``durable`` is ``inboxkit run`` itself: 250
after a commit with an fsync (SQLite, WAL, synchronous=FULL), and reading goes on beside it; bare
aiosmtpd stores nothing. It runs as it comes, on asyncio, and once more on the event loop that
``inboxkit run`` has, uvloop where it is installed; maildev and Postfix's smtp-sink are measured
where they are installed. After each run the server catches up first. ``--database`` measures the
same command on an empty database of a PostgreSQL server as well.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peers
from running import stop
from smtp_load import MAX_MESSAGES, RECIPIENT, SENDER, SESSIONS, run_loop

from inboxkit.clock import Clock
from inboxkit.smtp.listener import Listener
from inboxkit.smtp.settings import SmtpSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable

    from inboxkit.smtp.incoming import Incoming

    Stored = tuple[Incoming, asyncio.Future[None]]

SETTLE_SECONDS = 60.0
BARE, ON_UVLOOP, LISTENER, DURABLE = "aiosmtpd", "on uvloop", "listener", "durable"


@dataclass(frozen=True)
class Load:
    """One kind of traffic, and by server how many times its rate the durable one must have."""

    name: str
    size: int
    persistent: bool
    sessions: int
    goals: tuple[tuple[str, float], ...]


LOADS = (
    Load("5 kB, connections kept", 5_000, True, SESSIONS, ((BARE, 1.8), (peers.SMTP_SINK, 0.22))),
    Load("5 kB, one connection each", 5_000, False, SESSIONS, ((BARE, 1.6),)),
    Load("50 kB, connections kept", 50_000, True, SESSIONS, ((BARE, 2.8),)),
    Load("5 kB, 50 connections kept", 5_000, True, 50, ((LISTENER, 0.85),)),
    Load("5 kB, one after the other", 5_000, False, 1, ((peers.MAILDEV, 20.0),)),
)


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


SERVERS: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
    BARE: serve_bare,
    ON_UVLOOP: serve_bare,
    LISTENER: serve_nothing,
}


async def _listen(accept: Callable[[Incoming], Awaitable[None]]) -> None:
    async def check_recipient(address: str) -> None: ...

    listener = Listener(SmtpSettings(hostname="bench"), accept, check_recipient, Clock())
    await listener.start()
    print(listener.port, flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await listener.stop()


@dataclass
class Server:
    """A server in a process of its own."""

    name: str
    port: int
    process: subprocess.Popen[str] | subprocess.Popen[bytes]

    def settle(self) -> None:
        """Wait until the server has read what it accepted, so that it disturbs no other run."""
        end = time.monotonic() + SETTLE_SECONDS
        used = self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(0.3)
            before, used = used, self.cpu_seconds()
            if used - before < 0.05:
                return

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far, 0 where there is no /proc."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Result:
    """What one run gave: messages a second, and the server's CPU time for each."""

    rate: float
    cpu_ms: float


@contextlib.contextmanager
def inboxkit_run(database: str = "") -> Generator[list[str]]:
    """Give the command of a server of ours, on a database that has the load's inbox."""
    with tempfile.TemporaryDirectory(prefix="inboxkit-bench-") as folder:
        url = database or f"sqlite:///{Path(folder) / 'bench.db'}"
        command = [sys.executable, "-m", "inboxkit", "--database", url]
        for step in (["db", "upgrade"], ["inbox", "create", RECIPIENT]):
            subprocess.run([*command, *step], check=True, stdout=subprocess.DEVNULL)
        handlers = Path(folder) / "handlers"
        handlers.mkdir()  # and none in it
        yield [*command, "run", str(handlers), "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0"]


@contextlib.contextmanager
def running(name: str, database: str = "") -> Generator[Server]:
    """Start a server and stop it at the end."""
    with contextlib.ExitStack() as stack:
        if name in SERVERS:
            command = [sys.executable, __file__, "--serve", name]
        else:
            command = stack.enter_context(inboxkit_run(database if name == "postgres" else ""))
        yield stack.enter_context(started(name, command))


@contextlib.contextmanager
def started(name: str, command: list[str]) -> Generator[Server]:
    """Start a command that prints its port, or "ready smtp=HOST:PORT ..."; end it at the end."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            port = re.search(r"(?:^|smtp=\S*:)(\d+)", line)
            if port is None:
                raise RuntimeError(f"{name} did not start: {line!r}")
            yield Server(name, int(port[1]), process)
        finally:
            stop(process)


def measure(load: Load, server: Server, seconds: float, count: int) -> Result:
    """Run the load once; for smtp-source, which sends a number and not for a time, ``count``."""
    before = server.cpu_seconds()
    if count:
        accepted, took = float(count), smtp_source(load, server.port, count)
    else:
        script = str(Path(__file__).with_name("smtp_load.py"))
        how = "kept" if load.persistent else "each"
        command = [sys.executable, script, str(server.port), str(load.size), how, str(seconds)]
        command += [str(MAX_MESSAGES), str(load.sessions)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        accepted, took = (float(number) for number in done.stdout.split())
    result = Result(accepted / took, (server.cpu_seconds() - before) * 1000 / accepted)
    server.settle()
    return result


def smtp_source(load: Load, port: int, count: int) -> float:
    """Let Postfix's smtp-source send ``count`` messages; return the seconds that it took."""
    command = ["smtp-source", "-s", str(load.sessions), "-m", str(count), "-l", str(load.size)]
    command += ["-d"] if load.persistent else []
    command += ["-f", SENDER, "-t", RECIPIENT, f"inet:127.0.0.1:{port}"]
    begun = time.perf_counter()
    subprocess.run(command, check=True, timeout=120)
    return time.perf_counter() - begun


def compare(options: argparse.Namespace) -> bool:
    """Run all loads against all servers in turn; tell whether every goal was reached."""
    results: dict[tuple[Load, str], list[Result]] = {}
    with contextlib.ExitStack() as stack:
        names = [*SERVERS, DURABLE, *(["postgres"] if options.database else [])]
        servers = [stack.enter_context(running(name, options.database)) for name in names]
        for name in filter(peers.installed, peers.PEERS):
            peer = stack.enter_context(peers.PEERS[name]())
            servers.append(Server(name, peer.port, peer.process))
        for load in (load for _ in range(options.rounds) for load in LOADS):
            for server in servers:
                known = results.setdefault((load, server.name), [])
                guess = known[-1].rate if known else 300.0
                count = min(MAX_MESSAGES, int(guess * options.seconds)) or 1
                count = count if options.smtp_source else 0
                known.append(measure(load, server, options.seconds, count))
    return report(results)


def report(results: dict[tuple[Load, str], list[Result]]) -> bool:
    """Print medians, and what the durable server's are to the others'."""
    names = list(dict.fromkeys(name for _, name in results))
    print(f"{'messages/s (CPU ms each)':28}" + "".join(f"{name:>16}" for name in names))
    for load in LOADS:
        print(f"{load.name:28}", end="")
        for name in names:
            rate = statistics.median(result.rate for result in results[load, name])
            cpu = statistics.median(result.cpu_ms for result in results[load, name])
            print(f"{f'{rate:.0f} ({cpu:.2f})':>16}", end="")
        print()
    print(f"\n{'durable, times':28}" + "".join(f"{name:>16}" for name in names))
    reached = [_compared(results, load, names) for load in LOADS]
    return all(reached)


def _compared(
    results: dict[tuple[Load, str], list[Result]], load: Load, names: Iterable[str]
) -> bool:
    print(f"{load.name:28}", end="")
    for name in names:
        print(f"{'' if name == DURABLE else f'{_ratio(results, load, name):.2f}':>16}", end="")
    reached = True
    for peer, goal in load.goals:
        if (load, peer) in results:
            is_reached = _ratio(results, load, peer) >= goal
            reached &= is_reached
            print(f"   {peer} {goal}: {'ok' if is_reached else 'BELOW'}", end="")
    print()
    return reached


def _ratio(results: dict[tuple[Load, str], list[Result]], load: Load, peer: str) -> float:
    pairs = zip(results[load, DURABLE], results[load, peer], strict=True)
    return statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)


def main() -> int:
    """Compare; the exit status is 1 when a goal was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smtp-source", action="store_true", help="use Postfix's load generator")
    parser.add_argument(
        "--database", metavar="URL", default="", help="of an empty database of PostgreSQL"
    )
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        served = SERVERS[options.serve]()
        asyncio.run(served) if options.serve == BARE else run_loop(served)
        return 0
    if options.smtp_source and not shutil.which("smtp-source"):
        parser.error("smtp-source is not on PATH (Debian: package postfix)")
    loop = f"uvloop {version('uvloop')}" if find_spec("uvloop") else "asyncio"
    print(f"{SESSIONS} sessions where no other number is said, ", end="")
    print(f"{options.rounds} rounds of {options.seconds} s,")
    by = "smtp-source" if options.smtp_source else "smtp_load.py"
    print(f"load by {by}, it and ours on {loop}, database in {tempfile.gettempdir()}")
    return 0 if compare(options) else 1


if __name__ == "__main__":
    sys.exit(main())
