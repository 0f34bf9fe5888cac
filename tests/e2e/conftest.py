"""The sandbox on each database; elsewhere it has a file of SQLite to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit.testing.runner import Runner
from inboxkit.testing.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox(database: str) -> Iterator[Sandbox]:
    """The real runtime in a thread of its own, on the test's database."""
    runner = Runner(any_recipient=True, database=database)
    runner.start()
    try:
        yield Sandbox(runner)
    finally:
        runner.stop()
