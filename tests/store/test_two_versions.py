"""What a program of the oldest version that may go on knows is as it was, on both databases."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text

from inboxkit.store import schema
from inboxkit.store.database import open_database
from inboxkit.store.postgres import make_room

from .. import postgres
from ..databases import BACKENDS, SERVER_FOLDER

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from sqlalchemy.engine.interfaces import ReflectedIndex, ReflectedUniqueConstraint


class Column(NamedTuple):
    """How a column takes what a program writes."""

    type: str
    nullable: bool
    has_default: bool


class Tables(NamedTuple):
    """The columns by table and name, and the keys that no two rows of a table share."""

    columns: Mapping[tuple[str, str], Column]
    keys: frozenset[tuple[str, ...]]


def found(connection: Connection) -> Tables:
    looker = inspect(connection)
    columns: dict[tuple[str, str], Column] = {}
    keys: set[tuple[str, ...]] = set()
    for table in looker.get_table_names():
        for c in looker.get_columns(table):
            kind = Column(str(c["type"]), bool(c["nullable"]), c["default"] is not None)
            columns[table, str(c["name"])] = kind
        keys.add((table, *looker.get_pk_constraint(table)["constrained_columns"]))
        keys |= {(table, *_names(one)) for one in looker.get_indexes(table) if one["unique"]}
        keys |= {(table, *_names(one)) for one in looker.get_unique_constraints(table)}
    return Tables(columns, frozenset(keys))


def _names(key: ReflectedIndex | ReflectedUniqueConstraint) -> list[str]:
    return [str(name) for name in key["column_names"]]


def broken(before: Tables, after: Tables) -> set[tuple[str, ...]]:
    """Return what a program that knows ``before`` stumbles over."""
    tables = {table for table, _ in before.columns}
    changed = {key for key, kind in before.columns.items() if _harms(kind, after.columns.get(key))}
    required = {
        key
        for key, kind in after.columns.items()
        if key not in before.columns and not (kind.nullable or kind.has_default)
    }
    keys = before.keys ^ after.keys  # it relies on the old ones, and a new one may refuse its rows
    return changed | {key for key in (*required, *keys) if key[0] in tables}


def _harms(before: Column, after: Column | None) -> bool:
    if after is None or (before.type, before.nullable) != (after.type, after.nullable):
        return True
    return before.has_default and not after.has_default


_NOTHING = frozenset[tuple[str, ...]]()


@contextmanager
def begun(url: str) -> Generator[Connection]:
    """Give a transaction in which the schema may be made."""
    database = open_database(url)
    with database.writer.begin() as connection:
        if database.file is None:
            make_room(connection)
        yield connection
    database.close()


@pytest.fixture(params=BACKENDS)
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    """A database with the schema of the oldest version that may go on."""
    if request.param == "sqlite":
        with begun(f"sqlite:///{tmp_path / 'a.db'}") as opened:
            command.upgrade(schema.config(opened), schema.COMPATIBLE)
            yield opened
        return
    server = postgres.shared_server(Path(os.environ[SERVER_FOLDER]))
    with server.empty_database() as url, begun(url) as opened:
        command.upgrade(schema.config(opened), schema.COMPATIBLE)
        yield opened


def test_programs_of_the_compatible_version_find_all_they_know(connection: Connection) -> None:
    before = found(connection)
    command.upgrade(schema.config(connection), "head")
    assert broken(before, found(connection)) == set()


@pytest.mark.long
@pytest.mark.parametrize(
    ("statement", "harmed"),
    [
        ("ALTER TABLE inboxkit_setting DROP COLUMN value", {("inboxkit_setting", "value")}),
        ("CREATE TABLE fresh (a INTEGER NOT NULL)", _NOTHING),
        ("ALTER TABLE inboxkit_setting ADD COLUMN more INTEGER", _NOTHING),
        ("DROP INDEX inboxkit_job_key", {("inboxkit_job", "kind", "key")}),
        ("CREATE UNIQUE INDEX a ON inboxkit_job (token)", {("inboxkit_job", "token")}),
        ("CREATE INDEX b ON inboxkit_job (token)", _NOTHING),
    ],
    ids=["gone", "new table", "may be left out", "key gone", "new key", "index"],
)
def test_what_harms_them_is_seen(
    connection: Connection, statement: str, harmed: AbstractSet[tuple[str, ...]]
) -> None:
    before = found(connection)
    connection.execute(text(statement))
    assert broken(before, found(connection)) == harmed


@pytest.mark.long
@pytest.mark.parametrize("connection", BACKENDS[1:], indirect=True)  # SQLite changes no column
@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("ALTER COLUMN worker_id SET NOT NULL", "worker_id"),
        ("ALTER COLUMN worker_id TYPE VARCHAR", "worker_id"),
        ("ALTER COLUMN queue DROP DEFAULT", "queue"),
        ("ADD COLUMN more INTEGER NOT NULL", "more"),
    ],
)
def test_a_column_that_takes_less_harms_them(
    connection: Connection, change: str, column: str
) -> None:
    command.upgrade(schema.config(connection), "head")
    before = found(connection)
    connection.execute(text(f"ALTER TABLE inboxkit_job {change}"))
    assert broken(before, found(connection)) == {("inboxkit_job", column)}
