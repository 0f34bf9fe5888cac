"""What a process looks at between its own writes: whether others changed the SQLite file."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .database import Database


class Watch:
    """Tells whether another connection has changed the SQLite file since the last look."""

    def __init__(self, database: Database) -> None:
        self._connection = database.reader.raw_connection()
        self._version = -1

    def changed(self) -> bool:
        """Return True also when it cannot be told."""
        found = self._ask("data_version")
        before, self._version = self._version, found[0] if found else -1
        return not found or self._version != before

    def checkpoint(self) -> None:
        """Copy what is in the WAL into the file; writers go on meanwhile."""
        self._ask("wal_checkpoint(PASSIVE)")

    def _ask(self, pragma: str) -> Sequence[Any] | None:
        """Return SQLite's answer; None when it refuses: ``/readyz`` says when that lasts."""
        cursor = self._connection.cursor()
        try:
            return cast("Sequence[Any]", cursor.execute(f"PRAGMA {pragma}").fetchone())
        except sqlite3.Error:
            return None
        finally:
            cursor.close()

    def close(self) -> None:
        self._connection.close()
