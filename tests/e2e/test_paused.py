"""A process that is stopped for longer than the others wait for it, and goes on later."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from inboxkit import InboxKit
from inboxkit.store import runs
from inboxkit.testing.settling import settle
from tests.cli.processes import Serving
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.name == "nt", reason="processes are stopped by signals"),
]

HANDLER = """
from pathlib import Path

import anyio

from inboxkit import Message, Router

router = Router()


@router.on_message(to="desk@*")
async def answer(message: Message) -> None:
    await message.reply("Here you are.")
    print("called", flush=True)
    while not Path("released").exists():
        await anyio.sleep(0.05)
"""


@pytest.fixture
def folder(tmp_path: Path, database: str) -> Path:
    """A project with one handler and its inbox."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "desk.py").write_text(HANDLER)
    (tmp_path / "inboxkit.toml").write_text(f'database = "{database}"\n')

    async def make() -> None:
        async with InboxKit(database=database) as kit:
            await kit.inbox(DESK)

    asyncio.run(make())
    return tmp_path


def found(database: str) -> tuple[list[str], list[tuple[str, int]]]:
    """Wait until all is done; return the subjects of what was sent, and the Runs' outcomes."""

    async def look() -> tuple[list[str], list[tuple[str, int]]]:
        kit = InboxKit(database=database)
        kit.only_look()
        async with kit:
            await settle(kit, timeout=30)
            sent = [message.subject async for message in kit.search("is:outbound")]
            listed = await kit.runtime.store.read(runs.listed)
            return sent, [(run.state, run.attempts) for run in listed]

    return asyncio.run(look())


def test_what_it_held_is_taken_over_and_what_it_does_later_changes_nothing(
    folder: Path, database: str
) -> None:
    with Serving(folder, "run") as holder:
        holder.send(mail(), to=DESK)
        holder.line("called")
        holder.signal(signal.SIGSTOP)
        with Serving(folder, "run") as other:
            other.line("called")
            (folder / "released").touch()
            assert found(database) == (["Re: Question"], [("done", 2)])
            holder.signal(signal.SIGCONT)
            holder.line("the lease was taken over; nothing of it was kept", "err")
            holder.send(mail(sender=ANN, subject="Another"), to=DESK)
            assert found(database) == (["Re: Another", "Re: Question"], [("done", 1), ("done", 2)])
