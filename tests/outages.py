"""Databases whose answers are lost on their way, or that refuse to be read."""

from __future__ import annotations

import sqlite3
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


def refuse_a_look(driver: Any) -> None:
    """Refuse SQLite's next query for mails that came before; no change, nor what a trigger does."""
    left = [sqlite3.SQLITE_DENY]

    def judge(_action: int, _table: str | None, column: str | None, *place: str | None) -> int:
        is_query = column == "dedupe" and place[-1] is None
        return left.pop() if is_query and left else sqlite3.SQLITE_OK

    driver.set_authorizer(judge)
