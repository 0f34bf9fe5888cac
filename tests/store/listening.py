"""What SQLAlchemy asks a database, and how the database would go about it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy import Connection


@contextmanager
def listening(connection: Connection) -> Generator[list[tuple[str, Any]]]:
    """Yield the queries that are asked meanwhile, with their parameters."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    yield asked
    event.remove(connection, "before_cursor_execute", note)


def walks(connection: Connection, change: Callable[[], object]) -> list[str]:
    """Make a change; return the steps of its statements that go through a whole table."""
    with listening(connection) as asked:
        change()
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:  # the tables are nearly empty, and it would not mind
        connection.exec_driver_sql("SET LOCAL enable_seqscan TO off")
    found: list[str] = []
    for statement, parameters in asked:
        if statement.startswith(("UPDATE", "DELETE")):
            many = isinstance(parameters, list)
            given = cast("list[Any]", parameters)[0] if many else parameters
            explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
            rows = connection.exec_driver_sql(f"{explain} {statement}", given)
            steps = [row[3] if is_sqlite else row[0] for row in rows]
            found += [s for s in steps if "SCAN inboxkit" in s or "Seq Scan on" in s]
    return found
