"""Killed again and again while mail comes in by SMTP and by webhook: all of it is answered once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import crash

if TYPE_CHECKING:
    from pathlib import Path


async def test_nothing_acknowledged_is_lost_and_nothing_is_answered_twice(tmp_path: Path) -> None:
    counts = await crash(tmp_path, mails=40, kills=2, seed=1)
    assert counts == dict.fromkeys(counts, 0)
