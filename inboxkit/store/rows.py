"""Rows: as a mapping by column name, and by the id that users see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..tokens import row_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row


def columns(row: Row[Any]) -> Mapping[str, Any]:
    """Return the row by column name; a name such as ``metadata`` cannot be an attribute of it."""
    return cast("Mapping[str, Any]", row._mapping)  # pyright: ignore[reportPrivateUsage] - public: see "Row._mapping" in SQLAlchemy's documentation


def number_of(prefix: str, name: str) -> int:
    """Return the number of the row that an id of this kind names, -1 for what is none."""
    try:
        return row_id(prefix, name)
    except ValueError:
        return -1
