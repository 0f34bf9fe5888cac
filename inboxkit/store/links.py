"""The connections of a pool to a server, so that one which is silent can be left."""

from __future__ import annotations

import contextlib
import os
import socket
import weakref
from typing import Any

from ..errors import StoreError


class Links:
    """Every connection that is open, whichever thread waits for it."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._is_cut = False
        self.identity: bytes | None = None  # of the database that they lead to, once it is known

    def check(self, *_connecting: object) -> None:
        """Raise StoreError instead of connecting once all were cut."""
        if self._is_cut:
            raise StoreError("the database is closed, and did not answer")

    def add(self, connection: Any, _record: object) -> None:
        """Note a new connection of the driver."""
        self._open.add(connection)

    def cut(self) -> None:
        """Break them all: who waits for an answer is told that the connection is lost."""
        self._is_cut = True
        for connection in list(self._open):
            with contextlib.suppress(Exception):  # that one has just been closed
                # A descriptor of our own: the other belongs to the driver.
                with socket.socket(fileno=os.dup(connection.fileno())) as end:
                    end.shutdown(socket.SHUT_RDWR)
