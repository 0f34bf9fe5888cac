"""How SQLite goes about every reading route: by an index, or page by page in the order of one.

A table that grows with the mail is never walked over as a whole, but for what counts all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from sqlalchemy import event

from .api import Api, serving
from .test_api_access import MOUNTED, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from inboxkit.http.api.routing import Mounted

Asked: TypeAlias = "tuple[str, str, Any]"  # a route, a statement, its parameters
GROWING = frozenset(
    f"inboxkit_{name}"
    for name in (
        *("message", "content", "raw", "attachment", "label", "labelevent", "event", "delivery"),
        *("thread", "reference", "run", "job"),
    )
)
COUNTS_ALL = "/metrics/usage"
# PostgreSQL's plans depend on what is in the tables.
pytestmark = [pytest.mark.sqlite, pytest.mark.long]


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[Engine, list[Asked]]]:
    """Ask every reading route; give all that the database was asked on the way."""
    with serving() as api:
        ids = UNKNOWN | known(api)
        engine: Engine = api.runner.kit.runtime.store.database.reader
        found: list[Asked] = []
        routes = [m for m in MOUNTED if m.route.method == "GET" and not m.path.endswith("/wait")]
        for mounted in routes:
            found += statements(api, engine, mounted, ids)
        yield engine, found


def known(api: Api) -> dict[str, str]:
    inbox = api.inbox()
    came = api.arrive(inbox, files={"a.txt": b"a"})
    file = came.attachments[0].id
    names = {"inbox_id": inbox, "message_id": came.id, "thread_id": came.thread_id}
    return {**names, "attachment_id": file, "pod_id": "pod_default"}


def statements(api: Api, engine: Engine, mounted: Mounted, ids: dict[str, str]) -> list[Asked]:
    """Ask one route with a query that reads much of it; return what the database was asked."""
    found: list[Asked] = []

    def note(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, _m: Any) -> None:
        found.append((mounted.path, statement, parameters))

    query = "q=hello" if mounted.path.endswith("/search") else "limit=5"
    event.listen(engine, "before_cursor_execute", note)
    answer = api.ask("GET", f"{mounted.path.format(**ids)}?{query}")
    event.remove(engine, "before_cursor_execute", note)
    assert answer.status < 500
    return found


def walks(engine: Engine, asked: Asked) -> list[str]:
    """Return the growing tables that a statement walks over, unless a page's limit stops it."""
    path, statement, parameters = asked
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    steps = [str(row[3]) for row in rows]
    is_sorted = any("TEMP B-TREE FOR ORDER BY" in step for step in steps)
    if "LIMIT" in statement and not is_sorted:
        return []
    tables = [step.split()[1] for step in steps if step.startswith("SCAN ")]
    return [f"{path} {table}" for table in tables if table in GROWING]


def test_no_route_walks_over_a_table_that_grows(asked: tuple[Engine, list[Asked]]) -> None:
    engine, statements = asked
    reading = [a for a in statements if a[1].lstrip().startswith(("SELECT", "WITH"))]
    found = {walk for one in reading for walk in walks(engine, one)}

    assert len(reading) > len(MOUNTED)
    assert sorted(walk for walk in found if COUNTS_ALL not in walk) == []


def test_events_of_a_stretch_of_time_are_found_by_their_moment(
    asked: tuple[Engine, list[Asked]],
) -> None:
    engine, statements = asked
    counting = [a for a in statements if a[0] in ("/v0/metrics/events", "/v0/metrics/rates")]
    counting = [a for a in counting if "inboxkit_event.at >= " in a[1]]
    with engine.connect() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            for _, statement, parameters in counting
        ]
    assert len(plans) >= 4
    assert all("inboxkit_event_at" in str(rows[0][3]) for rows in plans), plans
