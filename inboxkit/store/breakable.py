"""Queries that are broken off when they take too long: whoever asks for much stops no other."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DBAPIError

from ..blocking import in_thread, uninterrupted
from ..errors import StoreError
from .refusals import TooLong, is_slow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

T = TypeVar("T")
_AGAIN_SECONDS = 1.0  # it may have been between two statements
_CANCEL_SECONDS = 5.0  # of asking PostgreSQL, by a connection of its own
_LEAVING = (0.01, 0.05, 0.2, 1.0, 1.0)  # seconds between the looks at what nobody waits for


class Breakable:
    """One query, and how many seconds it may take from its own beginning on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()  # held while it is broken off: the connection is still its
        self._driver: Any = None
        self._begun = 0.0
        self._is_broken = False
        self._is_left = False

    def run(self, connection: Connection, query: Callable[[], T]) -> T:
        """Return what the query returns; raise TooLong when it was broken off."""
        with self._lock:
            if self._is_left:
                raise StoreError("nobody waits for this query any more")
            self._driver = connection.connection.driver_connection
            self._begun = time.monotonic()
        try:
            return query()
        except DBAPIError as error:
            if self._is_broken:
                raise TooLong(self._seconds) from error
            if is_slow(error):  # the server has a limit of its own
                raise TooLong(round(time.monotonic() - self._begun, 1)) from error
            raise
        finally:
            with self._lock:
                self._driver = None

    async def watch(self, asked: Awaitable[T]) -> T:
        """Return what the query gives that runs in another thread; break it off when it is time.

        It is broken off at once when this is cancelled: its thread is for others then.
        """
        task, left = asyncio.ensure_future(asked), self._seconds
        try:
            while not (await asyncio.wait((task,), timeout=left))[0]:
                await in_thread(self.break_off)
                left = _AGAIN_SECONDS
            return task.result()
        finally:
            if not task.done():
                await uninterrupted(self._leave(task))

    async def _leave(self, task: asyncio.Future[Any]) -> None:
        await in_thread(self._be_left)
        end = time.monotonic() + _CANCEL_SECONDS  # a server may be silent, and this is a stop
        for pause in _LEAVING:
            if self._driver is None or time.monotonic() > end:  # not begun, or over
                break
            await in_thread(self.break_off)
            await asyncio.wait((task,), timeout=pause)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def _be_left(self) -> None:
        """Let it begin no more, and be broken off however short it has run."""
        with self._lock:
            self._is_left, self._seconds = True, 0.0

    def break_off(self) -> None:
        """End the statement that is running, unless it has waited for its turn until now."""
        with self._lock:
            if self._driver is None or time.monotonic() - self._begun < self._seconds:
                return
            self._is_broken = True
            if isinstance(self._driver, sqlite3.Connection):
                self._driver.interrupt()
                return
            with contextlib.suppress(Exception):  # it is asked again
                self._driver.cancel_safe(timeout=_CANCEL_SECONDS)
