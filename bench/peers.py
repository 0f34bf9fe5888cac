"""The other servers that benches measure beside ours, those that are installed.

Postfix's smtp-sink (Debian: package postfix) stores nothing; maildev (npm) parses what it takes
and keeps it in memory.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from running import stop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

MAILDEV, SMTP_SINK = "maildev", "smtp-sink"
_START_SECONDS = 20.0
DOES = {
    MAILDEV: "it parses first, and keeps in memory",
    SMTP_SINK: "it stores nothing",
}
_HOW = {
    MAILDEV: "npm install -g maildev",
    SMTP_SINK: "Debian: package postfix",
}


class Peer:
    """A server of somebody else's in a process of its own."""

    def __init__(self, name: str, port: int, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.port = port
        self.process = process


def installed(name: str) -> bool:
    """Whether a peer can be started; say what to install where it cannot."""
    found = shutil.which(name) is not None
    if not found:
        print(f"{name}: skipped, it is not installed ({_HOW[name]})")
    return found


@contextlib.contextmanager
def maildev() -> Generator[Peer]:
    """Run maildev, which keeps what it takes in memory."""
    smtp, web = _free_port(), _free_port()
    with _started(MAILDEV, ["--smtp", str(smtp), "--web", str(web), "--silent"], smtp) as peer:
        yield peer


@contextlib.contextmanager
def smtp_sink() -> Generator[Peer]:
    """Run Postfix's smtp-sink, which throws everything away."""
    port = _free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []  # as root it runs for nobody only
    with _started(SMTP_SINK, [*user, f"127.0.0.1:{port}", "100"], port) as peer:
        yield peer


PEERS: dict[str, Callable[[], AbstractContextManager[Peer]]] = {
    MAILDEV: maildev,
    SMTP_SINK: smtp_sink,
}


@contextlib.contextmanager
def _started(name: str, options: list[str], port: int) -> Generator[Peer]:
    command = [name, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield Peer(name, port, process)
        finally:
            stop(process)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                raise
            time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
