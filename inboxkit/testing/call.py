"""One call into another thread's event loop, whose caller may go away before it is answered."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")


class Call(Generic[T]):
    """Runs a coroutine in a loop; ``answer`` has what came of it, for any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> None:
        self.answer: Future[T] = Future()
        self._loop = loop
        self._work = work
        self._task: asyncio.Task[T] | None = None
        self._undoing: asyncio.Future[Any] | None = None
        # An empty context: a test under trio has it written in its own that this is trio.
        loop.call_soon_threadsafe(self._start, context=Context())

    def abandon(self, undo: Callable[[T], Awaitable[None]] | None = None) -> None:
        """Cancel the work; what it has got by then goes to ``undo``, for nobody reads it."""
        with suppress(RuntimeError):  # the loop has ended, and with it the work
            self._loop.call_soon_threadsafe(self._abandon, undo, context=Context())

    # in the loop

    def refuse(self, error: Exception) -> None:
        """Answer with an error, whatever comes of the work."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def _start(self) -> None:
        self._task = self._loop.create_task(self._work)
        self._task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[T]) -> None:
        error = None if task.cancelled() else task.exception()
        if self.answer.done():  # it was refused
            return
        if task.cancelled():
            self.answer.cancel()
        elif error is not None:
            self.answer.set_exception(error)
        else:
            self.answer.set_result(task.result())

    def _abandon(self, undo: Callable[[T], Awaitable[None]] | None) -> None:
        assert self._task is not None
        self._task.cancel()

        def give_up(task: asyncio.Task[T]) -> None:
            if undo is not None and not task.cancelled() and task.exception() is None:
                self._undoing = asyncio.ensure_future(undo(task.result()))

        self._task.add_done_callback(give_up)  # called soon when it is done already
