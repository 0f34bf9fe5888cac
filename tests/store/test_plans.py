"""How SQLite goes about the queries that every mail pays for: by an index, never over a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.store import known_threads

from .sending import NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

QUERIES = {
    "a reference": (
        "_find_references",
        {"values": ["<a@example.com>"], "within": 1},
        "autoindex_inboxkit_reference",
    ),
    "waiting subjects": ("_waiting", {"values": ["size"], "within": 1}, "inboxkit_thread_orphan"),
    "orphans": ("_orphans", {"inbox": 1, "base": "size", "since": NOW}, "inboxkit_thread_orphan"),
    "a subject": (
        "_by_subject",
        {"inbox": 1, "base": "size", "since": NOW},
        "inboxkit_thread_subject",
    ),
    "a Thread-Index": ("_by_index", {"inbox": 1, "root": "x"}, "inboxkit_thread_topic"),
    "our last message": ("_last_outbound", {"thread": 1}, "inboxkit_message_thread"),
}
pytestmark = pytest.mark.sqlite  # PostgreSQL's plans depend on what is in the tables


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with transaction(database) as held:
        yield held.connection


def plan(connection: Connection, query: Any, arguments: Mapping[str, Any]) -> list[str]:
    """Return the steps of a query, as EXPLAIN QUERY PLAN tells them."""
    driver: Any = connection.connection.dbapi_connection
    asked: list[str] = []
    driver.set_trace_callback(asked.append)
    query(connection, **arguments)
    driver.set_trace_callback(None)
    return [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]


@pytest.mark.parametrize(("name", "arguments", "index"), QUERIES.values(), ids=QUERIES)
def test_a_look_up_of_threads_goes_by_its_index(
    connection: Connection, name: str, arguments: Mapping[str, Any], index: str
) -> None:
    steps = plan(connection, getattr(known_threads, name), arguments)

    assert len(steps) == 1, steps  # no sorting afterwards either
    assert "SEARCH" in steps[0]
    assert index in steps[0]
