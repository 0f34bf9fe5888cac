"""How ``run`` and ``dev`` end: while they start, and when a handler does not."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from .mails import mail, write_handler
from .processes import Process, Serving

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
OPENING = """\
from contextlib import asynccontextmanager

import anyio
from inboxkit import Message, Router


@asynccontextmanager
async def database():
    print("opening", flush=True)
    try:
        await anyio.sleep_forever()
        yield 1
    finally:
        print("closed", flush=True)


router = Router(resource=database)


@router.on_message(to="echo@*")
async def echo(message: Message, opened: int) -> None: ...
"""
IMPORTING = """\
import threading

print("opening", flush=True)
threading.Event().wait()
"""
NAMES = ("anyio", "asyncio", "deaf")
LONG = pytest.mark.long


@pytest.mark.long
@pytest.mark.parametrize("names", [NAMES[:2], NAMES[2:]], ids=["thread", "deaf"])
@pytest.mark.parametrize("command", ["dev", "run"])
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


PORTS = ("--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0")
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize(
    "number", [pytest.param(SIGNALS[0], marks=LONG), SIGNALS[1]], ids=["2", "15"]
)
@pytest.mark.parametrize("command", [pytest.param("dev", marks=LONG), "run"])
def test_a_signal_ends_a_start_that_is_not_done(
    inboxkit: Command, command: str, number: signal.Signals
) -> None:
    write_handler(inboxkit.folder, OPENING)
    with Process(inboxkit.folder, command, *PORTS) as process:
        process.line("opening")
        process.signal(number)
        assert process.wait() == 0
    assert process.said["out"] == ["opening", "closed"]


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(SIGNALS[0], 130), (SIGNALS[1], -signal.SIGTERM)])
@pytest.mark.parametrize("command", ["dev", "run"])
def test_a_signal_ends_an_import_that_is_not_done(
    inboxkit: Command, command: str, number: signal.Signals, code: int
) -> None:
    write_handler(inboxkit.folder, IMPORTING)
    with Process(inboxkit.folder, command, *PORTS) as process:
        process.line("opening")
        process.signal(number)
        assert process.wait() == code
    assert process.said["out"] == ["opening"]


POLLING = """\
import threading
from inboxkit import Router

router = Router()
threading.Thread(target=threading.Event().wait, name="poller").start()
"""


@pytest.mark.long
@pytest.mark.parametrize("command", ["dev", "run"])
def test_a_thread_that_an_import_began_holds_up_no_stop(inboxkit: Command, command: str) -> None:
    write_handler(inboxkit.folder, POLLING)
    with Serving(inboxkit.folder, command) as server:
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert "ended although this did not: poller" in server.said["err"][-1]


@pytest.mark.long
def test_a_thread_that_an_import_began_holds_up_no_start_that_fails(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, f"{POLLING}raise RuntimeError('broken')\n")
    with Process(inboxkit.folder, "run", *PORTS) as process:
        assert process.wait() == 2
    assert "broken" in "\n".join(process.said["err"])
