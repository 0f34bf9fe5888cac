"""A row of a query as a mapping by column name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row


def columns(row: Row[Any]) -> Mapping[str, Any]:
    """Return the row by column name; a name such as ``metadata`` cannot be an attribute of it."""
    return cast("Mapping[str, Any]", row._mapping)  # pyright: ignore[reportPrivateUsage] - public: see "Row._mapping" in SQLAlchemy's documentation
