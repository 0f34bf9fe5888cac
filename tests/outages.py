"""Databases whose answers are lost on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


def lose_an_answer(engine: Engine, sign: str) -> None:
    """Let the next commit that comes after such a statement be made, and its answer be lost."""
    marked: list[Connection] = []

    def executed(connection: Connection, _cursor: Any, sql: str, *_rest: Any) -> None:
        if sign in sql:
            marked.append(connection)

    def committing(connection: Connection) -> None:
        if connection not in marked:
            return
        event.remove(engine, "after_cursor_execute", executed)
        event.remove(engine, "commit", committing)
        connection.exec_driver_sql("COMMIT")
        raise OperationalError("COMMIT", None, Exception("disk I/O error"))

    event.listen(engine, "after_cursor_execute", executed)
    event.listen(engine, "commit", committing)
