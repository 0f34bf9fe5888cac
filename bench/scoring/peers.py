"""Asks the libraries of others the same cases, each in a process with a limit a case."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECONDS = 5.0  # for one case; none of the mails asked takes an honest program a tenth of that
_START_SECONDS = 30.0  # for the first case, the import included


@dataclass(frozen=True)
class Answer:
    """What a library said; ``error`` is the name of an exception, "timeout" or "ended"."""

    value: Any = None
    error: str = ""


def installed(name: str) -> str:
    """Return the version of the distribution that a reader's name begins with, "" for none."""
    try:
        return version(name.partition(",")[0])
    except PackageNotFoundError:
        return ""


def ask(name: str, cases: Iterable[Mapping[str, Any]], *, seconds: float = SECONDS) -> list[Answer]:
    """Return the answers of a library, in order; a process that hangs is replaced by a new one."""
    answers: list[Answer] = []
    process: _Process | None = None
    for case in cases:
        limit = seconds if process else _START_SECONDS
        process = process or _Process(name)
        answer = process.ask(case, limit)
        answers.append(answer)
        if answer.error in ("timeout", "ended"):
            process.end()
            process = None
    if process:
        process.end()
    return answers


class _Process:
    """A running ``peer_process``; a thread waits for its lines, so that waiting can have an end."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scoring.peer_process", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin = self._process.stdin
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        reader.start()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._lines.put(line)
        self._lines.put("")

    def ask(self, case: Mapping[str, Any], seconds: float) -> Answer:
        """Return the answer to one case."""
        try:
            self._stdin.write(json.dumps(case) + "\n")
            self._stdin.flush()
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return Answer(error="timeout")
        except BrokenPipeError:
            return Answer(error="ended")
        if not line:
            return Answer(error="ended")
        said: dict[str, Any] = json.loads(line)
        return Answer(said.get("answer"), said.get("error", ""))

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._stdin.close()
