"""Ports that take connections, and how many of them a process has file descriptors for."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Callable

BACKLOG = 1024  # connections that wait in the system until they are accepted
_AT_ONCE = 8  # accepted in one turn of the loop: none of them is counted before the next one
_ENOUGH = (65_536, 10_240)  # descriptors; macOS gives no process more than the second
_RESERVED = 160  # for the database, files, outgoing connections, and what was just accepted
_FEWEST = 16
_EXHAUSTED = "socket.accept() out of system resource"
_SELDOM_SECONDS = 60.0


async def serve(
    factory: Callable[[], asyncio.BaseProtocol], at: socket.socket | tuple[str, int]
) -> asyncio.Server:
    """Accept connections from a bound socket, or at a host and port; when cancelled, from none."""
    logging.getLogger("asyncio").addFilter(_SELDOM)
    # asyncio takes the backlog for the number to accept at once, and goes on when there is no
    # descriptor left: then each turn logs as many errors and plans as many tries.
    loop = asyncio.get_running_loop()
    if isinstance(at, tuple):
        server = await loop.create_server(factory, *at, backlog=_AT_ONCE, start_serving=False)
    else:
        server = await loop.create_server(factory, sock=at, backlog=_AT_ONCE, start_serving=False)
    try:
        await server.start_serving()  # it listens, then lets the loop turn once
        for listening in server.sockets:
            with listening.dup() as twin:
                twin.listen(BACKLOG)
    except BaseException:
        server.close()
        raise
    return server


def cannot_listen(edge: str, at: str, error: OSError) -> str:
    """Say why a port cannot be opened, and what to do."""
    # asyncio puts sentences of its own into strerror; a name that has no address has no errno.
    number = None if isinstance(error, socket.gaierror) else error.errno
    why = os.strerror(number) if number else error.strerror or str(error)
    return f"{edge}: cannot listen on {at}: {why}; choose another address or a free port"


class Seldom(logging.Filter):
    """Lets the report that no connection can be accepted through once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is to be logged."""
        if not str(record.msg).startswith(_EXHAUSTED):
            return True
        if record.created < self._next:
            return False
        self._next = record.created + _SELDOM_SECONDS
        return True


_SELDOM = Seldom()


def raise_limit() -> None:
    """Allow this process as many open files as its hard limit does, within reason."""
    if sys.platform == "win32":
        return
    for enough in _ENOUGH:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = enough if hard == resource.RLIM_INFINITY else min(enough, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def descriptors() -> int:
    """Return how many files this process may have open."""
    if sys.platform == "win32":
        return _ENOUGH[0]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH[0] if soft == resource.RLIM_INFINITY else soft


def places(smtp: int, http: int, descriptors: int) -> tuple[int, int]:
    """Return how many connections each port may have so that all of them fit."""
    left = max(descriptors - _RESERVED, 4 * _FEWEST)
    if smtp + http > left:
        smtp = min(smtp, left // 4)
        http = min(http, left - smtp)
    return smtp, http
