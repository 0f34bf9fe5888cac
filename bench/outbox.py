"""Measure how many sends a second leave through a provider's API, to its Fake on loopback.

    python bench/outbox.py [--vendor mailgun] [--sends 2000] [--concurrency 32] [--rounds 3]
                           [--profile FILE]

The vendor's Fake is a process of its own and answers at once, connections kept. With Postmark,
Mailtrap and Mailjet sends that wait share a request. First the sends are queued (``Inbox.send``,
32 at a time), then a runtime that finds them queued sends them all: SQLite, WAL, synchronous=FULL;
``sending`` is on the disk before each request and the outcome after it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from inboxkit.kit import InboxKit
from inboxkit.settings import Settings
from inboxkit.store import backlog
from inboxkit.testing.emulator import Emulator
from inboxkit.testing.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Generator

LIMIT_SECONDS = 120.0
BODY = "It is on its way. " * 20
STAGED_AT_ONCE = 32


async def serve(vendor: str) -> None:
    """Serve a vendor's Fake until the parent closes our standard input."""
    async with Emulator([vendor]) as emulator:
        print(emulator.accounts[vendor].url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextlib.contextmanager
def serving(vendor: str) -> Generator[str]:
    """Run the Fake in a process of its own; yield its URL."""
    command = [sys.executable, __file__, "--serve", "--vendor", vendor]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


async def queue(settings: Settings, sends: int) -> float:
    """Queue so many sends; return how many a second."""
    kit = InboxKit(settings=settings)
    kit.only_look()
    async with kit:
        inbox = await kit.inbox("shop@mg.example.com")
        turns = asyncio.Semaphore(STAGED_AT_ONCE)

        async def send(number: int) -> None:
            async with turns:
                await inbox.send(
                    f"user{number}@example.com", "Your order", "It is on its way." * 20
                )

        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(sends):
                tasks.create_task(send(number))
        return sends / (time.perf_counter() - start)


async def drain(settings: Settings, sends: int) -> tuple[float, float]:
    """Send what is queued; return sends a second, and the CPU time of this process for each."""
    async with InboxKit(settings=settings) as kit:
        start, used = time.perf_counter(), time.process_time()
        end = start + LIMIT_SECONDS
        while await kit.runtime.store.read(backlog.count, ["send"]):
            if time.perf_counter() > end:
                raise SystemExit("the outbox was not emptied in time")
            await asyncio.sleep(0.1)
        took = time.perf_counter() - start
        return sends / took, (time.process_time() - used) / sends * 1000


async def measure(
    vendor: str, url: str, sends: int, concurrency: int, profile: str
) -> tuple[float, ...]:
    """Return the rates of one round: queued a second, sent a second, and ms of CPU for a send."""
    with tempfile.TemporaryDirectory(prefix="inboxkit-bench-") as folder:
        settings = Settings(
            database=f"sqlite:///{Path(folder) / 'bench.db'}",
            domain="mg.example.com",
            provider=(vendor,),
            options={vendor: VENDORS[vendor].account({}, url)},
            send_concurrency=concurrency,
        )
        queued = await queue(settings, sends)
        profiler = cProfile.Profile() if profile else None
        if profiler is not None:
            profiler.enable()
        sent, cpu = await drain(settings, sends)
        if profiler is not None:
            profiler.disable()
            profiler.dump_stats(profile)
        return queued, sent, cpu


def main() -> None:
    """Print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vendor", default="mailgun", choices=sorted(VENDORS))
    parser.add_argument("--sends", type=int, default=2_000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", default="")
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    try:
        import uvloop

        run = uvloop.run
    except ImportError:
        run = asyncio.run
    if given.serve:
        run(serve(given.vendor))
        return
    with serving(given.vendor) as url:
        rounds = [
            run(measure(given.vendor, url, given.sends, given.concurrency, given.profile))
            for _ in range(given.rounds)
        ]
    queued, sent, cpu = (statistics.median(values) for values in zip(*rounds, strict=True))
    print(f"queued {queued:,.0f}/s, sent {sent:,.0f}/s, {cpu:.2f} ms of CPU for each send")


if __name__ == "__main__":
    main()
