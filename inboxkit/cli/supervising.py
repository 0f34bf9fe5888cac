"""Several processes for one ``run``: the supervisor makes the sockets, its workers share them.

A worker is the same command, started by the supervisor, with the sockets and a channel inherited.
On the channel it says that it listens; when the channel closes, the supervisor is gone, and the
worker must not hold the ports any longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from ..edges import Shared
from ..errors import ConfigurationError
from ..listening import BACKLOG, cannot_listen
from ..pipeline.stopping import LONGEST_SECONDS
from ..settings import host_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger("inboxkit.run")
_VARIABLE = "_INBOXKIT_WORKER"  # not INBOXKIT_: it is no setting
_SPREADS = sys.platform == "linux"  # SO_REUSEPORT gives all to one process elsewhere
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0  # clients of a dead worker wait meanwhile
_STEADY_SECONDS = 60.0  # who lived so long has not died of how it was started
_STOP_SECONDS = LONGEST_SECONDS
_READY = b"ready"
_TAKEN_SECONDS, _LOOK_SECONDS = 5.0, 0.05


async def bind(
    smtp: str, http: str, count: int, *, patience: float = _TAKEN_SECONDS
) -> list[dict[str, socket.socket]]:
    """Return for each worker sockets that listen, "" gives none; raise ConfigurationError.

    Port 0 is decided here, once for all. Linux spreads connections over sockets of one port; where
    no system does, the workers share one. While a worker is being replaced, its clients wait in
    the queue of its socket.
    """
    asked = [(name, at) for name, at in (("smtp", smtp), ("http", http)) if at]
    end = time.monotonic() + patience
    firsts = {name: await _first(name, at, end) for name, at in asked}
    others = [
        {name: _bound(name, shown(first), spread=True) for name, first in firsts.items()}
        if _SPREADS
        else firsts
        for _ in range(count - 1)
    ]
    return [firsts, *others]


async def _first(name: str, at: str, end: float) -> socket.socket:
    """Return the first socket of a port that nobody else has, not even to share.

    One that is taken may be free in a moment: the workers of a supervisor that was killed have to
    notice, and those that were just being started do so only after their imports.
    """
    if _is_taken(at):
        log.warning("%s: %s is taken; waiting for it for a moment", name, at)
    while _is_taken(at) and time.monotonic() < end:  # noqa: ASYNC110 - a free port rings no bell
        await anyio.sleep(_LOOK_SECONDS)
    alone = _bound(name, at, spread=False)
    if not _SPREADS:
        return alone
    place = shown(alone)
    alone.close()
    return _bound(name, place, spread=True)


def _is_taken(at: str) -> bool:
    try:
        _listening(at, spread=False).close()
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def _bound(name: str, at: str, *, spread: bool) -> socket.socket:
    try:
        return _listening(at, spread=spread)
    except OSError as error:
        raise ConfigurationError(cannot_listen(name, at, error)) from None


def _listening(at: str, *, spread: bool) -> socket.socket:
    host, port = host_port(at)
    kind, flags = socket.SOCK_STREAM, socket.AI_PASSIVE
    found = socket.getaddrinfo(host or None, port, type=kind, flags=flags)
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    # With protocol 0, asyncio would not set TCP_NODELAY on what is accepted.
    listening = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if spread:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.setblocking(False)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def shown(listening: socket.socket | None) -> str:
    """Return where a socket listens, as ``HOST:PORT``; "-" for none."""
    if listening is None:
        return "-"
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# the worker's side


class Channel:
    """A worker's end of what joins it to its supervisor."""

    def __init__(self, number: int, end: socket.socket, shared: Shared) -> None:
        self._end = end
        self._listens = False
        self.is_first = number == 1
        self.shared = shared

    def end_when_closed(self) -> None:
        """End this process when its supervisor goes, whatever hangs: it would hold the ports.

        At once before ``ready``; later it has the time that the supervisor would give it.
        """
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()

    def _watch(self) -> None:
        waiting = select.poll()
        waiting.register(self._end, select.POLLIN)
        waiting.poll()  # the supervisor says nothing here: it can only close
        if self._listens:
            time.sleep(_STOP_SECONDS)
        os._exit(1)

    def ready(self) -> None:
        """Say that this worker listens."""
        self._listens = True
        with contextlib.suppress(OSError):  # the supervisor is gone; ``closed`` says so too
            self._end.send(_READY)

    async def closed(self) -> None:
        """Return when the supervisor is gone."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while await loop.sock_recv(self._end, 16):
                continue

    async def cut_off(self) -> None:
        """End this process, which was told to stop, at once when its supervisor does not wait."""
        await self.closed()
        os._exit(1)


def channel() -> Channel | None:
    """Return what this process inherited as a worker, once; None when nobody supervises it."""
    given = os.environ.pop(_VARIABLE, "")  # what a handler starts is no worker
    if not given:
        return None
    number, *sockets = given.split()
    parts = (part.partition("=") for part in sockets)
    found = {name: _inherited(int(descriptor)) for name, _, descriptor in parts}
    joined = Channel(int(number), found.pop("channel"), Shared(**found))
    joined.end_when_closed()
    return joined


def _inherited(number: int) -> socket.socket:
    os.set_inheritable(number, False)
    found = socket.socket(fileno=number)
    if found.family != socket.AF_UNIX:  # macOS does not tell the protocol, and asyncio asks for it
        family = found.family
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, found.detach())
    found.setblocking(False)
    return found


# the supervisor's side


@dataclass(slots=True, eq=False)
class _Worker:
    """One place among the workers: the process that fills it now."""

    number: int
    sockets: Mapping[str, socket.socket]
    command: Sequence[str]
    process: asyncio.subprocess.Process | None = None
    end: socket.socket | None = None
    began: float = 0.0

    async def start(self) -> bool:
        """Start a process and return when it listens; False when it ends before."""
        ours, theirs = socket.socketpair()
        given = {**self.sockets, "channel": theirs}
        parts = [f"{name}={each.fileno()}" for name, each in given.items()]
        self._keep(ours)
        self.began = time.monotonic()
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                env=os.environ | {_VARIABLE: " ".join((str(self.number), *parts))},
                pass_fds=tuple(each.fileno() for each in given.values()),
                start_new_session=True,  # Ctrl+C is for the supervisor, which passes it on once
            )
        finally:
            theirs.close()
        said = await asyncio.get_running_loop().sock_recv(ours, len(_READY))
        if said != _READY:
            await self.process.wait()
        return said == _READY

    def _keep(self, end: socket.socket) -> None:
        if self.end is not None:
            self.end.close()
        end.setblocking(False)
        self.end = end

    async def stop(self) -> None:
        """Tell the process to stop and wait for its end; kill it when it takes too long."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with anyio.move_on_after(_STOP_SECONDS) as waiting:
            await self.process.wait()
        if waiting.cancelled_caught:
            log.error("worker %d (process %d) does not end: killed", self.number, self.process.pid)
            self.process.kill()
            await self.process.wait()


class Supervisor:
    """Starts workers, replaces those that die, and stops them all."""

    def __init__(
        self, sockets: Sequence[Mapping[str, socket.socket]], module: str = "inboxkit"
    ) -> None:
        # ``-m`` looks into the working directory first, which the command itself does not.
        looks = {"", str(Path.cwd())}.intersection(sys.path[:1])
        command = [sys.executable, *(() if looks else ("-P",)), "-m", module, *sys.argv[1:]]
        self._workers = [_Worker(n, mine, command) for n, mine in enumerate(sockets, start=1)]
        self._sockets = sockets
        self.failed = 0  # the exit code of a worker that could not be started

    async def start(self) -> None:
        """Return when all workers listen, or when one has ended before; ``failed`` tells.

        The first one goes ahead: it makes the database, and says alone what is wrong.
        """
        await self._start(self._workers[0])
        if not self.failed:
            async with anyio.create_task_group() as tasks:
                for worker in self._workers[1:]:
                    tasks.start_soon(self._start, worker)

    async def _start(self, worker: _Worker) -> None:
        if not await worker.start():
            assert worker.process is not None
            code = worker.process.returncode or 1
            self.failed = code if code > 0 else 1

    async def keep(self) -> None:
        """Replace workers that die, until cancelled."""
        async with anyio.create_task_group() as tasks:
            for worker in self._workers:
                tasks.start_soon(self._replace, worker)

    async def _replace(self, worker: _Worker) -> None:
        pause = _FIRST_PAUSE
        while True:
            assert worker.process is not None
            code = await worker.process.wait()
            if time.monotonic() - worker.began > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            log.error(
                "worker %d (process %d) has died (%s); started again in %.1f s",
                *(worker.number, worker.process.pid, _said(code), pause),
            )
            await anyio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            with contextlib.suppress(OSError):  # no more processes now; in the next turn perhaps
                if await worker.start():
                    log.info("worker %d is process %d now", worker.number, worker.process.pid)

    async def stop(self) -> None:
        """Take no more connections, and return when all workers have ended."""
        for each in (one for mine in self._sockets for one in mine.values()):
            each.close()
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                for worker in self._workers:
                    tasks.start_soon(worker.stop)


def _said(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
