"""SELECTs and UPDATEs compiled once, then straight to the driver; see ``bulk`` for why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bulk import BoundColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Dialect, Select, Table


class Prepared:
    """A SELECT with bind parameters; rows come as mappings by column name.

    It must not hold an expanding IN, whose SQL depends on the values.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._compiled: dict[str, _Ready] = {}

    def __call__(self, connection: Connection, **values: Any) -> list[dict[str, Any]]:
        """Return the rows for these values of the bind parameters."""
        ready = self._compiled.get(connection.dialect.name)
        if ready is None:
            ready = self._compiled[connection.dialect.name] = _Ready(
                self._statement, connection.dialect
            )
        result = connection.exec_driver_sql(ready.sql, ready.bound(values))
        return [ready.row(row) for row in result.all()]


class _Ready:
    """A SELECT as one dialect wants it."""

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._defaults = compiled.params
        self._order: Sequence[str] | None = compiled.positiontup
        self._bind: dict[str, Callable[[Any], Any]] = {}
        for name, parameter in compiled.binds.items():
            processor = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            if processor is not None:
                self._bind[name] = processor
        self._columns = [
            (c.name, c.type.dialect_impl(dialect).result_processor(dialect, None))
            for c in statement.selected_columns
        ]

    def bound(self, values: Mapping[str, Any]) -> Any:
        given = {**self._defaults, **values}
        for name, processor in self._bind.items():
            given[name] = processor(given[name])
        return given if self._order is None else tuple(given[name] for name in self._order)

    def row(self, row: Sequence[Any]) -> dict[str, Any]:
        return {
            name: value if processor is None else processor(value)
            for (name, processor), value in zip(self._columns, row, strict=True)
        }


class BulkUpdate:
    """The UPDATE of some columns of one table's rows, found by ``id``."""

    def __init__(self, table: Table, *names: str) -> None:
        self._table = table
        self._names = (*names, "id")
        self._compiled: dict[str, tuple[str, list[BoundColumn]]] = {}

    def __call__(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the columns of rows, keyed by column name, with the row's ``id`` among them."""
        if not rows:
            return
        dialect = connection.dialect
        known = self._compiled.get(dialect.name)
        if known is None:
            known = self._compiled[dialect.name] = self._compile(dialect)
        sql, columns = known
        connection.exec_driver_sql(
            sql, [tuple([c.bound(r[c.name]) for c in columns]) for r in rows]
        )

    def _compile(self, dialect: Dialect) -> tuple[str, list[BoundColumn]]:
        quoted = dialect.identifier_preparer.quote
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        *names, key = [f"{quoted(name)} = {mark}" for name in self._names]
        columns = [
            BoundColumn(c.name, c.type.dialect_impl(dialect).bind_processor(dialect), {})
            for c in (self._table.c[name] for name in self._names)
        ]
        return f"UPDATE {self._table.name} SET {', '.join(names)} WHERE {key}", columns
