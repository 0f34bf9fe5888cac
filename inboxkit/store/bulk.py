"""Inserting many rows fast: a table's INSERT compiled once, then rows straight to the driver.

SQLAlchemy's own executemany costs as much for three rows as for three hundred; commits of a busy
listener hold few rows each, so that cost would be paid for nearly every mail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert

Processor = Callable[[Any], Any]


class BulkInsert:
    """The INSERT of whole rows of one table; every column must be given."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._compiled: dict[str, tuple[str, bool, list[tuple[str, Processor | None]]]] = {}

    def __call__(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, keyed by column name."""
        if not rows:
            return
        sql, positional, columns = self._for(connection.dialect)
        values = [[_bound(row[n], p) for n, p in columns] for row in rows]
        if positional:
            connection.exec_driver_sql(sql, [tuple(row) for row in values])
        else:
            names = [name for name, _ in columns]
            connection.exec_driver_sql(sql, [dict(zip(names, row, strict=True)) for row in values])

    def _for(self, dialect: Dialect) -> tuple[str, bool, list[tuple[str, Processor | None]]]:
        known = self._compiled.get(dialect.name)
        if known is None:
            compiled = insert(self._table).compile(dialect=dialect)
            types = {c.name: c.type.dialect_impl(dialect) for c in self._table.columns}
            columns = [(name, type_.bind_processor(dialect)) for name, type_ in types.items()]
            known = str(compiled), bool(dialect.positional), columns
            self._compiled[dialect.name] = known
        return known


def _bound(value: Any, processor: Processor | None) -> Any:
    return value if processor is None else processor(value)
