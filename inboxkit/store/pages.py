"""A page of a list by keyset: what comes after the last row seen, never by counting rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from sqlalchemy import Select

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Page(Generic[K]):
    """``size`` rows after the key ``after``, newest first unless ``ascending``."""

    size: int
    after: K | None = None
    ascending: bool = False


def paged(query: Select[Any], key: Any, page: Page[Any]) -> Select[Any]:
    """Return the query of one page; one row more is asked for, which tells that there is more."""
    if page.after is not None:
        query = query.where(key > page.after if page.ascending else key < page.after)
    order = key.asc() if page.ascending else key.desc()
    return query.order_by(order).limit(page.size + 1)
