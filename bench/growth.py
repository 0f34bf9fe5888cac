"""What a store of a million messages costs: lists and searches, mail taken in, disk, memory.

    python bench/growth.py --messages 1000000 --keep growth.db     # or --database postgresql://...
    python bench/growth.py --messages 1000000 --keep growth.db     # the same file, measured again

The database is filled through the store's own code up to so many messages (see ``growing.py``).
Then: pages and searches as the API asks for them, with other words, threads and inboxes each time;
the rate of taking in and reading mail, in turns with an empty database; and the memory of a server
after 5,000 mails and after 50,000. Times are wall times, with the CPU time of this process beside.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sqlite3
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from growing import GROUP, Letters, grow, make_inboxes
from looking import Looks
from running import Session, serving
from sqlalchemy import func, select, text

from inboxkit.kit import InboxKit
from inboxkit.settings import Settings
from inboxkit.store import backlog, schema
from inboxkit.store.database import open_database
from inboxkit.store.tables import message

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit.store.inboxes import InboxRecord

_TOLD_EVERY = 20  # times while the database is filled
_AT_ONCE = 64
_EARLY = 5_000
_IDLE_SECONDS = 0.02
_LOOK_SECONDS = 0.5
_SENDERS = 10
_HANDLER = """\
from inboxkit import Message, Router

router = Router()


@router.on_message(to="*")
async def seen(message: Message) -> None:
    pass
"""


def settings_of(database: str) -> Settings:
    """Return the settings of a kit on this database."""
    return Settings(database=database, handlers="/nonexistent")


async def fill(database: str, wanted: int) -> None:
    """Add messages until there are so many; say how far it is."""
    kit = InboxKit(settings=settings_of(database))
    kit.only_look()
    async with kit:
        store = kit.runtime.store
        there = await store.read(_count)
        letters = Letters(await make_inboxes(store), seed=there)
        first = store.clock.now() - timedelta(days=300)
        step = max(GROUP, (wanted - there) // _TOLD_EVERY)
        told, begun, used = there, time.perf_counter(), time.process_time()
        for done in range(there, wanted, GROUP):
            count = min(GROUP, wanted - done)
            await grow(store, letters, count, begun=first + timedelta(seconds=done))
            if done + count - told >= step or done + count == wanted:
                made = done + count - told
                rate, cpu = made / (time.perf_counter() - begun), time.process_time() - used
                told, begun, used = done + count, time.perf_counter(), time.process_time()
                print(
                    f"  {told:,} messages, {rate:,.0f}/s, {cpu / made * 1e3:.2f} ms of CPU each",
                    flush=True,
                )


def gather_statistics(database: str) -> None:
    """Tell PostgreSQL's planner what is in the tables, as its own housekeeping does in time."""
    opened = open_database(database)
    if opened.file is None:
        with opened.reader.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
    opened.close()


def _count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(message)).scalar_one())


async def look(database: str, samples: int) -> None:
    """Measure pages and searches."""
    kit = InboxKit(settings=settings_of(database))
    kit.only_look()
    async with kit:
        store = kit.runtime.store
        boxes = await make_inboxes(store)
        with store.database.reader.connect() as connection:
            looks = Looks(connection, boxes, store.clock.now())
            gc.freeze()  # as a server does; a collection of all our words took 0.1 s
            print(f"{'ms':28}{'p50':>8}{'p99':>8}{'CPU p50':>10}{'p99':>8}")
            for kind in looks.kinds:
                looks.measure(kind, 5)
                p50, p99, cpu, most = looks.measure(kind, samples)
                print(f"{kind:28}{p50:8.2f}{p99:8.2f}{cpu:10.2f}{most:8.2f}", flush=True)


async def ingest(database: str, count: int, seed: int) -> tuple[float, float]:
    """Take in and read mails, one inbox in turn after the other; return a second, and CPU ms."""
    kit = InboxKit(settings=settings_of(database))
    kit.plan_messages()
    async with kit:
        boxes = await make_inboxes(kit.runtime.store)
        made = [(letter.raw, letter.inbox) for letter in Letters(boxes, seed).take(count)]
        begun, used = time.perf_counter(), time.process_time()
        await _take(kit, made)
        took = time.perf_counter() - begun
        return count / took, (time.process_time() - used) * 1000 / count


async def _take(kit: InboxKit, made: list[tuple[bytes, InboxRecord]]) -> None:
    """Hand mails in, so many at once, and wait until all are read and planned."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def take(raw: bytes, inbox: InboxRecord) -> None:
        async with turns:
            await kit.runtime.accept.mail(raw, mail_from="ann@example.com", rcpt_to=[inbox.address])

    async with asyncio.TaskGroup() as tasks:
        for raw, inbox in made:
            tasks.create_task(take(raw, inbox))
    while await kit.runtime.store.read(backlog.count, ["read", "plan"]):
        await kit.runtime.store.bell.wait("done", 1 << 62, timeout=_IDLE_SECONDS)


def compare(grown: str, empty: str, count: int, rounds: int) -> None:
    """Measure taking in on both databases in turns."""
    found: dict[str, list[tuple[float, float]]] = {grown: [], empty: []}
    for number in range(rounds):
        for database, results in found.items():
            seed = time.time_ns() + number
            results.append(asyncio.run(ingest(database, count, seed)))
    for name, database in (("grown", grown), ("empty", empty)):
        rates, cpu = zip(*found[database], strict=True)
        print(f"taking in, {name}: {statistics.median(rates):,.0f}/s,", end=" ")
        print(f"{statistics.median(cpu):.2f} ms of CPU each")
    pairs = zip(found[grown], found[empty], strict=True)
    ratios = [(g[0] / e[0], e[1] / g[1]) for g, e in pairs]
    rate, cpu_ratio = (statistics.median(values) for values in zip(*ratios, strict=True))
    print(f"grown / empty: {rate:.2f} by time, {cpu_ratio:.2f} by CPU")


def remember(folder: Path, mails: int) -> None:
    """Let a server take in and handle mails; print its memory as it goes."""
    database = f"sqlite:///{folder / 'memory.db'}"
    (folder / "handlers").mkdir()
    (folder / "handlers" / "seen.py").write_text(_HANDLER)
    letters = Letters(asyncio.run(opened(database)), time.time_ns())
    with serving(folder, database=database) as server:
        seen: list[float] = []
        for done in range(0, mails, _EARLY):
            asyncio.run(_hand_in(server.smtp, letters, min(_EARLY, mails - done), database))
            seen.append(server.resident_mb())
    print(f"resident MB after each {_EARLY:,} mails:", *(f"{mb:.1f}" for mb in seen))
    print(f"after {mails:,} {seen[-1] / seen[0]:.2f} times what it was at first", flush=True)


async def opened(database: str) -> list[InboxRecord]:
    """Make the database and its inboxes."""
    kit = InboxKit(settings=settings_of(database))
    kit.only_look()
    async with kit:
        return await make_inboxes(kit.runtime.store)


async def _hand_in(port: int, letters: Letters, count: int, database: str) -> None:
    """Send mails by a few connections, and return when all are handled."""

    async def send(share: int) -> None:
        async with Session.open(port) as session:
            for _ in range(share):
                [letter] = letters.take(1)
                await session.begin(letter.inbox.address)
                await session.end(letter.raw)

    await asyncio.gather(*(send(count // _SENDERS) for _ in range(_SENDERS)))
    kit = InboxKit(settings=settings_of(database))
    kit.only_look()
    async with kit:
        store = kit.runtime.store
        while await store.read(backlog.count, ["read", "plan", "run"]):
            await store.bell.wait("done", 1 << 62, timeout=_LOOK_SECONDS)


def size(database: str, messages: int) -> None:
    """Print how much the database takes on the disk."""
    opened = open_database(database)
    if opened.file is None:
        with opened.reader.connect() as connection:
            asked = connection.execute(text("SELECT pg_database_size(current_database())"))
            taken = int(asked.scalar_one())
    else:
        opened.close()
        plain = sqlite3.connect(opened.file)
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        plain.close()
        taken = opened.file.stat().st_size
    opened.close()
    print(f"on disk {taken / 1e6:,.0f} MB, {taken / messages:,.0f} bytes a message")


def measure(database: str, empty: str, options: argparse.Namespace) -> None:
    """Fill, look, compare, remember."""
    asyncio.run(fill(database, options.messages))
    gather_statistics(database)
    size(database, options.messages)
    asyncio.run(look(database, options.samples))
    if options.ingest:
        compare(database, empty, options.ingest, options.rounds)
    if options.mails:
        with tempfile.TemporaryDirectory(prefix="inboxkit-bench-") as folder:
            remember(Path(folder), options.mails)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--keep", metavar="FILE", type=Path, help="SQLite file to make or go on")
    parser.add_argument("--database", metavar="URL", help="of PostgreSQL, to make or go on")
    parser.add_argument("--samples", type=int, default=300, help="of each query")
    parser.add_argument("--ingest", type=int, default=2_000, help="mails a round, 0 for none")
    parser.add_argument("--rounds", type=int, default=3, help="of taking in")
    parser.add_argument("--mails", type=int, default=50_000, help="of the memory run, 0 for none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inboxkit-bench-") as folder:
        kept = options.keep or Path(folder) / "grown.db"
        database = options.database or f"sqlite:///{kept.absolute()}"
        if options.database:
            schema.upgrade(open_database(database))
        measure(database, f"sqlite:///{Path(folder) / 'empty.db'}", options)


if __name__ == "__main__":
    main()
