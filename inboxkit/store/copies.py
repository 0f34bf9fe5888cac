"""A copy of an SQLite database to try something out on; its work to do stays behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from .tables import job, message

if TYPE_CHECKING:
    from pathlib import Path


def copy(source: Path, target: Path) -> None:
    """Copy a database file that may be in use; nothing in the copy is waiting to be done."""
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target, isolation_level=None)) as new,
    ):
        old.backup(new)
        if new.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (job.name,)).fetchone():
            new.execute(f"DELETE FROM {job.name}")
            # Mail that is not read yet never will be here: the same mail must count as new.
            unread = "state = 'stored' AND dedupe IS NOT NULL"
            new.execute(f"UPDATE {message.name} SET dedupe = NULL WHERE {unread}")
