"""The calls of handlers that are under way, and what becomes of those that outlast a stop.

A cancel reaches no call that waits in a thread, and none that swallows it: the stop leaves it
behind. Its Run is given back with all that this process has leased, and what the call asks for
later is refused.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..tokens import public_id

if TYPE_CHECKING:
    from collections.abc import Generator

    from .staging import Staging

log = logging.getLogger("inboxkit.dispatch")


class Calls:
    """Who is being called, in which task."""

    def __init__(self) -> None:
        self._under_way: dict[asyncio.Task[Any], tuple[Any, Staging]] = {}

    @contextmanager
    def noted(self, row: Any, staging: Staging) -> Generator[None]:
        """Note that this task calls the handler of a Run."""
        task = asyncio.current_task()
        assert task is not None
        self._under_way[task] = (row, staging)
        try:
            yield
        finally:
            del self._under_way[task]

    def leave(self) -> None:
        """Wait for none of them any more, and name each in the log.

        asyncio's own cancel ends what anyio's does not: the wait for a thread.
        """
        for task, (row, staging) in list(self._under_way.items()):
            staging.over = True
            log.error(
                "%s of %s for %s: the call does not end, and the stop goes on without it; the Run "
                "is begun anew by the next start. No thread can be cut off: what blocks in one "
                "(anyio.to_thread.run_sync) needs a timeout of its own",
                *(public_id("run", row.id), row.handler, public_id("msg", row.message_id)),
            )
            task.cancel()
