"""Fixtures that many tests share: an open store, or a running kit, on a temporary SQLite file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from inboxkit import InboxKit
from inboxkit.clock import Clock
from inboxkit.store.store import Store
from inboxkit.testing.template import fresh_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _untouched_log() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction] - used by pytest
    """Give our logger back as it was: commands send it to standard error."""
    logger = logging.getLogger("inboxkit")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def database(tmp_path: Path) -> str:
    return fresh_database(tmp_path / "test.db")


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = Store(database, Clock())
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def kit(database: str) -> AsyncIterator[InboxKit]:
    """A kit in the test's own loop, without handlers, that takes mail for known inboxes only."""
    async with InboxKit(database=database) as running:
        yield running
