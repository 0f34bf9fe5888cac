"""What a server endures: an endless line, many large mails, idle connections, hostile mail.

    python bench/siege.py line|large|idle|hostile [FOLDER]

runs ``inboxkit run`` as a process of its own and prints figures of it as JSON. ``hostile`` takes
a folder of .eml files, hands in each while a probe delivers normal mail, and waits until all are
read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

PROBE, TARGET = "probe@inbox.example", "target@inbox.example"
_MB = 1024 * 1024
_LARGE_MAILS, _IDLE_CONNECTIONS, _ENDLESS_BYTES = 100, 5_000, 300 * _MB
_LONGEST_SECONDS = 300.0


class Server:
    """``inboxkit run`` with two inboxes in a temporary folder."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        for address in (PROBE, TARGET):
            self._inboxkit("inbox", "create", address)
        self.process = subprocess.Popen(
            [*self._command, "run", "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0"],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().split()[1].rpartition(":")[2])
        self.before = self.memory()["resident"]

    _command = (sys.executable, "-m", "inboxkit")

    def _inboxkit(self, *arguments: str) -> None:
        subprocess.run([*self._command, *arguments], cwd=self.folder, check=True, timeout=60)

    def memory(self) -> dict[str, float]:
        """Return MB held now and at most, by the server and by its parser process."""
        found = {"resident": 0.0, "peak": 0.0, "parser_peak": 0.0}
        for pid in [self.process.pid, *_children(self.process.pid)]:
            status = Path(f"/proc/{pid}/status").read_text()
            peak, resident = (_kilobytes(status, name) / 1024 for name in ("VmHWM", "VmRSS"))
            if pid == self.process.pid:
                found |= {"resident": resident, "peak": peak}
            else:
                found["parser_peak"] = max(found["parser_peak"], peak)
        return {name: round(value, 1) for name, value in found.items()}

    def states(self) -> dict[str, int]:
        """Return how many mails of the target are in which state."""
        query = (
            "SELECT m.state, count(*) FROM inboxkit_message m JOIN inboxkit_inbox i "
            "ON i.id = m.inbox_id WHERE i.address = ? GROUP BY m.state"
        )
        with contextlib.closing(sqlite3.connect(self.folder / "inboxkit.db")) as connection:
            return dict(connection.execute(query, (TARGET,)))

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _kilobytes(status: str, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


class Client:
    """One SMTP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, port: int, *, host: str = "127.0.0.1") -> AsyncGenerator[Client]:
        """Connect from ``host`` and greet."""
        local = None if host == "127.0.0.1" else (host, 0)
        client = cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=local))
        try:
            await client.reply()
            await client.command(b"EHLO siege.example")
            yield client
        finally:
            client._writer.close()

    async def reply(self) -> int:
        async with asyncio.timeout(_LONGEST_SECONDS):
            while True:
                line = await self._reader.readline()
                if not line.endswith(b"\n"):
                    return 0
                if line[3:4] != b"-":
                    return int(line[:3])

    async def command(self, line: bytes) -> int:
        self._writer.write(line + b"\r\n")
        return await self.reply()

    async def deliver(self, to: str, content: bytes, *, pieces: int = 1) -> int:
        """Return the code of the last reply, 0 when the connection was closed."""
        try:
            await self.command(b"MAIL FROM:<siege@siege.example>")
            await self.command(b"RCPT TO:<%s>" % to.encode())
            if (code := await self.command(b"DATA")) != 354:
                return code
            for _ in range(pieces):
                self._writer.write(content)
                await self._writer.drain()
            self._writer.write(b"\r\n.\r\n")
            return await self.reply()
        except ConnectionError:
            return 0


class Probe:
    """A normal client: a NOOP and a small mail, again and again; how long each took."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.seconds: list[float] = []
        self.failures = 0

    async def run(self) -> None:
        number = 0
        while True:
            async with Client.open(self._port) as client:
                for _ in range(20):
                    number += 1
                    text = f"Message-ID: <{number}@siege.example>\r\nSubject: {number}\r\n\r\nHello"
                    await self._timed(client, text.encode())
                    await asyncio.sleep(0.05)

    async def _timed(self, client: Client, content: bytes) -> None:
        for step in (client.command(b"NOOP"), client.deliver(PROBE, content)):
            begun = time.perf_counter()
            self.failures += await step != 250
            self.seconds.append(time.perf_counter() - begun)

    def figures(self) -> dict[str, int]:
        """Return quantiles in ms."""
        ordered = sorted(self.seconds)
        quantiles = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        return {
            f"probe_{name}_ms": round(1000 * ordered[min(int(q * len(ordered)), len(ordered) - 1)])
            for name, q in quantiles.items()
        } | {"probes": len(ordered), "probe_failures": self.failures}


async def line(server: Server, _argument: str) -> dict[str, object]:
    """Send one line without an end."""
    async with Client.open(server.port) as client:
        code = await client.deliver(TARGET, b"x" * _MB, pieces=_ENDLESS_BYTES // _MB)
    return {"code": code, "growth_mb": round(server.memory()["peak"] - server.before, 1)}


async def large(server: Server, _argument: str) -> dict[str, object]:
    """Send many mails of 24 MB at once, and wait until they are read."""
    content = b"Subject: large\r\n\r\n" + (os.urandom(36).hex().encode() + b"\r\n") * 340_000
    begun = time.perf_counter()

    async def one() -> int:
        async with Client.open(server.port) as client:
            return await client.deliver(TARGET, content)

    codes = await asyncio.gather(*(one() for _ in range(_LARGE_MAILS)))
    accepted = time.perf_counter() - begun
    taken = {str(code): codes.count(code) for code in set(codes)}
    peak = server.memory()["peak"]
    await _read(server, codes.count(250))
    return {
        "mb_each": round(len(content) / _MB, 1),
        "replies": taken,
        "accepted_in_s": round(accepted, 1),
        "read_in_s": round(time.perf_counter() - begun, 1),
        "peak_at_accept_mb": peak,
        "states": server.states(),
    }


async def idle(server: Server, _argument: str) -> dict[str, object]:
    """Hold thousands of connections open, and see how long a normal client waits."""
    opened: list[asyncio.StreamWriter] = []
    for number in range(_IDLE_CONNECTIONS):
        host = f"127.0.0.{1 + number % 50}"
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(host, 0))
        opened.append(writer)
    seconds: list[float] = []
    for number in range(20):
        begun = time.perf_counter()
        async with Client.open(server.port) as client:
            text = f"Message-ID: <{number}@siege.example>\r\nSubject: {number}\r\n\r\nHello"
            assert await client.deliver(PROBE, text.encode()) == 250
        seconds.append(time.perf_counter() - begun)
    for writer in opened:
        writer.close()
    return {"connections": len(opened), "slowest_client_ms": round(1000 * max(seconds))}


async def hostile(server: Server, folder: str) -> dict[str, object]:
    """Hand in every mail of a folder while a probe delivers normal ones."""
    probe = Probe(server.port)
    probing = asyncio.create_task(probe.run())
    replies: dict[str, int] = {}
    for file in await asyncio.to_thread(lambda: sorted(Path(folder).glob("*.eml"))):
        content = await asyncio.to_thread(_stuffed, file)
        async with Client.open(server.port) as client:
            replies[file.stem] = await client.deliver(TARGET, content)
        if probing.done():
            probing.result()
    stored = sum(code == 250 for code in replies.values())
    await _read(server, stored)
    probing.cancel()
    refused = {name: code for name, code in replies.items() if code != 250}
    figures: dict[str, object] = {"mails": len(replies), "stored": stored, "refused": refused}
    return figures | {"states": server.states()} | probe.figures()


def _stuffed(file: Path) -> bytes:
    return file.read_bytes().replace(b"\r\n.", b"\r\n..")


async def _read(server: Server, mails: int) -> None:
    end = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < end:
        states = await asyncio.to_thread(server.states)
        if sum(states.values()) >= mails and not states.get("stored"):
            return
        await asyncio.sleep(0.5)


_MODES: dict[str, Callable[[Server, str], Coroutine[Any, Any, dict[str, Any]]]] = {
    "line": line,
    "large": large,
    "idle": idle,
    "hostile": hostile,
}


def main(mode: str, argument: str = "") -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, 20_000), files))
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        try:
            figures = asyncio.run(_MODES[mode](server, argument))
            print(json.dumps({"mode": mode} | figures | server.memory()))
        finally:
            server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
