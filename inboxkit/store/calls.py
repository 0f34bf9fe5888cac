"""Calls whose outcome goes into a future, which takes every exception but one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def called(function: Callable[..., T], *args: object) -> T:
    """Return what the function returns; RuntimeError for a StopIteration.

    No future takes that one: whoever asked would wait for ever.
    """
    try:
        return function(*args)
    except StopIteration as error:
        raise RuntimeError(f"the database's work raised {error!r}") from error
