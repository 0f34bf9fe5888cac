"""A SQLite file that refuses: locked by another connection, or for one kind of change."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from inboxkit.store.store import Store

PARSED = "UPDATE OF state ON inboxkit_message WHEN NEW.state = 'parsed'"


async def impatient(store: Store) -> None:
    """Let the writer wait for a lock for 50 ms, not for five seconds."""
    await store.write(lambda tx: tx.connection.exec_driver_sql("PRAGMA busy_timeout=50"))


@contextmanager
def locked(file: Path) -> Generator[None]:
    """Hold the write lock, as another process would."""
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@contextmanager
def refusing(file: Path, change: str, reason: str) -> Generator[None]:
    """Let one kind of change fail with this reason."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(
        f"CREATE TRIGGER refuses BEFORE {change} BEGIN SELECT RAISE(ABORT, '{reason}'); END"
    )
    try:
        yield
    finally:
        connection.execute("DROP TRIGGER refuses")
        connection.close()
