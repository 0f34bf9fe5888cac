"""Who goes first when mail comes in faster than it is read: the sender that waits for its 250.

Reading takes several times the CPU of accepting and shares its core. While mail pours in, reading
goes on in small portions with pauses, in turn by inbox; it catches up when the flood is over.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_WINDOW_SECONDS = 0.1
_MANY = 40  # mails in one window: more than 400 a second
_SOME = 10
_CROWD = 3  # mails under way at once: their senders wait, however few get through
_LOOKS = 10
_LOOK_SECONDS = 0.01


class Pace:
    """Counts what is accepted, in windows of a tenth of a second, and what is under way."""

    PORTION = 4

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._window: int = 0
        self._count = 0
        self._before = 0
        self._under_way = 0

    def note(self) -> None:
        """Count a mail that is to be accepted."""
        self._turn()
        self._count += 1

    @contextmanager
    def under_way(self) -> Generator[None]:
        """Count a mail as under way: its sender waits."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    @property
    def is_pressed(self) -> bool:
        """Whether mail pours in now."""
        self._turn()
        most = max(self._count, self._before)
        return most > _MANY or (most > _SOME and self._under_way >= _CROWD)

    async def pause(self) -> None:
        """Make room for senders while mail pours in, for a tenth of a second at most."""
        for _ in range(_LOOKS):
            if not self.is_pressed:
                return
            await anyio.sleep(_LOOK_SECONDS)

    def _turn(self) -> None:
        window = int(self._seconds() / _WINDOW_SECONDS)
        if window != self._window:
            self._before = self._count if window == self._window + 1 else 0
            self._window, self._count = window, 0
