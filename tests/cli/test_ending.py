"""How ``run`` and ``dev`` end when a handler does not."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from .mails import mail, write_handler
from .processes import Serving

if TYPE_CHECKING:
    from .conftest import Command

STUCK = """\
import asyncio
import threading

import anyio
from inboxkit import Message, Router

router = Router()


def block() -> None:
    print("begun", flush=True)
    threading.Event().wait()


@router.on_message(to="anyio@*")
async def in_a_thread_of_anyio(message: Message) -> None:
    await anyio.to_thread.run_sync(block)
    await message.reply("never")


@router.on_message(to="asyncio@*")
async def in_a_thread_of_asyncio(message: Message) -> None:
    await asyncio.to_thread(block)
    await message.reply("never")


@router.on_message(to="deaf@*")
async def deaf(message: Message) -> None:
    print("begun", flush=True)
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass
"""
NAMES = ("anyio", "asyncio", "deaf")


@pytest.mark.parametrize("names", [NAMES[:2], NAMES[2:]], ids=["thread", "deaf"])
@pytest.mark.parametrize("command", ["dev", pytest.param("run", marks=pytest.mark.long)])
def test_calls_that_do_not_end_hold_up_no_stop(
    inboxkit: Command, command: str, names: tuple[str, ...]
) -> None:
    write_handler(inboxkit.folder, STUCK)
    for name in names:
        inboxkit("inbox", "create", f"{name}@inbox.example")
    with Serving(inboxkit.folder, command) as server:
        for name in names:
            server.send(mail(), to=f"{name}@inbox.example")
            server.line("begun")
        server.signal(signal.SIGTERM)
        assert server.wait(60) == 0
    told = "\n".join(server.said["err"])
    assert f"{inboxkit.rows('runs')[-1]['id']} of handlers.echo." in told
    assert ("call does not end" in told, "Traceback" in told) == (True, False)
    assert [row["state"] for row in inboxkit.rows("runs")] == ["pending"] * len(names)
    assert not inboxkit.rows("messages", "-q", "is:sent")
