"""Killed again and again while mail comes in by SMTP and by webhook: all of it is answered once."""

from __future__ import annotations

import os

import pytest

from .harness import crash

has_workers = pytest.mark.skipif(os.name == "nt", reason="one process only on Windows")


async def test_nothing_acknowledged_is_lost_and_nothing_is_answered_twice(database: str) -> None:
    counts = await crash(database, mails=40, kills=2, seed=1)
    assert counts == dict.fromkeys(counts, 0)


@has_workers
@pytest.mark.long
@pytest.mark.timeout(300)  # two workers listen after seconds, four times
@pytest.mark.parametrize("one_at_a_time", [False, True], ids=["all-die", "one-dies"])
async def test_two_workers_lose_nothing_and_answer_nothing_twice(
    database: str, *, one_at_a_time: bool
) -> None:
    counts = await crash(
        database, mails=100, kills=2, seed=2, workers=2, one_at_a_time=one_at_a_time
    )
    assert counts == dict.fromkeys(counts, 0)
