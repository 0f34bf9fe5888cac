"""The schema's version: upgraded by itself on SQLite; a newer one serves when it was made to."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import OperationalError

from inboxkit.clock import Clock
from inboxkit.errors import ConfigurationError
from inboxkit.store import schema
from inboxkit.store.database import is_busy, open_database, parse_url
from inboxkit.store.store import Store
from inboxkit.store.tables import setting

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from inboxkit.store.database import Database


def test_ensure_twice_changes_nothing(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    schema.ensure(database)
    schema.ensure(database)
    with database.reader.connect() as connection:
        assert schema.current(connection) == schema.HEAD
    database.close()


@contextmanager
def held(file: Path) -> Generator[sqlite3.Connection]:
    """Let another connection be about to write."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_a_new_file_that_another_process_is_about_to_write_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    with held(tmp_path / "a.db") as other:

        def end_it(_seconds: float) -> None:
            other.execute("COMMIT")

        monkeypatch.setattr(time, "sleep", end_it)
        with opened.writer.connect() as connection:
            assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    opened.close()


def test_a_new_file_that_another_process_keeps_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inboxkit.store.database._BUSY_MS", 20)
    opened = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    with held(tmp_path / "a.db"), pytest.raises(OperationalError, match="locked"):
        opened.writer.connect()
    opened.close()


class Ending(logging.Handler):
    """Ends what holds a file when somebody says that it is waited for."""

    def __init__(self, holder: sqlite3.Connection) -> None:
        super().__init__()
        self._holder = holder

    def emit(self, record: logging.LogRecord) -> None:
        """Let the file go."""
        if "waiting" in record.getMessage():
            self._holder.execute("COMMIT")


def test_an_upgrade_by_another_process_is_waited_for_longer_than_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inboxkit.store.database._BUSY_MS", 20)
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    database.writer.connect().close()
    log = logging.getLogger("inboxkit.store")
    with held(tmp_path / "a.db") as other:
        ending = Ending(other)
        log.addHandler(ending)
        schema.ensure(database)
        log.removeHandler(ending)
    with database.reader.connect() as connection:
        assert schema.current(connection) == schema.HEAD
    database.close()


def test_a_file_that_stays_locked_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inboxkit.store.database._BUSY_MS", 20)
    monkeypatch.setattr("inboxkit.store.schema._UPGRADE_SECONDS", 0.1)
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    database.writer.connect().close()
    with held(tmp_path / "a.db"), pytest.raises(OperationalError, match="locked"):
        schema.ensure(database)
    database.close()


@pytest.mark.parametrize(
    ("code", "busy"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_RECOVERY, True),
        (sqlite3.SQLITE_IOERR, False),
        (None, False),
    ],
)
def test_a_file_that_another_recovers_is_waited_for_too(code: int | None, busy: bool) -> None:
    error = sqlite3.OperationalError("database is locked")
    if code is not None:
        error.sqlite_errorcode = code
    assert is_busy(error) is busy


def of_a_newer_release(database: Database, *, compatible: str | None) -> None:
    """Make the schema what a later release would leave, with its note of who can go on."""
    with database.writer.begin() as connection:
        connection.execute(text("UPDATE inboxkit_version SET version_num = '9999'"))
        connection.execute(delete(setting).where(setting.c.key == "schema_compatible"))
        if compatible is not None:
            row = {"key": "schema_compatible", "value": compatible}
            connection.execute(insert(setting), [row])


@pytest.mark.parametrize("oldest", ["0001", schema.HEAD], ids=["an older one", "this one"])
async def test_a_program_goes_on_with_a_newer_schema_that_was_made_for_it(
    store: Store, database: str, caplog: pytest.LogCaptureFixture, oldest: str
) -> None:
    of_a_newer_release(store.database, compatible=oldest)
    other = Store(database, Clock())
    await other.open()
    assert "schema 9999 is newer" in caplog.text
    assert await other.read(schema.current) == "9999"
    assert schema.upgrade(other.database) == "9999"
    await other.close()


@pytest.mark.parametrize("oldest", [None, "9999"], ids=["nothing is noted", "a newer one"])
async def test_a_newer_schema_that_was_not_made_for_a_program_stops_its_start(
    store: Store, database: str, oldest: str | None
) -> None:
    of_a_newer_release(store.database, compatible=oldest)
    other = Store(database, Clock())
    with pytest.raises(ConfigurationError, match=r"9999 is newer .* upgrade inboxkit"):
        await other.open()
    other.database.close()


async def test_an_upgrade_notes_who_can_go_on(store: Store) -> None:
    of_a_newer_release(store.database, compatible=None)
    with store.database.writer.begin() as connection:
        connection.execute(text(f"UPDATE inboxkit_version SET version_num = '{schema.HEAD}'"))
    schema.upgrade(store.database)
    noted = select(setting.c.value).where(setting.c.key == "schema_compatible")
    assert await store.read(lambda c: c.execute(noted).scalar()) == schema.COMPATIBLE


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "is not a URL"),
        ("mysql://host/name", "mysql is not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
    ids=str,
)
def test_urls_that_cannot_work_say_why(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse_url(url)


def test_postgres_gets_our_driver() -> None:
    for url in ("postgresql://host/name", "postgres://host/name"):
        assert parse_url(url).drivername == "postgresql+psycopg"
