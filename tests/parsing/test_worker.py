"""The parser in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import struct
import sys
from dataclasses import asdict
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, cast

import anyio
import pytest

from inboxkit.parsing import Limits, parse, processes
from inboxkit.parsing.worker import ParserProcess, needs_process

from .corpus import sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

by_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
by_signals = pytest.mark.skipif(os.name == "nt", reason="processes are told by signals")


@pytest.fixture
async def process() -> AsyncIterator[ParserProcess]:
    parser = ParserProcess()
    yield parser
    await parser.close()


async def test_answer_is_that_of_parse(process: ParserProcess) -> None:
    raw = sample("file-names")

    async with asyncio.timeout(30):
        assert await process.parse(raw, mail_from="a@b.example") == parse(raw)


async def test_null_sender_and_limits_reach_the_process(process: ParserProcess) -> None:
    async with asyncio.timeout(30):
        bounce = await process.parse(sample("delivery-status"), mail_from="")
        limited = await process.parse(sample("alternative"), limits=Limits(lines=3))

    assert bounce.kind == "bounce"
    assert limited.defects == ("limit: lines",)


async def test_message_that_takes_too_long_is_limited_and_the_next_is_read(
    process: ParserProcess,
) -> None:
    long = b"Subject: long\r\n\r\n" + b"a b c\r\n" * 300_000

    async with asyncio.timeout(30):
        late = await process.parse(long, limits=Limits(seconds=0.001))
        next_one = await process.parse(sample("alternative"))

    assert (late.state, late.defects[0], late.subject) == ("limited", "limit: seconds", "long")
    assert late.size == len(long)
    assert next_one.subject == "The café order"


async def test_only_what_is_long_or_odd_is_read_by_the_process(process: ParserProcess) -> None:
    limits, plain = Limits(seconds=0), sample("alternative")

    async with asyncio.timeout(30):
        quick = await process.read(plain, limits)
        late = await process.read(b"Subject: long\r\n\r\n" + b"a b c\r\n" * 50_000, limits)

    assert quick == parse(plain)
    assert (late.state, late.defects) == ("limited", ("limit: seconds",))


async def test_messages_wait_for_their_turn(process: ParserProcess) -> None:
    async with asyncio.timeout(30):
        found = await asyncio.gather(*(process.parse(b"Subject: %d\r\n\r\n" % i) for i in range(9)))

    assert [message.subject for message in found] == [str(i) for i in range(9)]


async def test_cancelled_message_does_not_answer_for_the_next(process: ParserProcess) -> None:
    await process.parse(b"Subject: warm\r\n\r\n")

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.001):
            await process.parse(b"Subject: 1\r\n\r\n" + b"a\r\n" * 300_000)

    async with asyncio.timeout(30):
        assert (await process.parse(b"Subject: 2\r\n\r\n")).subject == "2"


def children() -> set[int]:
    """Return the parser's processes that this one has started."""
    lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    started = [pid for one in lists for pid in one.split()]
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in started}
    return {pid for pid, command in commands.items() if b"parsing.worker" in command}


@by_proc
async def test_a_message_is_read_though_its_process_was_ended_from_outside(
    process: ParserProcess,
) -> None:
    await process.parse(b"Subject: warm\r\n\r\n")
    [pid] = children()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        found = await process.parse(sample("alternative"))
    assert (found.state, found.subject) == ("parsed", "The café order")


@by_proc
async def test_a_stop_that_each_process_is_told_of_is_for_the_parent(
    process: ParserProcess,
) -> None:
    await process.parse(b"Subject: warm\r\n\r\n")
    before = children()
    for pid in before:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    async with asyncio.timeout(30):
        found = await process.parse(sample("alternative"))
    assert found.state == "parsed"
    assert children() == before != set()


async def test_a_message_that_ends_each_process_is_failed_and_the_next_is_read(
    process: ParserProcess,
) -> None:
    deadly = Limits(text_bytes=cast("int", "no number"))  # stands for what takes all memory
    async with asyncio.timeout(30):
        found = await process.parse(sample("alternative"), limits=deadly, lean=True)
        next_one = await process.parse(sample("alternative"))
    assert (found.state, found.defects[0]) == ("failed", "process: IncompleteReadError")
    assert found.subject == next_one.subject == "The café order"
    assert next_one.state == "parsed"


@by_signals
def test_who_reads_for_a_parent_that_was_killed_ends_without_a_word() -> None:
    raw = b"Subject: long\r\n\r\n" + b"a b c\r\n" * 50_000
    meta = json.dumps({"mail_from": None, "limits": asdict(Limits()), "lean": False}) + "\n"
    command = [sys.executable, "-m", "inboxkit.parsing.worker"]
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as worker:
        assert worker.stdin and worker.stdout and worker.stderr
        worker.stdout.close()
        worker.stdin.write(struct.pack("!I", len(meta) + len(raw)) + meta.encode() + raw)
        worker.stdin.flush()
        assert worker.wait(timeout=60) == 0
        assert worker.stderr.read() == b""


def test_only_long_or_odd_messages_need_it() -> None:
    assert not needs_process(sample("alternative"))
    assert needs_process(b"Subject: x\r\n\r\n" + b"x" * 300_000)


async def test_a_process_is_gone_also_where_everything_is_cancelled() -> None:
    process = await processes.start("worker")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await processes.end(process)
    assert process.returncode is not None
