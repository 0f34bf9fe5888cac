"""A database seen from outside: it is neither made nor upgraded, and nothing in it is changed."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Engine,
    NullPool,
    create_engine,
    false,
    func,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from ..errors import StoreError
from ..settings import without_secrets
from .backlog import is_first
from .columns import Moment
from .database import open_database, sqlite_file
from .refusals import words
from .tables import delivery, event, job, message, run, worker

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from datetime import datetime
    from pathlib import Path

_BUSY_SECONDS = 2.0  # ours hold it for milliseconds


@contextmanager
def seen(url: str) -> Generator[Connection]:
    """Give a connection to a database that is there; raise StoreError with what it says."""
    file = sqlite_file(url)
    database = open_database(url) if file is None else None
    engine = database.reader if database is not None else _of_file(file)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StoreError(f"database {without_secrets(url)}: {words(error)}") from error
    finally:
        engine.dispose()
        if database is not None:
            database.close()


def _of_file(file: Path | None) -> Engine:
    """Return an engine for a file that must be there.

    Not ``mode=ro``: such a connection leaves the log and the shared memory behind when it closes.
    """
    assert file is not None
    name = f"{file.absolute().as_uri()}?mode=rw"

    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(name, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)
        made.isolation_level = None  # every statement by itself
        return made

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def write_refusal(connection: Connection) -> str:
    """Return why nothing can be written, "" when it can; nothing is."""
    if connection.dialect.name == "sqlite":
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:  # it also begins on a file that cannot be written
                connection.execute(update(message).where(false()).values(id=message.c.id))
            finally:
                connection.exec_driver_sql("ROLLBACK")
        except SQLAlchemyError as error:
            return words(error)
        return ""
    if connection.execute(text("SHOW transaction_read_only")).scalar() == "on":
        return "the server is a standby, or the role may only read"
    right = text("SELECT has_table_privilege('inboxkit_message', 'INSERT, UPDATE, DELETE')")
    return "" if connection.execute(right).scalar() else "the role may not change our tables"


def durability(connection: Connection) -> dict[str, str]:
    """Return what the database says of how it keeps what is committed, by name of its setting."""
    if connection.dialect.name == "sqlite":
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        return {"journal_mode": str(mode)}
    names = ("fsync", "synchronous_commit", "full_page_writes")
    return {n: str(connection.exec_driver_sql(f"SHOW {n}").scalar()) for n in names}


def limits(connection: Connection) -> dict[str, timedelta]:
    """Return after how long the database ends a statement, a transaction or a wait for a lock.

    By the name of its setting; what has no limit is left out.
    """
    if connection.dialect.name == "sqlite":
        return {}
    from . import postgres  # needs the driver, which an extra brings

    query = text("SELECT name, setting::int FROM pg_settings WHERE name = ANY(:names)")
    rows = connection.execute(query, {"names": list(postgres.LIMITS)})
    return {name: timedelta(milliseconds=number) for name, number in rows if number}


def servers_time(connection: Connection) -> datetime | None:
    """Return the time of the database's own clock; None for SQLite, which has none."""
    if connection.dialect.name == "sqlite":
        return None
    found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def is_restored(connection: Connection) -> bool:
    """Whether the event log waits for the transactions of another server, which never come."""
    if connection.dialect.name == "sqlite":
        return False
    from . import postgres  # needs the driver, which an extra brings

    return postgres.is_restored(connection)


def last_at(connection: Connection) -> datetime | None:
    """Return the moment of the last event."""
    return connection.execute(select(event.c.at).order_by(event.c.seq.desc()).limit(1)).scalar()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs of a kind that have been due for long: how many, and since when the first of them."""

    kind: str
    count: int
    since: datetime


def overdue(connection: Connection, before: datetime) -> Sequence[Waiting]:
    """Return what was due before a moment and is held up by nothing, by kind."""
    since = func.min(job.c.due_at, type_=Moment)
    query = (
        select(job.c.kind, func.count(), since)
        .where(job.c.state == "ready", job.c.due_at < before, is_first())
        .group_by(job.c.kind)
        .order_by(job.c.kind)
    )
    return [Waiting(*row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Work:
    """Who is at work, and what is held up or has failed."""

    living: int
    stale: int  # jobs that are leased by a process that is gone
    failed: int  # Runs
    unknown: int  # sends


def work(connection: Connection, alive_since: datetime) -> Work:
    """Return how it goes; a process lives that has beaten since."""

    def count(table: Any, *conditions: Any, of: Any = None) -> int:
        query = select(func.count(of)).select_from(table).where(*conditions)
        return connection.execute(query).scalar_one()

    alive = worker.c.beat_at > alive_since
    held = job.c.worker_id.is_not(None), job.c.worker_id.not_in(select(worker.c.id).where(alive))
    unknown = delivery.c.state == "unknown"
    return Work(
        count(worker, alive),
        count(job, *held),
        count(run, run.c.state == "failed"),
        count(delivery, unknown, of=delivery.c.message_id.distinct()),
    )
