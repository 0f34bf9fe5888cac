"""Databases to test on: a new file of SQLite, or one of the session's PostgreSQL, emptied."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from inboxkit.testing.template import fresh_database

from . import postgres

if TYPE_CHECKING:
    from collections.abc import Generator

BACKENDS = ("sqlite", "postgres") if postgres.RUNS_HERE else ("sqlite",)
SERVER_FOLDER = "TESTS_OF_INBOXKIT_POSTGRES"  # tells the session's processes where its server is


@contextmanager
def empty(backend: str, folder: Path) -> Generator[str]:
    """Give the URL of an empty database with the current schema."""
    if backend == "sqlite":
        yield fresh_database(folder / "test.db")
        return
    server = postgres.shared_server(Path(os.environ[SERVER_FOLDER]))
    with server.clean_database() as url:
        yield url
