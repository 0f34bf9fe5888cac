"""What goes on failing is said when it begins and then once a minute, not with each new try.

A database that is away for an hour would otherwise fill the log from each step and for each job.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_EVERY_SECONDS = 60.0


class Complaint:
    """Says what one thing fails of; ``over`` when it has worked, so that the next one is new."""

    def __init__(
        self, log: logging.Logger, level: int, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._level = level
        self._seconds = seconds
        self._said_at: dict[str, float] = {}  # by text: why it fails may change meanwhile

    def say(self, text: str) -> None:
        """Log a text, unless the very same was logged less than a minute ago."""
        now = self._seconds()
        last = self._said_at.get(text)
        if last is None or now - last >= _EVERY_SECONDS:
            self._said_at = {t: at for t, at in self._said_at.items() if now - at < _EVERY_SECONDS}
            self._said_at[text] = now
            self._log.log(self._level, "%s", text)

    def over(self) -> None:
        """Forget what was said."""
        self._said_at.clear()
