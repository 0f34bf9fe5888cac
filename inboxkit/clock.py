"""The only source of time. Everything that reads a wall clock is handed a Clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Aware UTC time, and how long until a moment.

    ``now`` is what due times are compared with; ``beat`` is what leases and heartbeats use.
    They differ only under test, where ``advance`` moves due times and leaves leases alone.
    """

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        return datetime.now(UTC) + self._ahead

    def beat(self) -> datetime:
        """Return the machine's own time, which ``advance`` never moves."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Return a moment of the machine's monotonic clock: what has passed between two looks."""
        return time.monotonic()

    def advance(self, by: timedelta) -> None:
        """Move ``now`` forward; for tests."""
        if by < timedelta(0):
            raise ValueError(f"a clock cannot go back: {by}")
        self._ahead += by

    def seconds_until(self, moment: datetime) -> float:
        """Return the seconds until ``moment``, never negative."""
        return max(0.0, (moment - self.now()).total_seconds())
