"""Bodies of requests share a bounded amount of memory; small ones never wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from inboxkit.http.intake import BodyRefused, Intake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
