"""How long mail takes at idle, and with many waits: to the 250, to a code, to a handler's reply.

    python bench/latency.py [--samples 200] [--waits 500] [--flood 10]

Servers are processes of their own on loopback ports, SQLite in the folder for temporary files.
Every time begins when the last byte of the mail, the dot, is handed to the system. A server that
stores nothing, and an fsync of as many bytes on the same disk, are measured in turns with ours.
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
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from ingest import running
from looking import percentile
from running import Session, serving
from smtp_load import RECIPIENT

from inboxkit.kit import InboxKit
from inboxkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from running import Served

BOX = "codes@inbox.example"
FLOODED = "patient@inbox.example"
ANSWERED = "desk@mg.example.com"
_NUMBERS = count()
_LINE = "The quick brown fox jumps over the lazy dog, and then does it again.\r\n"
_TIMEOUT = 30
_IDLE_SECONDS = 3.0
_REST_SECONDS = 0.03  # between samples, so that the mail before is done with: an idle server
_BURST_SECONDS = 1.0
_SENDERS = 10
_ANSWER = """\
from inboxkit import Message, Router

router = Router()


@router.on_message(to="desk@*")
async def answer(message: Message) -> None:
    await message.reply("We have it.")
"""
_SETTINGS = """\
provider = "mailgun"
domain = "mg.example.com"
auto_replies_per_thread_hour = 1000000
auto_replies_per_correspondent_hour = 1000000
auto_replies_per_inbox_hour = 1000000

[options.mailgun]
api_key = "key-bench"
domain = "mg.example.com"
signing_key = "signing-bench"
base_url = "{url}"
"""


def mail(size: int = 5_000, code: str = "") -> bytes:
    """Return a mail of so many bytes that is like no other; it may hold a code."""
    number = next(_NUMBERS)
    words = f"Your verification code is {code}.\r\n" if code else ""
    sender = "Shop <noreply@shop.example>" if code else "Ann <ann@example.com>"
    head = f"From: {sender}\r\nTo: {BOX}\r\nSubject: Your order {number}\r\n"
    head += f"Message-ID: <{number}.{time.time_ns()}@shop.example>\r\n\r\n{words}"
    return (head + _LINE * ((size - len(head)) // len(_LINE))).rstrip().encode()


def code_of(number: int) -> str:
    """Return a code that is no other's."""
    return f"{100_000 + number * 7}"


@dataclass(frozen=True)
class Times:
    """Milliseconds of many tries."""

    name: str
    values: Sequence[float]
    p50: float = 0.0
    p99: float = 0.0

    def tell(self) -> float:
        """Print p50 and p99 with the goals, and return p50."""
        p50, p99 = statistics.median(self.values), percentile(self.values, 99)
        goals = "".join(
            f", goal {name} {goal:g}: {'ok' if value <= goal else 'MISSED'}"
            for name, value, goal in (("p50", p50, self.p50), ("p99", p99, self.p99))
            if goal
        )
        print(f"{self.name:46} p50 {p50:7.2f}  p99 {p99:7.2f} ms{goals}", flush=True)
        return p50


async def accepted(ports: Sequence[int], folder: Path, samples: int) -> list[list[float]]:
    """Return ms from the dot to the 250 of each server, and of one fsync, measured in turns."""
    times: list[list[float]] = [[] for _ in range(len(ports) + 1)]
    async with contextlib.AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(Session.open(port)) for port in ports]
        file = stack.enter_context((folder / "synced").open("wb"))
        for _ in range(samples):
            content = b""
            for session, taken in zip(sessions, times, strict=False):
                await session.begin(RECIPIENT)
                content = mail()
                begun = time.perf_counter()
                await session.end(content)
                taken.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(_REST_SECONDS)
            begun = time.perf_counter()
            file.write(content)
            file.flush()
            os.fdatasync(file.fileno())
            times[-1].append((time.perf_counter() - begun) * 1000)
    return times


def tell_accepted(folder: Path, samples: int) -> None:
    """Compare the time to the 250 with that of a server that stores nothing, and an fsync."""
    with running("listener") as nothing, running("durable") as ours:
        plain, whole, synced = asyncio.run(accepted([nothing.port, ours.port], folder, samples))
    floor = Times("dot to 250, nothing stored", plain).tell() + Times("an fsync", synced).tell()
    Times("dot to 250", whole, p50=floor + 0.6).tell()


async def coded(folder: Path, samples: int) -> list[float]:
    """Return ms from the dot until ``wait_for_otp`` returns, in the server's own process."""
    times: list[float] = []
    settings = Settings(database=f"sqlite:///{folder / 'own.db'}", handlers=str(folder / "none"))
    async with InboxKit(settings=settings) as kit:
        inbox = await kit.inbox(BOX)
        await kit.runtime.edges.open(smtp="127.0.0.1:0", http="")
        async with Session.open(kit.smtp_address[1]) as session:
            for number in range(samples):
                waiting = asyncio.create_task(inbox.wait_for_otp(timeout=_TIMEOUT))
                await session.begin(BOX)
                content = mail(1_000, code_of(number))
                begun = time.perf_counter()
                sending = asyncio.create_task(session.end(content))
                assert await waiting == code_of(number)
                times.append((time.perf_counter() - begun) * 1000)
                await sending
                await asyncio.sleep(_REST_SECONDS)
    return times


class Waiter:
    """Asks a server for codes over HTTP."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, url: str) -> AsyncGenerator[Waiter]:
        """Open a client with as many connections as it needs."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            yield cls(http, url)

    async def make(self, address: str) -> None:
        """Make an inbox."""
        body = {"username": address.partition("@")[0]}
        async with self._http.post(f"{self._url}/v0/inboxes", json=body) as response:
            assert response.status < 300, await response.text()

    async def code(self, address: str) -> tuple[str, float]:
        """Return the next code of an inbox, and when it was here."""
        path = f"{self._url}/v0/inboxes/{address}/wait?kind=otp&timeout={_TIMEOUT}"
        async with self._http.get(path) as response:
            said = await response.json()
            assert response.status == 200, said
            return said["otp"], time.perf_counter()


async def coded_over_http(
    server: Served,
    samples: int,
    box: str = BOX,
    *,
    until: asyncio.subprocess.Process | None = None,
) -> list[float]:
    """Return ms from the dot until a wait over HTTP is answered; no more when ``until`` ends."""
    times: list[float] = []
    async with Waiter.open(server.url) as waiter, Session.open(server.smtp) as session:
        await waiter.make(box)
        for number in range(samples):
            if until is not None and until.returncode is not None:
                break
            waiting = asyncio.create_task(waiter.code(box))
            await session.begin(box)
            content = mail(1_000, code_of(number))
            begun = time.perf_counter()
            sending = asyncio.create_task(session.end(content))
            code, at = await waiting
            assert code == code_of(number), (code, number)
            times.append((at - begun) * 1000)
            await sending
            await asyncio.sleep(_REST_SECONDS)
    return times


async def answered(folder: Path, samples: int) -> list[float]:
    """Return ms from the dot until a handler's reply reaches its provider."""
    arrived: asyncio.Queue[float] = asyncio.Queue()

    async def take(_request: web.Request) -> web.Response:
        arrived.put_nowait(time.perf_counter())
        return web.json_response({"id": f"<{time.time_ns()}@mg.example>", "message": "Queued."})

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (folder / "handlers").mkdir()
    (folder / "handlers" / "answer.py").write_text(_ANSWER)
    (folder / "inboxkit.toml").write_text(
        _SETTINGS.format(url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    )
    times: list[float] = []
    try:
        with serving(folder) as server:
            async with Waiter.open(server.url) as waiter, Session.open(server.smtp) as session:
                await waiter.make(ANSWERED)
                for _ in range(samples):
                    await session.begin(ANSWERED)
                    content = mail(1_000)
                    begun = time.perf_counter()
                    await session.end(content)
                    times.append((await arrived.get() - begun) * 1000)
                    await asyncio.sleep(_REST_SECONDS)
    finally:
        await runner.cleanup()
    return times


async def crowd(server: Served, waits: int) -> list[float]:
    """Wait for a code in each of many inboxes at once; return ms from each dot to its answer."""
    boxes = [f"user{number}@inbox.example" for number in range(waits)]
    sent: dict[str, float] = {}

    async def send(mine: Sequence[int]) -> None:
        async with Session.open(server.smtp) as session:
            for number in mine:
                await session.begin(boxes[number])
                content = mail(1_000, code_of(number))
                sent[boxes[number]] = time.perf_counter()
                await session.end(content)
                await asyncio.sleep(_BURST_SECONDS * _SENDERS / waits)

    async with Waiter.open(server.url) as waiter:
        for box in boxes:
            await waiter.make(box)
        before = server.resident_mb()
        tasks = [asyncio.create_task(waiter.code(box)) for box in boxes]
        await asyncio.sleep(_IDLE_SECONDS)
        used = server.cpu_seconds()
        await asyncio.sleep(_IDLE_SECONDS)
        idle = (server.cpu_seconds() - used) / _IDLE_SECONDS
        begun = time.perf_counter()
        await asyncio.gather(*(send(range(n, waits, _SENDERS)) for n in range(_SENDERS)))
        took = time.perf_counter() - begun
        answers = await asyncio.gather(*tasks)
    right = sum(code == code_of(number) for number, (code, _) in enumerate(answers))
    print(f"{waits} waits: idle CPU {idle:.1%}, memory {server.resident_mb() - before:+.1f} MB,")
    print(f"  {waits} codes sent in {took:.2f} s, {right} waits got their own", flush=True)
    return [(at - sent[box]) * 1000 for box, (_, at) in zip(boxes, answers, strict=True)]


async def flooded(server: Served, samples: int, seconds: float) -> list[float]:
    """Return ms from the dot to a wait's answer while another inbox is flooded."""
    async with Waiter.open(server.url) as waiter:
        await waiter.make(RECIPIENT)
    script = str(Path(__file__).with_name("smtp_load.py"))
    command = [sys.executable, script, str(server.smtp), "5000", "kept", str(seconds)]
    flood = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    await asyncio.sleep(1.0)
    times = await coded_over_http(server, samples, FLOODED, until=flood)
    accepted, took = (float(word) for word in (await flood.communicate())[0].split())
    print(f"flood: {accepted / took:,.0f} mails a second to another inbox, {len(times)} waits")
    return times


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Measure one after the other."""
    samples = options.samples
    tell_accepted(folder, samples)
    Times("dot to code, in process", asyncio.run(coded(folder, samples)), 8, 40).tell()
    own = folder / "server"
    own.mkdir()
    with serving(own) as server:
        times = asyncio.run(coded_over_http(server, samples))
        Times("dot to code, over HTTP", times, 12, 60).tell()
        times = asyncio.run(crowd(server, options.waits))
        Times(f"dot to code, {options.waits} waits at once", times, p99=500).tell()
        times = asyncio.run(flooded(server, samples, options.flood))
        Times("dot to code, beside a flood", times, p99=250).tell()
    replying = folder / "replying"
    replying.mkdir()
    times = asyncio.run(answered(replying, samples))
    Times("dot to the reply at the provider", times, p50=25).tell()


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--waits", type=int, default=500)
    parser.add_argument("--flood", type=float, default=15.0, help="seconds of it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inboxkit-bench-") as folder:
        measure(Path(folder), options)


if __name__ == "__main__":
    main()
