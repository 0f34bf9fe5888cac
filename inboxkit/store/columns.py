"""What the tables are made of: their own MetaData and base class, moments, ids, partial indexes.

Private to ``store``. The names of all tables begin with ``inboxkit_``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Index,
    Integer,
    MetaData,
    TypeDecorator,
    text,
)
from sqlalchemy.orm import declared_attr, registry
from sqlmodel import Field, SQLModel

metadata = MetaData()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime kept as microseconds since 1970: exact, and sorted as a number."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Base(SQLModel, registry=registry(metadata=metadata)):
    """Base of our tables, apart from SQLModel's own registry and MetaData."""

    @declared_attr.directive
    def __tablename__(cls) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - SQLModel types it too narrowly
        return "inboxkit_" + cls.__name__.removesuffix("Row").lower()


def partial(name: str, *columns: str, where: str, u: int = 0) -> Index:
    """Return an index of only the rows that are looked up by it: each one costs every insert."""
    condition = text(where)
    return Index(name, *columns, unique=bool(u), sqlite_where=condition, postgresql_where=condition)


def id_() -> Any:
    """Return the field of a row's id, as ``tokens.new_id`` makes them."""
    return Field(sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True))


def big(*, index: bool = False, null: bool = False) -> Any:
    """Return a field for the id of another row."""
    return Field(default=None, sa_column=Column(BigInteger, index=index, nullable=null))


def json() -> Any:
    """Return a field for a list or an object."""
    return Field(sa_column=Column(JSON, nullable=False))


def moment(*, null: bool = False, index: bool = False) -> Any:
    """Return a field for a moment."""
    return Field(default=None, sa_column=Column(Moment, nullable=null, index=index))
