"""Killed in the middle: what was accepted is read, handled and answered once, after a restart."""

from __future__ import annotations

import asyncio
import signal
import smtplib
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from inboxkit import InboxKit, Message, Router
from inboxkit.store import backlog, runs
from tests.cli.processes import Process, Serving
from tests.mails import DESK, mail

if TYPE_CHECKING:
    from pathlib import Path

ASKS = "asks@inbox.example"  # an inbox of ours, so that what is answered comes back

HANDLER = """
from pathlib import Path

import anyio

from inboxkit import Message, Router

router = Router()


@router.on_message(to="desk@*")
async def answer(message: Message) -> None:
    with Path("calls").open("a") as calls:
        calls.write(message.subject + "\\n")
    await message.reply("Here you are.")
    await (await message.thread()).update(answered=True)
    if not Path("released").exists():
        print("called", flush=True)
        await anyio.sleep_forever()
"""

ACCEPTS_ONLY = """
import asyncio

from inboxkit import InboxKit


async def main() -> None:
    kit = InboxKit(smtp="127.0.0.1:0")
    kit.only_look()
    async with kit:
        print("ready", kit.smtp_address[1], flush=True)
        await kit.serve()


asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path, database: str) -> Path:
    """A project with one handler and two inboxes."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "inboxkit.toml").write_text(f'database = "{database}"\n')
    (tmp_path / "handlers" / "desk.py").write_text(HANDLER)

    async def make() -> None:
        async with InboxKit(database=database) as kit:
            for address in (DESK, ASKS):
                await kit.inbox(address)

    asyncio.run(make())
    return tmp_path


def letters(count: int) -> list[bytes]:
    return [mail(sender=ASKS, subject=f"Question {n}") for n in range(count)]


def send(port: int, raws: list[bytes]) -> None:
    """Hand mails in; return when each has its 250."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        for raw in raws:
            client.sendmail(ASKS, [DESK], raw)


def answered(database: str, count: int) -> list[str]:
    """Wait until so many answers have come back and all is done; return their subjects."""

    async def look() -> list[str]:
        kit = InboxKit(database=database)
        kit.only_look()
        async with kit:
            store = kit.runtime.store
            inbox = await kit.inbox(ASKS, since=timedelta(hours=1))
            for _ in range(count):
                await inbox.wait_for_message(timeout=30)
            async with asyncio.timeout(30):
                while await store.read(backlog.count, ("read", "plan", "run", "send")):
                    seen = store.bell.count("event")
                    await store.bell.wait("event", seen, timeout=0.2)
            assert {run.state for run in await store.read(runs.listed)} == {"done"}
            return sorted([m.subject async for m in inbox.search("is:inbound")])

    return asyncio.run(look())


def calls(folder: Path) -> list[str]:
    return sorted((folder / "calls").read_text().splitlines())


@pytest.mark.long_on_postgres
def test_a_handler_killed_in_the_middle_answers_once(folder: Path, database: str) -> None:
    with Serving(folder, "run") as first:
        send(first.smtp_port, letters(1))
        first.line("called")
        first.signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
    (folder / "released").touch()
    with Serving(folder, "run"):
        assert answered(database, 1) == ["Re: Question 0"]
    assert calls(folder) == ["Question 0", "Question 0"]


@pytest.mark.long
def test_mail_accepted_but_not_read_is_handled_after_the_restart(
    folder: Path, database: str
) -> None:
    (folder / "released").touch()
    command = [sys.executable, "-c", ACCEPTS_ONLY]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        send(int(first.stdout.readline().split()[1]), letters(5))
        first.kill()
    with Serving(folder, "run"):
        assert answered(database, 5) == [f"Re: Question {n}" for n in range(5)]
    assert calls(folder) == [f"Question {n}" for n in range(5)]


@pytest.mark.long
def test_killed_right_after_the_250_loses_and_doubles_nothing(folder: Path, database: str) -> None:
    (folder / "released").touch()
    with Serving(folder, "run") as first:
        send(first.smtp_port, letters(8))
        first.signal(signal.SIGKILL)
        first.wait()
    with Serving(folder, "run"):
        assert answered(database, 8) == [f"Re: Question {n}" for n in range(8)]


@pytest.mark.long
def test_another_process_takes_over(folder: Path, database: str) -> None:
    with Serving(folder, "run") as first:
        send(first.smtp_port, letters(1))
        first.line("called")
        (folder / "released").touch()
        with Serving(folder, "run"):
            assert calls(folder) == ["Question 0"]  # it is leased to the first, which lives
            first.signal(signal.SIGKILL)
            assert answered(database, 1) == ["Re: Question 0"]
    assert calls(folder) == ["Question 0", "Question 0"]


async def test_leaving_the_kit_gives_back_what_a_handler_holds(folder: Path, database: str) -> None:
    router, calls = Router(), list[str]()
    called = anyio.Event()

    @router.on_message(to="desk@*")
    async def answer(message: Message) -> None:
        calls.append(message.subject)
        await message.reply("Here you are.")
        called.set()
        if len(calls) == 1:
            await anyio.sleep_forever()

    async with InboxKit(router, database=database) as kit:
        await kit.receive(letters(1)[0], mail_from=ASKS, rcpt_to=[DESK])
        with anyio.fail_after(30):
            await called.wait()
    async with InboxKit(router, database=database) as kit:
        inbox = await kit.inbox(ASKS, since=timedelta(hours=1))
        assert (await inbox.wait_for_message(timeout=30)).subject == "Re: Question 0"
    assert calls == ["Question 0", "Question 0"]


@pytest.mark.long
def test_what_the_command_line_takes_in_is_handled_by_the_server(
    folder: Path, database: str
) -> None:
    (folder / "released").touch()
    with Process(folder, "receive", "--to", DESK, "--mail-from", ASKS, stdin=letters(1)[0]) as ran:
        assert ran.wait() == 0
    with Serving(folder, "run"):
        assert answered(database, 1) == ["Re: Question 0"]
