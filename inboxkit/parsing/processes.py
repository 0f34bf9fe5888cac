"""Starting a module of ours as a process, which can be ended whatever it is given to read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from asyncio.subprocess import Process


async def start(module: str, *, stderr: int | None = None) -> Process:
    """Start ``inboxkit.parsing.MODULE``, with pipes to and from it; raise OSError."""
    with anyio.CancelScope(shield=True):  # half started it could not be ended
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # what lies in the working directory is not ours to import
            "-m",
            f"inboxkit.parsing.{module}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    raise AssertionError("nobody cancels a shield")


async def end(process: Process) -> None:
    """Kill a process; return when it is gone, also where everything is cancelled."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with anyio.CancelScope(shield=True):
        await process.wait()


def leave_signals_to_the_parent() -> None:
    """Go on with what was asked for: Ctrl-C, and a stop by systemd, are sent to each process.

    The parent finishes what is under way, and then it ends this one.
    """
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.SIG_IGN)
