"""The calls of handlers that are under way, and what becomes of those that outlast a stop.

A cancel reaches no call that waits in a thread, and none that swallows it: the stop leaves it
behind. Its Run is given back with all that this process has leased, and what the call asks for
later is refused. However a call ends that a stop has cut off, it is no outcome of its Run.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..tokens import public_id
from .faults import fault

if TYPE_CHECKING:
    from collections.abc import Generator

    from anyio.abc import TaskGroup

    from .staging import Staging

log = logging.getLogger("inboxkit.dispatch")


class Calls:
    """Who is being called, in which task of ``tasks``."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._under_way: dict[asyncio.Task[Any], tuple[Any, Staging]] = {}
        self._are_left = False

    @contextmanager
    def noted(self, row: Any, staging: Staging) -> Generator[None]:
        """Note that this task calls the handler of a Run; raise CancelledError if it was cut off.

        A handler may make an error of its own of a cancel, and one that was left behind of what it
        was refused: neither is its failure. What ended well before it was left stays done.
        """
        task = asyncio.current_task()
        assert task is not None
        self._under_way[task] = (row, staging)
        try:
            yield
        except asyncio.CancelledError as error:
            if task.cancelling() or self._tasks.cancel_scope.cancel_called:
                raise
            # Nobody cancels this task: let out, it would end the calls of all other Runs.
            raise RuntimeError("the handler awaits something that was cancelled") from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if isinstance(error, GeneratorExit) and not _is_running(task):
                raise  # the task is thrown away, and may await nothing
            if self._tasks.cancel_scope.cancel_called:
                _tell_of_cut(row, error)
                raise asyncio.CancelledError from error
            if isinstance(error, GeneratorExit):
                raise RuntimeError("the handler raised GeneratorExit") from error
            raise
        finally:
            del self._under_way[task]
        if self._are_left:
            raise asyncio.CancelledError

    def leave(self) -> None:
        """Wait for none of them any more, and name each in the log.

        asyncio's own cancel ends what anyio's does not: the wait for a thread.
        """
        self._are_left = True
        for task, (row, staging) in list(self._under_way.items()):
            staging.over = True
            log.error(
                "%s of %s for %s: the call does not end, and the stop goes on without it; the Run "
                "is begun anew by the next start. No thread can be cut off: what blocks in one "
                "(anyio.to_thread.run_sync) needs a timeout of its own",
                *(public_id("run", row.id), row.handler, public_id("msg", row.message_id)),
            )
            task.cancel()


def _is_running(task: asyncio.Task[Any]) -> bool:
    try:
        return asyncio.current_task() is task
    except RuntimeError:  # no loop runs any more
        return False


def _tell_of_cut(row: Any, error: BaseException) -> None:
    log.warning(
        "%s of %s: cut off by the stop, and ended with %s; the Run is begun anew",
        *(public_id("run", row.id), row.handler, fault(error)),
    )
