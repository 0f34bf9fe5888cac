"""A new database in no time: migrated once in a process, copied for each test."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import text

from ..store import schema
from ..store.database import open_database


def fresh_database(file: Path) -> str:
    """Write an empty database with the current schema; return its URL."""
    file.write_bytes(_template())
    return f"sqlite:///{file}"


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory(prefix="inboxkit-") as folder:
        file = Path(folder) / "template.db"
        database = open_database(f"sqlite:///{file}")
        schema.ensure(database)
        with database.reader.connect() as connection:  # what is in the WAL goes into the file
            connection.execute(text("ROLLBACK"))
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return file.read_bytes()
