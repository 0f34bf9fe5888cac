"""Statements compiled once, then straight to the driver; see ``bulk`` for why."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ColumnElement, String, Text, TypeDecorator, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import Boolean

from . import driver
from .bulk import BoundColumn, BoundRow, portions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Delete, Dialect, Table, Update
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.dml import ReturningUpdate
    from sqlalchemy.sql.selectable import SelectBase
    from sqlalchemy.types import TypeEngine

    Statement = SelectBase | ReturningUpdate[Any] | Update | Delete


class Ids(TypeDecorator[Any]):
    """Any number of row ids as one value: JSON on SQLite, an array on PostgreSQL."""

    impl = Text
    cache_ok = True
    item: TypeEngine[Any] = BigInteger()

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind = ARRAY(self.item) if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return list(value) if dialect.name == "postgresql" else json.dumps(list(value))


class Names(Ids):
    """Any number of texts as one value.

    One with a NUL is left out, so that nothing is found for it: SQLite's JSON ends a text there and
    would find another one, and PostgreSQL takes none.
    """

    cache_ok = True
    item = Text()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return super().process_bind_param([text for text in value if "\0" not in text], dialect)


class _Among(ColumnElement[bool]):
    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        stored_as = getattr(column.type, "impl_instance", column.type)  # SQLModel wraps its texts
        kind = Names() if isinstance(stored_as, String) else Ids()
        self.ids = bindparam(name, type_=kind)

    def self_group(self, against: Any = None) -> _Among:
        """Stand as it is: compared with TRUE, as SQLite has no boolean, it would use no index."""
        return self


@compiles(_Among)
def _among_json(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, ids = compiler.process(element.column, **how), compiler.process(element.ids, **how)
    return f"{column} IN (SELECT value FROM json_each({ids}))"


@compiles(_Among, "postgresql")
def _among_array(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, ids = compiler.process(element.column, **how), compiler.process(element.ids, **how)
    return f"{column} = ANY({ids})"


def among(column: ColumnElement[Any], name: str = "ids") -> ColumnElement[bool]:
    """Return the condition that a column is one of the ids or texts given under ``name``.

    Unlike an expanding IN its SQL is the same for any number of them.
    """
    return _Among(column, name)


class Prepared:
    """A statement with bind parameters; rows come as mappings by column name.

    It must not hold an expanding IN, whose SQL depends on the values: see ``among``.
    ``at_once``: on SQLite its rows come as one value, without bytes. The driver lets go of the GIL
    before each row, and gets it back only when another thread pauses.
    """

    def __init__(self, statement: Statement, *, at_once: bool = False) -> None:
        self._statement = statement
        self._at_once = at_once
        self._compiled: dict[str, _Ready] = {}

    def __call__(self, connection: Connection, **values: Any) -> list[dict[str, Any]]:
        """Return the rows for these values of the bind parameters."""
        ready = self._for(connection.dialect)
        return [ready.row(row) for row in ready.fetch(connection, values)]

    def rows(self, connection: Connection, **values: Any) -> list[Any]:
        """Return the rows as tuples whose names are the columns'."""
        ready = self._for(connection.dialect)
        return [ready.named(row) for row in ready.fetch(connection, values)]

    def one(self, connection: Connection, **values: Any) -> Any:
        """Return the first row as ``rows`` does, None when there is none."""
        ready = self._for(connection.dialect)
        rows = ready.fetch(connection, values)
        return ready.named(rows[0]) if rows else None

    def first(self, connection: Connection, **values: Any) -> dict[str, Any] | None:
        """Return the first row, None when there is none."""
        ready = self._for(connection.dialect)
        rows = ready.fetch(connection, values)
        return ready.row(rows[0]) if rows else None

    def number(self, connection: Connection, **values: Any) -> int:
        """Run a change; return how many rows it met."""
        ready = self._for(connection.dialect)
        return driver.change(connection, ready.sql, ready.bound(values))

    def _for(self, dialect: Dialect) -> _Ready:
        ready = self._compiled.get(dialect.name)
        if ready is None:
            at_once = self._at_once and dialect.name == "sqlite"
            ready = (_AtOnce if at_once else _Ready)(self._statement, dialect)
            self._compiled[dialect.name] = ready
        return ready


def _named(names: Sequence[str]) -> Any:
    """Return a class of rows that may be asked as SQLAlchemy's are."""
    columns: dict[str, Any] = {n: property(itemgetter(place)) for place, n in enumerate(names)}
    mapping = property(lambda row: dict(zip(names, row, strict=True)))
    return type("Row", (tuple,), {"__slots__": (), "_mapping": mapping, **columns})


def _literal(value: int | str) -> str:
    return str(int(value)) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


class _Ready:
    """A statement as one dialect wants it."""

    def __init__(self, statement: Statement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._defaults = compiled.params
        self._bind: dict[str, Callable[[Any], Any]] = {}
        for name, parameter in compiled.binds.items():
            processor = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            if processor is not None:
                self._bind[name] = processor
        self.sql, self._order = self._with_constants(compiled)
        columns = statement.exported_columns
        self._names = [c.name for c in columns]
        self._converting = [
            (place, processor)
            for place, c in enumerate(columns)
            if (processor := c.type.dialect_impl(dialect).result_processor(dialect, None))
        ]
        self._kind = _named(self._names)

    def _with_constants(self, compiled: SQLCompiler) -> tuple[str, Sequence[str] | None]:
        """Return the SQL, on SQLite with its constants written out, and the order of the others.

        A parameter that SQLite compares with what a partial index is for, such as a job's state,
        decides whether the index serves: it would prepare the statement anew for each value.
        """
        if compiled.positiontup is None:
            return str(compiled), None
        constants = {
            name: self._bind[name](bind.value) if name in self._bind else bind.value
            for name, bind in compiled.binds.items()
            if bind.unique
        }
        sql, *rest = str(compiled).split("?")
        order: list[str] = []
        for name, following in zip(compiled.positiontup, rest, strict=True):
            constant = constants.get(name)
            if isinstance(constant, (int, str)):
                sql += _literal(constant) + following
            else:
                order.append(name)
                sql += "?" + following
        return sql, order

    def fetch(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        return driver.fetch(connection, self.sql, self.bound(values))

    def bound(self, values: Mapping[str, Any]) -> Any:
        given = {**self._defaults, **values}
        for name, processor in self._bind.items():
            given[name] = processor(given[name])
        return given if self._order is None else tuple(given[name] for name in self._order)

    def named(self, row: Sequence[Any]) -> Any:
        return self._kind(self._converted(row))

    def row(self, row: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self._names, self._converted(row), strict=True))

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, processor in self._converting:
            values[place] = processor(values[place])
        return values


class _AtOnce(_Ready):
    """A query of SQLite whose rows come as JSON."""

    def __init__(self, statement: Statement, dialect: Dialect) -> None:
        super().__init__(statement, dialect)
        columns = ", ".join(map(dialect.identifier_preparer.quote, self._names))
        self.sql = f"SELECT json_group_array(json_array({columns})) FROM ({self.sql})"

    def fetch(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        [[rows]] = super().fetch(connection, values)
        found: Sequence[Any] = json.loads(rows)
        return found


class BulkUpdate:
    """The UPDATE of some columns of one table's rows, found by ``id``."""

    def __init__(self, table: Table, *names: str) -> None:
        self._table = table
        self._names = (*names, "id")
        self._compiled: dict[str, tuple[str, BoundRow]] = {}

    def __call__(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the columns of rows, keyed by column name, with the row's ``id`` among them."""
        if not rows:
            return
        dialect = connection.dialect
        known = self._compiled.get(dialect.name)
        if known is None:
            known = self._compiled[dialect.name] = self._compile(dialect)
        sql, bound = known
        values = [bound(row) for row in rows]
        if dialect.name != "sqlite":
            driver.change(connection, sql, values, many=True)
            return
        for size, given in portions(values):
            driver.change(connection, self._of_many(dialect, size), given)

    def _of_many(self, dialect: Dialect, size: int) -> str:
        quoted = dialect.identifier_preparer.quote
        *names, _key = [
            f"{quoted(name)} = given.column{place}" for place, name in enumerate(self._names, 1)
        ]
        row = f"({', '.join('?' * len(self._names))})"
        return (
            f"UPDATE {self._table.name} SET {', '.join(names)} "
            f"FROM (VALUES {', '.join([row] * size)}) AS given "
            f"WHERE {self._table.name}.id = given.column{len(self._names)}"
        )

    def _compile(self, dialect: Dialect) -> tuple[str, BoundRow]:
        quoted = dialect.identifier_preparer.quote
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        *names, key = [f"{quoted(name)} = {mark}" for name in self._names]
        columns = [
            BoundColumn(c.name, c.type.dialect_impl(dialect).bind_processor(dialect), {})
            for c in (self._table.c[name] for name in self._names)
        ]
        return f"UPDATE {self._table.name} SET {', '.join(names)} WHERE {key}", BoundRow(columns)
