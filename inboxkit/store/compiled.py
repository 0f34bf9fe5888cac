"""Statements compiled once for all engines of a process, not once for each.

An engine keeps what it compiled to itself: writer and reader would compile the same statements,
and each server that a process starts, such as those of a user's tests, all of them anew.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.util import LRUCache

_STATEMENTS = 1_000  # there are some hundreds


class Compiled(LRUCache[Any, Any]):
    """What the execution option ``compiled_cache`` takes: one for all our engines of a dialect.

    They are set up alike, so what is compiled for one serves the others.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_any_engine(key), default)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(_of_any_engine(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_of_any_engine(key), value)


def _of_any_engine(key: Any) -> Any:
    """Return a key of SQLAlchemy's with its dialect, which each engine has, by name."""
    return tuple(part.name if isinstance(part, Dialect) else part for part in key)


COMPILED = Compiled(_STATEMENTS)
