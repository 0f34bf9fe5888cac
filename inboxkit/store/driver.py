"""Statements straight to the database's driver, under SQLAlchemy's connections and errors.

What SQLAlchemy makes of each result, its metadata above all, costs several times what a small
statement costs. Where somebody listens to statements (a tracer does), they go SQLAlchemy's way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from .refusals import is_useless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


def fetch(
    connection: Connection, sql: str, values: Any = (), *, planned_anew: bool = False
) -> Sequence[Any]:
    """Return the rows of a query as plain tuples; raise DBAPIError as SQLAlchemy does.

    ``planned_anew``: PostgreSQL plans it for these values each time, as very different plans are
    good for different ones.
    """
    if _is_heard(connection):
        return connection.exec_driver_sql(sql, values).all()
    cursor = _cursor(connection)
    try:
        if planned_anew and connection.dialect.name == "postgresql":
            cursor.execute(sql, values, prepare=False)
        else:
            cursor.execute(sql, values)
        rows: Sequence[Any] = cursor.fetchall()
    except _errors(connection) as error:
        raise _raised(connection, sql, cursor, error) from error
    finally:
        cursor.close()
    return rows


def change(connection: Connection, sql: str, values: Any = (), *, many: bool = False) -> int:
    """Run a statement that returns no rows, ``many`` times with each of ``values``.

    Return how many rows it met; raise DBAPIError as SQLAlchemy does.
    """
    if _is_heard(connection):
        heard = [tuple(row) for row in values] if many else values  # it takes no lists as rows
        return connection.exec_driver_sql(sql, heard).rowcount
    cursor = _cursor(connection)
    try:
        if many:
            cursor.executemany(sql, values)
        else:
            cursor.execute(sql, values)
        return int(cursor.rowcount)
    except _errors(connection) as error:
        raise _raised(connection, sql, cursor, error) from error
    finally:
        cursor.close()


def _is_heard(connection: Connection) -> bool:
    told = connection.dispatch
    return bool(told.before_cursor_execute or told.after_cursor_execute)


def _cursor(connection: Connection) -> Any:
    if not connection.in_transaction():
        connection.begin()  # as SQLAlchemy does at the first statement
    driver: Any = connection.connection.dbapi_connection
    return driver.cursor()


def _errors(connection: Connection) -> type[Exception]:
    driver: Any = connection.dialect.loaded_dbapi
    kind: type[Exception] = driver.Error
    return kind


def _raised(connection: Connection, sql: str, cursor: Any, error: Exception) -> BaseException:
    """Return what SQLAlchemy would raise; a connection that is gone is not used again."""
    dialect, kind = connection.dialect, _errors(connection)
    gone = is_useless(error) or dialect.is_disconnect(
        error,  # type: ignore[arg-type]
        connection.connection.dbapi_connection,
        cursor,
    )
    if gone:
        connection.invalidate(error)
    return DBAPIError.instance(
        sql,
        None,
        error,
        kind,
        hide_parameters=True,
        connection_invalidated=gone,
        dialect=dialect,
    )
