"""Notices when the event loop stood still: a handler that blocks it stops all others too."""

from __future__ import annotations

import logging
import time

import anyio

log = logging.getLogger("inboxkit.watchdog")
_EVERY_SECONDS = 0.5
_LAG_SECONDS = 0.2


async def watch() -> None:
    """Log every standstill of more than 200 ms; until cancelled."""
    while True:
        due = time.monotonic() + _EVERY_SECONDS
        await anyio.sleep(_EVERY_SECONDS)
        lag = time.monotonic() - due
        if lag > _LAG_SECONDS:
            log.warning(
                "the event loop stood still for %.1f s: something blocks it, such as a handler "
                "that calls a synchronous library (run that in anyio.to_thread.run_sync), or the "
                "whole process was paused",
                lag,
            )
