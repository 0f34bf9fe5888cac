"""Inserting many rows fast: a table's INSERT compiled once, then rows straight to the driver.

SQLAlchemy's own executemany costs as much for three rows as for three hundred; commits of a busy
listener hold few rows each, so that cost would be paid for nearly every mail.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table, insert

from . import driver

Processor = Callable[[Any], Any]
SIZES = (16, 8, 4, 2, 1)  # few, so that the driver's cache holds every statement
_PSYCOPG_CACHES = 50  # parameters; it reads a statement with more anew each time


class BulkInsert:
    """The INSERT of whole rows of one table; every column must be given.

    ``omit`` names columns that the database fills in. A value that *is* the one in ``defaults``
    is not converted anew for each row.
    """

    def __init__(
        self,
        table: Table,
        defaults: Mapping[str, Any] | None = None,
        *,
        omit: Collection[str] = (),
    ) -> None:
        self._table = table
        self._names = [c.name for c in table.columns if c.name not in omit]
        self._defaults = defaults or {}
        self._compiled: dict[str, tuple[str, BoundRow]] = {}

    def __call__(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, keyed by column name."""
        if not rows:
            return
        sql, bound = self._for(connection.dialect)
        values = [bound(row) for row in rows]
        if connection.dialect.name == "sqlite":
            _execute_together(connection, sql, values, SIZES)
            return
        at_once = max(1, _PSYCOPG_CACHES // len(self._names))
        if len(values) > 4 * at_once:  # sent without waiting for the answers
            driver.change(connection, sql, values, many=True)
        else:
            _execute_together(connection, sql, values, [s for s in SIZES if s <= at_once])

    def _for(self, dialect: Dialect) -> tuple[str, BoundRow]:
        known = self._compiled.get(dialect.name)
        if known is None:
            kind: Any = type(dialect)
            by_position = dialect if dialect.positional else kind(paramstyle="format")
            plain = insert(
                self._table
            ).inline()  # without a RETURNING for what the database fills in
            compiled = plain.compile(dialect=by_position, column_keys=self._names)
            columns = [
                BoundColumn(
                    c.name, c.type.dialect_impl(dialect).bind_processor(dialect), self._defaults
                )
                for c in self._table.columns
                if c.name in self._names
            ]
            known = str(compiled), BoundRow(columns)
            self._compiled[dialect.name] = known
        return known


def _execute_together(
    connection: Connection, sql: str, values: Sequence[Sequence[Any]], sizes: Sequence[int]
) -> None:
    head, _, marks = sql.rpartition(" VALUES ")
    for size, given in portions(values, sizes):
        driver.change(connection, f"{head} VALUES {', '.join([marks] * size)}", given)


def portions(
    values: Sequence[Sequence[Any]], sizes: Sequence[int] = SIZES
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Part rows among as few statements as these numbers of rows make; yield number and values.

    The driver lets go of the GIL at every step of a statement, and gets it back only when the
    event loop pauses: executemany, a step a row, took a busy listener's commit three times as long.
    """
    done = 0
    for size in sizes:
        while len(values) - done >= size:
            yield size, tuple(itertools.chain.from_iterable(values[done : done + size]))
            done += size


class BoundColumn:
    """Converts the values of one column for the driver."""

    __slots__ = ("_default", "_default_bound", "_processor", "converts", "name")

    def __init__(self, name: str, processor: Processor | None, defaults: Mapping[str, Any]) -> None:
        self.name = name
        self.converts = processor is not None
        self._processor = processor
        self._default = defaults.get(name, self)
        given = name in defaults and processor is not None
        self._default_bound = processor(defaults[name]) if given and processor else self._default

    def bound(self, value: Any) -> Any:
        if self._processor is None:
            return value
        return self._default_bound if value is self._default else self._processor(value)


class BoundRow:
    """Converts rows, keyed by column name, to the driver's values in the order of some columns."""

    __slots__ = ("_converting", "_names")

    def __init__(self, columns: Sequence[BoundColumn]) -> None:
        self._names = [column.name for column in columns]
        self._converting = [(place, c.bound) for place, c in enumerate(columns) if c.converts]

    def __call__(self, row: Mapping[str, Any]) -> list[Any]:
        values = [row[name] for name in self._names]
        for place, bound in self._converting:
            values[place] = bound(values[place])
        return values


class Finder:
    """Looks rows up by many values of one column, straight through the driver.

    With ``within`` only rows that have one given value in that column too; ``where`` is a further
    condition, so that a partial index can serve. With ``keep`` nobody can delete the rows until the
    transaction ends.
    """

    def __init__(
        self,
        column: Column[Any],
        *wanted: Column[Any],
        within: Column[Any] | None = None,
        where: str = "",
        keep: bool | str = False,
    ) -> None:
        names = ", ".join(c.name for c in wanted)
        condition = f"{where} AND " if where else ""
        self._start = f"SELECT {names} FROM {column.table.name} WHERE {condition}{column.name} IN ("
        self._within = None if within is None else within.name
        self._keep = "KEY SHARE" if keep is True else keep

    def __call__(
        self, connection: Connection, values: Sequence[Any], within: Any = None
    ) -> Sequence[Any]:
        """Return the rows; none for no values."""
        if not values:
            return ()
        is_sqlite = connection.dialect.name == "sqlite"  # where each transaction is alone
        mark = "?" if is_sqlite else "%s"
        sql = f"{self._start}{', '.join([mark] * len(values))})"
        given = tuple(values)
        if self._within is not None:
            sql, given = f"{sql} AND {self._within} = {mark}", (*given, within)
        if self._keep and not is_sqlite:
            sql += f" FOR {self._keep}"
        return driver.fetch(connection, sql, given)
