"""Fixtures that many tests share: an open store on a temporary SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inboxkit.clock import Clock
from inboxkit.store.store import Store


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = Store(database, Clock())
    await opened.open()
    yield opened
    await opened.close()
