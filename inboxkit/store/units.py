"""Units of work on their way to the writer thread, and what becomes of them on the way back."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .bell import tell
from .calls import takes_turns

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

Result = tuple[Any, BaseException | None]


@dataclass(slots=True, eq=False)
class Unit:
    """A function that runs in a transaction, and whom to tell; ``grouped``: on a list of items."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    grouped: bool
    durable: bool
    done: Callable[[Any, BaseException | None], None]
    loop: asyncio.AbstractEventLoop | None


def settling(future: Future[Any]) -> Callable[[Any, BaseException | None], None]:
    """Return what tells a thread that waits."""

    def done(value: Any, error: BaseException | None) -> None:
        future.set_result(value) if error is None else future.set_exception(error)

    return done


def place_in_batch(unit: Unit) -> tuple[bool, str]:
    """Return what a batch is sorted by, the same everywhere."""
    name = getattr(unit.function, "__qualname__", "") if unit.grouped else ""
    return not takes_turns(unit.function), name


def deliver(batch: Sequence[Unit], results: Sequence[Result]) -> None:
    """Tell the callers, with one call into each event loop."""
    pairs = list(zip(batch, results, strict=True))
    for loop in {unit.loop for unit in batch}:
        mine = [(unit.done, result) for unit, result in pairs if unit.loop is loop]
        if loop is None:
            _finish(mine)
        else:
            tell(loop, _finish, mine)


def _finish(mine: list[tuple[Callable[[Any, BaseException | None], None], Result]]) -> None:
    for done, (value, error) in mine:
        try:
            done(value, error)
        except Exception:  # the others of the batch are told all the same
            logging.getLogger("inboxkit.store").exception("nobody was told what became of a unit")
