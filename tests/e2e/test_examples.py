"""The examples run as they stand; those of FastAPI and Django are in ``test_web_apps.py``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlmodel import Session, create_engine, select

from examples import agent_otp, follow_up, reply_bot, tickets
from inboxkit import EventType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inboxkit.testing import Sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stored(shop: str) -> tuple[Sequence[tickets.Ticket], list[tuple[str, list[bytes]]]]:
    """Return the tickets, and the text and file contents of the comments."""
    engine = create_engine(shop)
    with Session(engine) as session:
        found = session.exec(select(tickets.Ticket)).all()
        comments = session.exec(select(tickets.Comment)).all()
    engine.dispose()
    files = ([Path(f).read_bytes() for f in c.files.splitlines()] for c in comments)
    return found, list(zip((c.text for c in comments), files, strict=True))


@pytest.fixture
def smtp() -> Iterator[str]:
    """An address to listen on, held so that nobody else is given its port."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        if os.name == "nt":  # where a port has one holder
            held.close()
        yield address


async def test_reply_bot_greets_who_asks_nothing(sandbox: Sandbox) -> None:
    sandbox.include(reply_bot.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("hello@inbox.example", "Hi", "How are you?")
    assert "you wrote: How are you?" in (await ann.next_message()).text


async def test_tickets_stores_comments_and_files(sandbox: Sandbox, folder: Path) -> None:
    shop = f"sqlite:///{folder}/shop.db"
    sandbox.include(tickets.router, resource=partial(tickets.open_database, shop))
    ann = sandbox.person("ann@example.com")
    await ann.send("support@inbox.example", "Lamp", "It flickers.", attach={"a.txt": b"photo"})
    await ann.reply(await ann.next_message(), "It went dark.")
    await sandbox.settle()

    found, comments = stored(shop)
    assert [ticket.sender for ticket in found] == ["ann@example.com"]
    assert comments == [("It flickers.", [b"photo"]), ("It went dark.", [])]
    assert len(sandbox.outbox) == 1


async def test_tickets_notes_a_bounced_acknowledgement(sandbox: Sandbox, folder: Path) -> None:
    shop = f"sqlite:///{folder}/shop.db"
    sandbox.include(tickets.router, resource=partial(tickets.open_database, shop))
    ann = sandbox.person("ann@example.com")
    await ann.send("support@inbox.example", "Lamp", "It flickers.")
    await sandbox.settle()
    await sandbox.emit(EventType.BOUNCED, sandbox.outbox[0])
    await sandbox.settle()
    assert [ticket.reachable for ticket in stored(shop)[0]] == [False]


async def test_follow_up_reminds_twice_and_takes_an_answer(sandbox: Sandbox) -> None:
    sandbox.include(follow_up.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("offers@inbox.example", "Price?")
    await sandbox.settle()
    for _ in range(4):
        await sandbox.advance(timedelta(days=3, minutes=1))
    question, first, last = [await ann.next_message() for _ in range(3)]
    assert ["still" in m.text for m in (question, first, last)] == [False, True, True]

    await ann.reply(last, "Medium")
    assert (await ann.next_message()).text.startswith("Thanks, Medium it is.")
    assert len(sandbox.outbox) == 4


@pytest.mark.usefixtures("folder")
async def test_agent_reads_its_code(
    database: str, smtp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOXKIT_DATABASE", database)
    assert await agent_otp.main(smtp)


def test_agent_runs_as_a_script_without_a_main_guard(folder: Path, smtp: str) -> None:
    script = folder / "script.py"
    script.write_text(
        f"import asyncio\nfrom examples.agent_otp import main\nprint(asyncio.run(main('{smtp}')))\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, str(script)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
