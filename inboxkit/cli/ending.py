"""How ``run`` and ``dev`` end although something that a handler began does not.

Python waits for each thread, when the event loop closes and when the process exits, and for tasks
that heed no cancel. By then everything is closed, and nothing is lost with them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from .opening import left_of, new_runner, run_with, threads_before

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

    import click

T = TypeVar("T")

log = logging.getLogger("inboxkit.run")
_PAUSE_SECONDS = 0.5  # for what ends by itself
_EXIT_SECONDS = 2.0  # for what is called at the exit


def run_leaving(ctx: click.Context, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the coroutine that a command makes; name what does not end with it, for the exit.

    Handlers are imported as it is made: what they begin then may not end either.
    """
    left = left_of(ctx)
    try:
        return _run(work(), left)
    finally:
        left += _threads_left(threads_before(ctx))


def _run(work: Coroutine[Any, Any, T], left: list[str]) -> T:
    runner = new_runner()
    threads = ThreadPoolExecutor(thread_name_prefix="asyncio")
    runner.get_loop().set_default_executor(threads)
    try:
        return run_with(runner, work)
    finally:
        tasks = runner.run(_tasks_left())
        left += tasks
        threads.shutdown(wait=False, cancel_futures=True)
        runner.get_loop().set_default_executor(ThreadPoolExecutor())  # for whom it may wait
        if not tasks:
            runner.close()


async def _tasks_left() -> list[str]:
    """Cancel all other tasks; return the names of those that do not end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if not tasks:
        return []
    _, left = await asyncio.wait(tasks, timeout=_PAUSE_SECONDS)
    return [task.get_name() for task in left]


def _threads_left(before: Collection[threading.Thread]) -> list[str]:
    """Return the names of the new threads that Python would wait for, and that do not end."""
    end = time.monotonic() + _PAUSE_SECONDS
    new = [each for each in threading.enumerate() if not (each.daemon or each in before)]
    for each in new:
        each.join(max(0.0, end - time.monotonic()))
    return [each.name for each in new if each.is_alive()]


def exit_soon(code: object, left: Collection[str]) -> None:
    """End this process with the code that it exits with, whatever is left when it has to be gone.

    Call it last. A thread may end meanwhile, and a pool of a handler's own ends at the exit alone.
    """

    def end() -> None:
        time.sleep(_EXIT_SECONDS)
        log.warning("ended although this did not: %s", ", ".join(left))
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))

    threading.Thread(target=end, name="exit", daemon=True).start()
