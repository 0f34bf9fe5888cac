"""The parser in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import anyio
import pytest

from inboxkit.parsing import Limits, parse, processes
from inboxkit.parsing.worker import ParserProcess, needs_process

from .corpus import sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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


def test_only_long_or_odd_messages_need_it() -> None:
    assert not needs_process(sample("alternative"))
    assert needs_process(b"Subject: x\r\n\r\n" + b"x" * 300_000)


async def test_a_process_is_gone_also_where_everything_is_cancelled() -> None:
    process = await processes.start("worker")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await processes.end(process)
    assert process.returncode is not None
