"""Measure one and two processes side by side on one database: mail in, read, handled by a handler.

    python bench/processes.py [--messages 2000] [--rounds 3] [--database URL]

Each process takes its share in by the code behind the SMTP listener (32 at once, with the commit
before the 250), reads it, plans it and calls a handler that does nothing. ``done`` counts from the
start until nothing is left to do. CPU is that of our processes; a PostgreSQL server's comes beside
it. Rounds are interleaved, and medians compared, since a machine's speed drifts. ``--database``
names a database of PostgreSQL that may be emptied; without it only SQLite is measured. Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smtp_load import run_loop
from sqlalchemy import text

from inboxkit import InboxKit, Message, Router, Settings
from inboxkit.store import backlog, schema
from inboxkit.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 32
STEPS = ("read", "plan", "run")
INBOXES = 8
_LINE = b"The quick brown fox jumps over the lazy dog, and then does it again.\r\n"


@dataclass(frozen=True)
class Result:
    """Messages a second, and milliseconds of CPU a message: ours, and the server's."""

    accepted: float
    rate: float
    cpu_ms: float
    server_ms: float


def mails(worker: int, count: int, size: int) -> Iterator[tuple[str, bytes]]:
    """Yield mails of their own, by turns to the inboxes."""
    body = _LINE * (size // len(_LINE))
    head = (
        b"From: <user%d@bench.example>\r\nTo: <bench@inbox.example>\r\n"
        b"Subject: Question %d\r\nMessage-ID: <%d.%d.%d@bench.example>\r\n\r\n"
    )
    for number in range(count):
        unique = (number % 50, number, os.getpid(), worker, number)
        yield f"bench{number % INBOXES}@inbox.example", head % unique + body


async def work(database: str, worker: int, count: int, size: int) -> None:
    """Be one of the processes: say that it is ready, go on when told to, print what it took."""
    router = Router()

    @router.on_message(to="bench*@*")
    async def nothing(message: Message) -> None: ...

    settings = Settings(database=database, handlers=tempfile.mkdtemp())
    async with InboxKit(router, settings=settings) as kit:
        for number in range(INBOXES):
            await kit.inbox(f"bench{number}@inbox.example")
        await asyncio.to_thread(rendezvous)
        begun, cpu = time.perf_counter(), time.process_time()
        waiting = mails(worker, count, size)

        async def take_in() -> None:
            for address, raw in waiting:
                await kit.runtime.accept.mail(
                    raw, mail_from="load@bench.example", rcpt_to=[address]
                )

        await asyncio.gather(*(take_in() for _ in range(AT_ONCE)))
        accepted = time.perf_counter() - begun
        store = kit.runtime.store
        while await store.read(backlog.count, STEPS):  # noqa: ASYNC110 - no bell tells of the others
            await asyncio.sleep(0.02)
        print(accepted, time.perf_counter() - begun, time.process_time() - cpu, flush=True)


def rendezvous() -> None:
    """Say that all is open, and wait for the word to begin."""
    print("ready", flush=True)
    sys.stdin.readline()


def empty(database: str) -> None:
    """Empty a database of PostgreSQL and bring its schema up."""
    opened = open_database(database)
    with opened.writer.begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS inboxkit CASCADE"))
    schema.upgrade(opened)
    opened.close()


def server_cpu(database: str) -> float:
    """Return the CPU seconds of a PostgreSQL server on this machine, with all its processes."""
    if not database.startswith("postgresql"):
        return 0.0
    opened = open_database(database)
    with opened.reader.connect() as connection:
        file = (
            Path(str(connection.execute(text("SHOW data_directory")).scalar())) / "postmaster.pid"
        )
    opened.close()
    postmaster = int(file.read_text().split()[0])
    return sum(_cpu(p) for p in Path("/proc").glob("[0-9]*") if _is_of(p, postmaster))


def _is_of(process: Path, parent: int) -> bool:
    with contextlib.suppress(OSError):
        fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        return int(process.name) == parent or int(fields[1]) == parent
    return False


def _cpu(process: Path) -> float:
    """Return the seconds of a process and of those of its children that have ended."""
    with contextlib.suppress(OSError):
        fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def measure(database: str, processes: int, options: argparse.Namespace) -> Result:
    """Run one round; the messages are shared out among the processes."""
    share = options.messages // processes
    command = [sys.executable, __file__, "--messages", str(share), "--size", str(options.size)]
    command += ["--work", database]
    pipe = subprocess.PIPE
    running = [
        subprocess.Popen([*command, "--number", str(n)], stdin=pipe, stdout=pipe, text=True)
        for n in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()
    before = server_cpu(database)
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [list(map(float, process.communicate(timeout=300)[0].split())) for process in running]
    server = server_cpu(database) - before
    accepted, took, _ = (max(column) for column in zip(*said, strict=True))
    cpu = sum(one[2] for one in said)
    total = share * processes
    return Result(total / accepted, total / took, cpu * 1000 / total, server * 1000 / total)


def compare(options: argparse.Namespace) -> None:
    """Run all in turn and print medians."""
    results: dict[tuple[str, int], list[Result]] = {}
    for _ in range(options.rounds):
        for name in ("sqlite", "postgres") if options.database else ("sqlite",):
            for processes in (1, 2):
                with tempfile.TemporaryDirectory(prefix="inboxkit-bench-") as folder:
                    database = f"sqlite:///{folder}/bench.db"
                    if name == "postgres":
                        empty(database := options.database)
                    results.setdefault((name, processes), []).append(
                        measure(database, processes, options)
                    )
    print(f"{'':22}{'accepted/s':>12}{'done/s':>10}{'CPU ms':>10}{'server ms':>11}")
    for (name, processes), found in results.items():
        shown = [
            statistics.median(getattr(r, n) for r in found)
            for n in ("accepted", "rate", "cpu_ms", "server_ms")
        ]
        print(f"{name:12}{processes:>2} process" + "".join(f"{number:>11.2f}" for number in shown))


def main() -> int:
    """Compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--messages", type=int, default=2_000)
    parser.add_argument("--size", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", metavar="URL", default="", help="of PostgreSQL; is emptied")
    parser.add_argument("--work", default="", help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        run_loop(work(options.work, options.number, options.messages, options.size))
    else:
        compare(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
