"""Bodies of requests share a bounded amount of memory; small ones never wait."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from aiohttp import web

from inboxkit.http.intake import BodyRefused, Intake

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator, AsyncIterator


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


async def length(intake: Intake, *sizes: int) -> int:
    async with intake.body(pieces(*sizes)) as body:
        return len(body)


async def test_a_body_is_what_was_sent() -> None:
    assert await length(Intake(most=100, held=100, free=10), 40, 0, 60) == 100


async def test_a_body_that_is_too_long_is_refused_and_leaves_its_room() -> None:
    intake = Intake(most=100, held=100, free=0, patience=0)
    for _ in range(3):
        with pytest.raises(BodyRefused) as refused:
            await length(intake, 60, 60)
        assert refused.value.status == 413
    assert await length(intake, 100) == 100


async def test_without_room_a_large_body_is_refused_and_a_small_one_taken() -> None:
    intake = Intake(most=100, held=100, free=10, patience=0.01)
    async with intake.body(pieces(100)):
        with pytest.raises(BodyRefused) as refused:
            await length(intake, 50)
        assert refused.value.status == 503
        assert await length(intake, 5, 5) == 10
    assert await length(intake, 100) == 100


async def test_a_body_waits_for_room() -> None:
    intake, done = Intake(most=100, held=100, free=0, patience=10), anyio.Event()

    async def second() -> None:
        assert await length(intake, 60) == 60
        done.set()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            async with intake.body(pieces(60)):
                tasks.start_soon(second)
                await anyio.wait_all_tasks_blocked()
                assert not done.is_set()
            await done.wait()


@asynccontextmanager
async def posting(intake: Intake) -> AsyncGenerator[tuple[StreamReader, StreamWriter]]:
    """Begin to post a body of seven bytes to a server that answers with what it read."""

    async def answer(request: web.Request) -> web.Response:
        try:
            async with intake.of(request) as body:
                return web.Response(body=body)
        except BodyRefused as refused:
            return web.Response(status=refused.status)

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, lingering_time=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n")
    try:
        async with asyncio.timeout(30):
            yield reader, writer
    finally:
        writer.transport.abort()
        await runner.cleanup()


@pytest.mark.parametrize(("seconds", "silent"), [(60, 0.01), (0.01, 60)])
async def test_a_body_that_does_not_arrive_is_given_up(seconds: float, silent: float) -> None:
    intake = Intake(held=100, free=0, seconds=seconds, silent=silent)
    async with posting(intake) as (reader, writer):
        writer.write(b"one ")
        assert b" 408 " in await reader.readline()
    assert await length(intake, 100) == 100


async def test_a_body_may_come_in_pieces() -> None:
    async with posting(Intake()) as (reader, writer):
        for piece in (b"one ", b"two"):
            writer.write(piece)
            await writer.drain()
        assert b"one two" in await reader.readuntil(b"one two")
