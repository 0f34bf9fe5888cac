"""The schema's version: upgraded by itself on SQLite, refused when it is newer than the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from inboxkit.errors import ConfigurationError
from inboxkit.store import schema
from inboxkit.store.database import open_database, parse_url

if TYPE_CHECKING:
    from pathlib import Path


def test_ensure_twice_changes_nothing(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    schema.ensure(database)
    schema.ensure(database)
    with database.reader.connect() as connection:
        assert schema.current(connection) == schema.HEAD
    database.close()


def test_a_newer_schema_stops_the_start(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    schema.ensure(database)
    with database.writer.begin() as connection:
        connection.execute(text("UPDATE inboxkit_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="9999 is newer"):
        schema.ensure(database)
    database.close()


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
    assert parse_url("postgresql://host/name").drivername == "postgresql+psycopg"
