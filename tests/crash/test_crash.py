"""Killed again and again while mail comes in by SMTP and by webhook: all of it is answered once."""

from __future__ import annotations

from .harness import crash


async def test_nothing_acknowledged_is_lost_and_nothing_is_answered_twice(database: str) -> None:
    counts = await crash(database, mails=40, kills=2, seed=1)
    assert counts == dict.fromkeys(counts, 0)
