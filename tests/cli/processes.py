"""``inboxkit`` as a process of its own, where the process is the point: signals, ports, reload."""

from __future__ import annotations

import os
import queue
import smtplib
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    import signal
    from pathlib import Path

LIMIT_SECONDS = 30.0


class Process:
    """A running command; what it prints is read line by line, never longer than the limit."""

    def __init__(self, folder: Path, *arguments: str, stdin: bytes = b"") -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("INBOXKIT_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "inboxkit", *arguments],
            cwd=folder,
            env=clean | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(stdin.decode())
        self._process.stdin.close()
        self._lines: dict[str, queue.Queue[str]] = {"out": queue.Queue(), "err": queue.Queue()}
        self.said: dict[str, list[str]] = {"out": [], "err": []}
        self._readers = [
            self._read("out", self._process.stdout),
            self._read("err", self._process.stderr),
        ]

    def _read(self, name: str, stream: IO[str] | None) -> threading.Thread:
        assert stream is not None

        def read() -> None:
            for line in stream:
                self.said[name].append(line.rstrip("\n"))
                self._lines[name].put(line.rstrip("\n"))

        thread = threading.Thread(target=read)
        thread.start()
        return thread

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self.wait()

    def line(self, wanted: str, stream: str = "out") -> str:
        """Return the next line that contains ``wanted``; fail with all that was said."""
        end = time.monotonic() + LIMIT_SECONDS
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines[stream].get(timeout=left)
            except queue.Empty:
                break
            if wanted in line:
                return line
        raise AssertionError(f"no line with {wanted!r} on {stream}; {self.said}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self, limit: float = LIMIT_SECONDS) -> int:
        """Return the exit code, once all that was printed is read."""
        code = self._process.wait(limit)
        for reader in self._readers:
            reader.join(LIMIT_SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return code


class Serving(Process):
    """``run`` or ``dev`` on free ports; ready when it is made."""

    def __init__(self, folder: Path, command: str, *arguments: str) -> None:
        ports = ("--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0")
        super().__init__(folder, command, *arguments, *ports)
        self.ready = self.line("ready ")
        _, smtp, http = self.ready.split(" ")
        self.smtp_port = int(smtp.rpartition(":")[2])
        self.url = http.removeprefix("http=")

    def send(self, raw: bytes, to: str = "echo@inbox.example") -> None:
        """Hand a mail in by SMTP."""
        with self.client() as smtp:
            smtp.sendmail("ann@example.com", [to], raw)

    def client(self) -> smtplib.SMTP:
        """Return a connection to its SMTP port; it ends with its context."""
        return smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=LIMIT_SECONDS)
