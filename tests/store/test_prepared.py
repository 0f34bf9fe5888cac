"""Statements that are compiled once: the same rows whatever way they come, and prepared once."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import bindparam, select

from inboxkit.store import backlog, jobs
from inboxkit.store.prepared import Prepared
from inboxkit.store.tables import job
from inboxkit.store.transactions import Tx

from .sending import NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

ODD = ["it's", 'quo"te\\', "жанна 😀", "a ? and %s", "line\r\nline\x01", "[1]", "null", ""]
_all = select(job).where(job.c.kind == bindparam("kind")).order_by(job.c.id)


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with transaction(database) as held:
        yield held.connection


def put(connection: Connection, *keys: str, kind: str = "x") -> None:
    rows = [
        jobs.new_job(kind, key, inbox_id=2**62 + place, due_at=NOW, lane=key, data={key: [key]})
        for place, key in enumerate(keys)
    ]
    jobs.put(Tx(connection), rows)


def test_rows_that_come_at_once_are_the_same(connection: Connection) -> None:
    put(connection, *ODD)
    at_once, one_by_one = Prepared(_all, at_once=True), Prepared(_all)

    found = at_once(connection, kind="x")
    assert [row["key"] for row in found] == ODD
    assert found == one_by_one(connection, kind="x")
    assert at_once.rows(connection, kind="x") == one_by_one.rows(connection, kind="x")
    assert at_once(connection, kind="y") == []


@pytest.mark.sqlite  # PostgreSQL takes no NUL
def test_a_nul_ends_no_text(connection: Connection) -> None:
    put(connection, "a\0b")
    [found] = Prepared(_all, at_once=True)(connection, kind="x")
    assert (found["key"], found["data"]) == ("a\0b", {"a\0b": ["a\0b"]})


@pytest.mark.parametrize("constant", ODD)
def test_a_constant_is_found_as_it_is(connection: Connection, constant: str) -> None:
    put(connection, *ODD)
    found = Prepared(
        select(job.c.key, job.c.inbox_id).where(
            job.c.kind == bindparam("kind"), job.c.key == constant, job.c.inbox_id > 2**62 - 1
        )
    )
    assert [row["key"] for row in found(connection, kind="x")] == [constant]
    assert found(connection, kind="y") == []


@pytest.mark.sqlite
def test_a_claim_is_prepared_once(connection: Connection) -> None:
    driver: Any = connection.connection.dbapi_connection
    prepared: list[Any] = []  # SQLite asks the authorizer while it prepares a statement

    def heard(*asked: Any) -> int:
        prepared.append(asked)
        return sqlite3.SQLITE_OK

    def look(number: int) -> None:
        put(connection, f"{number}", kind="read")
        now = NOW + timedelta(seconds=number)
        given: dict[str, Any] = {"worker": number, "now": now, "limit": number, "start": number}
        assert jobs.claim(Tx(connection), "read", **given)
        assert jobs.claim(Tx(connection), "run", **given, full=[number]) == []
        assert backlog.next_due(connection, ["read", "run"], after=now) is None

    driver.set_authorizer(heard)
    look(1)
    assert prepared
    prepared.clear()
    look(2)
    assert prepared == []


@pytest.mark.sqlite
def test_no_plan_hangs_on_a_limit(connection: Connection) -> None:
    put(connection, *ODD)
    some = select(job.c.key).where(job.c.kind == "x").order_by(job.c.id)
    asked = {
        some: "",
        some.limit(3): "LIMIT ? + 0",
        some.limit(3).offset(2): "LIMIT ? + 0 OFFSET ?",
    }
    asked[some.offset(6)] = "LIMIT -1 OFFSET ?"
    for query, ending in asked.items():
        _, mark, written = str(query.compile(connection)).partition("LIMIT")
        assert mark + written == ending
    found = [list(connection.execute(query).scalars()) for query in asked]
    assert found == [ODD, ODD[:3], ODD[2:5], ODD[6:]]
