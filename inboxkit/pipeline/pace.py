"""Who goes first when mail comes in faster than it is read: the sender that waits for its 250.

Reading takes several times the CPU of accepting and shares its core. While mail pours in, reading
goes on in small portions with pauses, in turn by inbox; it catches up when the flood is over.
"""

from __future__ import annotations

import time

_WINDOW_SECONDS = 0.1
_MANY = 40  # mails in one window: more than 400 a second


class Pace:
    """Counts what is accepted, in windows of a tenth of a second."""

    PORTION = 4
    PAUSE_SECONDS = 0.1

    def __init__(self) -> None:
        self._window: int = 0
        self._count = 0
        self._before = 0

    def note(self) -> None:
        """Count an accepted mail."""
        self._turn()
        self._count += 1

    @property
    def is_pressed(self) -> bool:
        """Whether mail pours in now."""
        self._turn()
        return self._count > _MANY or self._before > _MANY

    def _turn(self) -> None:
        window = int(time.monotonic() / _WINDOW_SECONDS)
        if window != self._window:
            self._before = self._count if window == self._window + 1 else 0
            self._window, self._count = window, 0
