"""The writer's units as functions: how they are called, and which come first in a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., object]")
_TAKING_TURNS: set[object] = set()


def turns_first(function: F) -> F:
    """Mark a grouped function that takes turns: in a batch it comes before what locks rows.

    Who waits for a turn while it holds a row may be waited for by who has the turn.
    """
    _TAKING_TURNS.add(function)
    return function


def takes_turns(function: object) -> bool:
    """Whether a function was marked so."""
    return function in _TAKING_TURNS


def called(function: Callable[..., T], *args: object) -> T:
    """Return what the function returns; RuntimeError for a StopIteration.

    Its outcome goes into a future, which does not take that one: whoever asked would wait for ever.
    """
    try:
        return function(*args)
    except StopIteration as error:
        raise RuntimeError(f"the database's work raised {error!r}") from error
