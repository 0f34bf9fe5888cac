"""Listeners: requests that wait long. They end when the client hangs up or the server stops.

A server is not told that a client has gone while it has nothing to read from it; so all waiting
connections are looked at together once a second, and only while there are any.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from .envelope import ApiError

if TYPE_CHECKING:
    from collections.abc import Generator

_LOOK_SECONDS = 1.0


class Listeners:
    """The requests of one server that wait now."""

    def __init__(self) -> None:
        self._waiting: dict[anyio.CancelScope, asyncio.BaseTransport | None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @contextmanager
    def entered(self, line: asyncio.BaseTransport | None) -> Generator[anyio.CancelScope]:
        """Wait within; what is within is cancelled when nobody is there any more to hear of it.

        Raise ApiError then.
        """
        with anyio.CancelScope() as scope:
            self._waiting[scope] = line
            self._arm()
            try:
                if self._closed:
                    scope.cancel()
                yield scope
            finally:
                del self._waiting[scope]
        if scope.cancelled_caught:
            raise ApiError("service_unavailable", "The server is stopping; ask again")

    async def close(self) -> None:
        """End all waits, as the server is stopping."""
        self._closed = True
        for scope in list(self._waiting):
            scope.cancel()

    def open(self) -> None:
        """Let requests wait again."""
        self._closed = False

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        for scope, line in list(self._waiting.items()):
            if line is not None and line.is_closing():
                scope.cancel()
        if self._waiting:
            self._arm()
