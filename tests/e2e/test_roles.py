"""Processes with different roles on one database and one bucket, as if each were a host."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import smtplib
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from inboxkit import InboxKit, Settings
from inboxkit.clock import Clock
from inboxkit.store import limits
from inboxkit.store.limits import Rate
from inboxkit.store.store import Store
from inboxkit.store.tables import job, message, run
from tests import bucket as buckets
from tests.bucket import URL, Bucket
from tests.cli.processes import LIMIT_SECONDS, Process
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are told by signals")
ANSWER = """\
from inboxkit import Message, Router

router = Router()
print("handlers loaded", flush=True)


@router.on_message(to="desk@*")
async def answer(message: Message) -> None:
    await message.reply("We have it.")
    print("answered", message.subject, flush=True)
"""
NO_CAPS = ("auto_replies_per_inbox_hour=1000000",)
MAILS = int(os.environ.get("TESTS_OF_INBOXKIT_MAILS", "90"))  # of the test that kills


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with buckets.serving() as running:
        yield running


class Hosts:
    """Starts processes on the test's database and bucket; all end with the test."""

    def __init__(self, folder: Path, database: str, bucket: Bucket) -> None:
        self._folder = folder
        self._database = database
        (folder / "handlers").mkdir()
        (folder / "handlers" / "answer.py").write_text(ANSWER)
        options = "".join(f'{key} = "{value}"\n' for key, value in bucket.options.items())
        text = f'object_store = "{URL}"\n[options.object_store]\n{options}'
        (folder / "inboxkit.toml").write_text(text)
        self._running: list[Process] = []

    async def start(self, role: str, *settings: str, smtp: int = 0) -> Host:
        """Start a process and return it when it is ready."""
        pairs = (word for pair in settings for word in ("--set", pair))
        ports = ("--smtp", f"127.0.0.1:{smtp}", "--http", "127.0.0.1:0")
        command = ("--database", self._database, *pairs, "run", "--role", role, *ports)
        process = Process(self._folder, *command)
        self._running.append(process)
        return Host(process, await asyncio.to_thread(process.line, "ready "))

    async def stop(self) -> None:
        for process in self._running:
            await asyncio.to_thread(process.__exit__)


class Host:
    """A process that is ready."""

    def __init__(self, process: Process, ready: str) -> None:
        self.process = process
        self.ready = ready
        _, self.smtp, self.http = (part.rpartition("=")[2] for part in ready.split())

    @property
    def port(self) -> int:
        return int(self.smtp.rpartition(":")[2])

    async def says(self, wanted: str) -> str:
        return await asyncio.to_thread(self.process.line, wanted)

    async def end(self, number: signal.Signals) -> int:
        self.process.signal(number)
        return await asyncio.to_thread(self.process.wait)


@pytest.fixture
async def hosts(tmp_path: Path, database: str, bucket: Bucket) -> AsyncIterator[Hosts]:
    started = Hosts(tmp_path, database, bucket)
    yield started
    await started.stop()


@pytest.fixture
async def looker(database: str, bucket: Bucket) -> AsyncIterator[InboxKit]:
    """A kit that looks on and does nothing."""
    kit = InboxKit(settings=Settings.model_validate({"database": database, **bucket.settings}))
    kit.only_look()
    async with kit:
        await kit.inbox(DESK)
        yield kit


async def until(kit: InboxKit, count: int, *states: str) -> None:
    """Return when so many messages are in a state; a killed one's leases end after ten seconds."""
    wanted = select(func.count()).where(message.c.state.in_(states))
    async with asyncio.timeout(2 * LIMIT_SECONDS + MAILS / 10):
        while (
            await kit.runtime.store.read(lambda found: found.execute(wanted).scalar_one()) < count
        ):
            bell = kit.runtime.store.bell
            await bell.wait("event", bell.count("event"), timeout=0.1)


def hand_in(port: int, raw: bytes) -> bool:
    """Send a mail; return whether it was taken."""
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=LIMIT_SECONDS) as smtp:
            smtp.sendmail(ANN, [DESK], raw)
    except OSError:
        return False
    return True


@pytest.mark.long
@pytest.mark.sqlite
async def test_each_process_does_what_its_roles_say(hosts: Hosts, looker: InboxKit) -> None:
    edge = await hosts.start("smtp,http")
    assert (edge.smtp[:10], edge.http[:17]) == ("127.0.0.1:", "http://127.0.0.1:")
    files = {"noise.bin": random.Random(3).randbytes(200_000)}
    assert await asyncio.to_thread(hand_in, edge.port, mail("Hello", files=files))
    assert [m.state async for m in looker.search()] == ["stored"]
    worker = await hosts.start("worker")
    assert worker.ready == "ready smtp=- http=-"
    await worker.says("answered Question")
    await until(looker, 1, "queued", "sending", "accepted")
    assert [m.state async for m in looker.search("is:received")] == ["parsed"]
    assert await edge.end(signal.SIGTERM) == 0
    assert edge.process.said["out"] == [edge.ready]
    assert "handlers loaded" in worker.process.said["out"]


# limits


@pytest.mark.long
@pytest.mark.sqlite
async def test_a_rate_and_a_cap_hold_in_the_process_that_comes_after(
    hosts: Hosts, looker: InboxKit
) -> None:
    limited = ("auto_replies_per_inbox_hour=3", 'send_rates={"memory": "2/h"}')
    for turn in (1, 2):
        host = await hosts.start("worker", *limited)
        for number in range(2):
            raw = mail(f"{turn}.{number}", subject=f"{turn}.{number}")
            await looker.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=[DESK])
            await host.says(f"answered {turn}.{number}")
        await until_settled(looker)
        assert await host.end(signal.SIGTERM) == 0
    states = Counter([m.state async for m in looker.search("is:outbound")])
    assert states == {"accepted": 2, "queued": 1, "rejected": 1}


async def until_settled(kit: InboxKit) -> None:
    """Return when every job has been taken up, or waits for its turn."""
    todo = select(func.count()).select_from(job).where(job.c.error == "")
    async with asyncio.timeout(LIMIT_SECONDS):
        while await kit.runtime.store.read(lambda found: found.execute(todo).scalar()):  # noqa: ASYNC110 - a job's error rings no bell
            await asyncio.sleep(0.05)


async def test_two_processes_that_reserve_at_once_get_different_moments(database: str) -> None:
    one, two = Store(database, Clock()), Store(database, Clock())
    now, rates = datetime(2026, 1, 1, tzinfo=UTC), [Rate.parse("10/s")]
    for store in (one, two):
        await store.open()
    reserved = await asyncio.gather(
        *(s.write(limits.reserve, "ses", rates, 1, now) for _ in range(40) for s in (one, two))
    )
    for store in (one, two):
        await store.close()
    moments = sorted((moment - now).total_seconds() for (moment,) in reserved)
    assert moments == [pytest.approx(n / 10) for n in range(80)]


# kills


@pytest.mark.long
@pytest.mark.postgres
async def test_each_of_three_is_killed_and_every_mail_is_answered_once(
    hosts: Hosts, looker: InboxKit
) -> None:
    roles = ("smtp", "http,worker", "worker")
    running = await asyncio.gather(*(hosts.start(role, *NO_CAPS) for role in roles))
    port = running[0].port
    sending = asyncio.gather(*(send_until_taken(port, share) for share in shares(MAILS, 6)))
    for number, place in enumerate((2, 1, 0), start=1):
        await until(looker, MAILS * number // 8, "stored", "parsed")
        await running[place].end(signal.SIGKILL)
        smtp = port if place == 0 else 0
        running[place] = await hosts.start(roles[place], *NO_CAPS, smtp=smtp)
    await sending
    await until(looker, MAILS, "accepted")
    assert await looker.runtime.store.read(counted) == (MAILS, MAILS, MAILS)
    assert await looker.runtime.store.read(outbound) == {"accepted": MAILS}


def shares(count: int, senders: int) -> list[list[bytes]]:
    """Return so many mails, one in ten too large for a row, parted among senders."""
    noise = random.Random(5).randbytes(100_000)
    mails = [
        mail(f"{n}", subject=f"{n}", sender=f"user{n}@example.com", files={"a.bin": noise})
        if n % 10 == 0
        else mail(f"{n}", subject=f"{n}", sender=f"user{n}@example.com")
        for n in range(count)
    ]
    return [mails[n::senders] for n in range(senders)]


async def send_until_taken(port: int, mails: Sequence[bytes]) -> None:
    """Send each mail again and again until somebody takes it."""
    for raw in mails:
        while not await asyncio.to_thread(hand_in, port, raw):  # noqa: ASYNC110 - no bell either
            await asyncio.sleep(0.05)


def counted(connection: Connection) -> tuple[int, int, int]:
    """Return how many mails came, were handled, and different ones that were answered."""
    came = message.c.direction == "inbound"
    answered = func.count(func.distinct(message.c.in_reply_to))
    queries = (
        select(func.count()).where(came),
        select(func.count()).where(run.c.state == "done"),
        select(answered).where(~came),
    )
    one, two, three = (connection.execute(query).scalar_one() for query in queries)
    return one, two, three


def outbound(connection: Connection) -> dict[str, int]:
    """Return how many sends are in which state."""
    query = select(message.c.state, func.count()).where(message.c.direction == "outbound")
    return {row[0]: row[1] for row in connection.execute(query.group_by(message.c.state))}
