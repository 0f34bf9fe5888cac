"""Kills a server at random moments while senders send, and counts what became of their mail.

The provider that takes the replies lives in the harness, so that it survives the kills. SIGKILL
keeps the kernel's page cache: whether a 250 comes after the fsync is ``test_sync``'s question.
With several workers either all of them die together, or one of them at a time.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import random
import signal
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

ROOT = Path(__file__).parents[2]
_READY_SECONDS = 60.0
_REPLY_SECONDS = 10.0


class Unclear(Exception):
    """The mail may have been stored or not: its sender has to try again."""


@dataclass(eq=False)
class Sent:
    """A mail of the harness; by webhook when it has an odd number."""

    number: int
    body: bytes
    acknowledged: bool = False

    @property
    def message_id(self) -> str:
        return f"<{self.number}@harness.example>"

    @property
    def raw(self) -> bytes:
        head = f"From: sender@harness.example\r\nTo: bot@inbox.example\r\nSubject: {self.number}"
        return f"{head}\r\nMessage-ID: {self.message_id}\r\n\r\n".encode() + self.body + b"\r\n"


@dataclass
class Replies:
    """The provider: a repeat of a key sends nothing; some first sends get an error."""

    rng: random.Random
    seen: set[str] = field(default_factory=set[str])
    keys: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    url: str = ""

    async def serve(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/send", self.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def take(self, request: web.Request) -> web.Response:
        answered = (await request.json())["in_reply_to"]
        luck = 1.0 if answered in self.seen else self.rng.random()
        self.seen.add(answered)
        if luck < 0.05:
            return web.Response(status=503)
        self.keys[answered].add(request.headers["Idempotency-Key"])
        return web.Response(status=500 if luck < 0.1 else 200)  # sent, but it says that it failed


@dataclass
class Server:
    """A process of the server under test; ``start`` it again after a ``kill``."""

    database: str
    provider: str
    workers: int = 1
    smtp: int = 0
    http: int = 0
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, on the same ports as before."""
        command = [sys.executable, "-m", "tests.crash.server", "--db", self.database]
        command += ["--smtp", f"127.0.0.1:{self.smtp}", "--http", f"127.0.0.1:{self.http}"]
        command += ["--workers", str(self.workers)]
        self.process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env=os.environ | {"HARNESS_PROVIDER_URL": self.provider},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(_READY_SECONDS):
            line = await self.process.stdout.readline()
        self.smtp, self.http = (int(place.rpartition(b":")[2]) for place in line.split()[1:])

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it and wait for its end."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.communicate()

    async def kill_one(self) -> None:
        """Kill whichever worker answers; its supervisor starts another."""
        with contextlib.suppress(aiohttp.ClientError):  # the one that had taken it is dead already
            os.kill(await self._ask("process"), signal.SIGKILL)

    async def state(self) -> dict[str, dict[str, Any]]:
        """Return what the server says of each mail."""
        found: dict[str, dict[str, Any]] = await self._ask("state")
        return found

    async def _ask(self, what: str) -> Any:
        url = f"http://127.0.0.1:{self.http}/_test/{what}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.json()


async def by_smtp(server: Server, mail: Sent, *, drop: bool) -> bool:
    """Send once; return whether there was a 250. With ``drop`` nobody reads the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.smtp)
    try:
        await _reply(reader)
        head = ("EHLO harness.example", "MAIL FROM:<sender@harness.example>")
        for line in (*head, "RCPT TO:<bot@inbox.example>", "DATA"):
            writer.write(line.encode() + b"\r\n")
            if await _reply(reader) >= 400:
                return False
        writer.write(mail.raw + b".\r\n")
        try:
            await writer.drain()
            if drop:
                raise ConnectionError
            return await _reply(reader) == 250
        except OSError as error:
            raise Unclear from error
    finally:
        writer.close()


async def _reply(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(_REPLY_SECONDS):
        while True:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError
            if line[3:4] != b"-":
                return int(line[:3])


async def by_webhook(server: Server, mail: Sent) -> bool:
    """Post once; return whether it was taken."""
    encoded = base64.b64encode(mail.raw).decode()
    posted = {"id": mail.message_id, "recipient": "bot@inbox.example", "raw": encoded}
    url = f"http://127.0.0.1:{server.http}/_test/webhook"
    headers = {"Webhook-Id": mail.message_id}
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=json.dumps(posted), headers=headers) as response:
            return response.status < 300


@dataclass
class Run:
    """One run: ``mails`` from several senders, ``kills`` at random moments."""

    server: Server
    replies: Replies
    rng: random.Random
    mails: list[Sent]
    kills: int
    one_at_a_time: bool = False
    drop_share: float = 0.05
    longest_life: float = 0.5

    async def __call__(self, *, settle: float = 30.0) -> dict[str, int]:
        """Return how many mails were lost, stored twice, unhandled, answered twice, corrupt."""
        await self.server.start()
        todo: asyncio.Queue[Sent] = asyncio.Queue()
        for mail in self.mails:
            todo.put_nowait(mail)
        senders = [asyncio.create_task(self._send(todo)) for _ in range(8)]
        for _ in range(self.kills):
            await asyncio.sleep(self.rng.uniform(0.05, self.longest_life))
            await self._kill()
        await asyncio.gather(*senders)
        await self._kill()  # the harshest one: right after the last 250
        state = await self._settled(settle)
        await self.server.kill(signal.SIGTERM)
        return self._counted(state)

    async def _kill(self) -> None:
        if self.one_at_a_time:
            await self.server.kill_one()
        else:
            await self.server.kill()
            await self.server.start()

    async def _send(self, todo: asyncio.Queue[Sent]) -> None:
        while not todo.empty():
            mail = todo.get_nowait()
            try:
                mail.acknowledged = await self._attempt(mail)
            except (Unclear, OSError, aiohttp.ClientError, TimeoutError):
                mail.acknowledged = False
            if not mail.acknowledged:
                todo.put_nowait(mail)
            await asyncio.sleep(self.rng.uniform(0, 0.1))

    async def _attempt(self, mail: Sent) -> bool:
        if mail.number % 2:
            return await by_webhook(self.server, mail)
        return await by_smtp(self.server, mail, drop=self.rng.random() < self.drop_share)

    async def _settled(self, seconds: float) -> dict[str, dict[str, Any]]:
        """Return the state once all is handled and answered, or after so many seconds."""
        end = asyncio.get_running_loop().time() + seconds
        state: dict[str, dict[str, Any]] = {}
        while True:
            with contextlib.suppress(aiohttp.ClientError):  # a worker that dies with the question
                state = await self.server.state()
            done = all(state.get(m.message_id, {}).get("handled") for m in self.mails)
            answered = all(self.replies.keys.get(m.message_id) for m in self.mails)
            if (done and answered) or asyncio.get_running_loop().time() > end:
                return state
            await asyncio.sleep(0.1)

    def _counted(self, state: dict[str, dict[str, Any]]) -> dict[str, int]:
        found = {mail: state.get(mail.message_id, {}) for mail in self.mails}
        keys = self.replies.keys
        hashes = {mail: hashlib.sha256(mail.body).hexdigest() for mail in self.mails}
        return {
            "lost": sum(not told for told in found.values()),
            "twice": sum(told.get("stored", 0) > 1 for told in found.values()),
            "unhandled": sum(not told.get("handled") for told in found.values()),
            "unanswered": sum(not keys.get(mail.message_id) for mail in self.mails),
            "reply_twice": sum(len(keys.get(mail.message_id, ())) > 1 for mail in self.mails),
            "phantom": len(state.keys() - {mail.message_id for mail in self.mails}),
            "corrupt": sum(t.get("sha256") != hashes[m] for m, t in found.items() if t),
        }


def letters(rng: random.Random, count: int) -> list[Sent]:
    """Return mails with bodies of random length."""
    lengths = [rng.randint(1, 2000) for _ in range(count)]
    return [Sent(n, bytes(rng.choices(b"abcdefghij", k=k))) for n, k in enumerate(lengths)]


async def crash(
    database: str,
    *,
    mails: int,
    kills: int,
    seed: int,
    workers: int = 1,
    one_at_a_time: bool = False,
) -> dict[str, int]:
    """Run the server on a database under kills; return the counts."""
    rng = random.Random(seed)
    replies = Replies(random.Random(seed))
    runner = await replies.serve()
    server = Server(database, replies.url, workers)
    try:
        return await Run(server, replies, rng, letters(rng, mails), kills, one_at_a_time)()
    finally:
        if server.process is not None and server.process.returncode is None:
            await server.kill()
        await runner.cleanup()
