"""Turns at writing, between the processes of one SQLite file.

SQLite has one writer at a time. Who finds it busy looks again after 1, 2, 5, 10 up to 100 ms, and
a process that has more to write is back before the other looks: two of them left the better part
of a core idle (bench/processes.py). Here they wait in line, and look each millisecond.

It is no more than good manners. SQLite's own lock decides; who gets no turn in a second, as from a
process that is stopped, goes without one.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from .filelock import try_lock, unlock

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

log = logging.getLogger("inboxkit.store")
_LOOK_SECONDS = 0.001
_PATIENCE_SECONDS = 1.0
_WITHOUT_SECONDS = 10.0  # after it was in vain


class Turns:
    """A process's place in line; for its one writer thread."""

    def __init__(self, folder: Path, *, patience: float = _PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._files = [folder / "turn.lock", folder / "next.lock"]
        self._turn: IO[bytes] | None = None
        self._next: IO[bytes] | None = None
        self._without_until = 0.0

    def open(self) -> None:
        """Begin to take part."""
        self._turn, self._next = (path.open("ab") for path in self._files)

    def close(self) -> None:
        """Leave the line."""
        for file in (self._turn, self._next):
            if file is not None:
                file.close()
        self._turn = self._next = None

    @contextmanager
    def mine(self) -> Generator[None]:
        """Wait for this process's turn, and hold it within."""
        held = self._wait()
        try:
            yield
        finally:
            if held is not None:
                with suppress(OSError):  # or what is committed would be told to have failed
                    unlock(held)

    def _wait(self) -> IO[bytes] | None:
        """Return the lock that is held now; None to go without."""
        first, then = self._next, self._turn
        if first is None or then is None or time.monotonic() < self._without_until:
            return None
        end = time.monotonic() + self._patience
        try:
            if _lock(first, end):
                try:  # the one in front holds ``then``: it comes to stand behind us
                    if _lock(then, end):
                        return then
                finally:
                    unlock(first)
        except OSError as error:
            log.info("%s: no turns: %s", self._files[0], error.strerror or error)
            self.close()
        self._without_until = time.monotonic() + _WITHOUT_SECONDS
        return None


def _lock(file: IO[bytes], end: float) -> bool:
    while not try_lock(file):
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_SECONDS)
    return True
