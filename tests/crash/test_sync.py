"""The 250 comes after the fsync: SIGKILL cannot show that, the order of system calls can."""

from __future__ import annotations

import os
import re
import shutil
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mails import ANN, mail

ROOT = Path(__file__).parents[2]
STRACE = shutil.which("strace")
CALLS = "trace=fsync,fdatasync,sendto,sendmsg,write"
SYNCED = re.compile(r"\b(fsync|fdatasync)\(.*\) += 0|<\.\.\. (fsync|fdatasync) resumed.*\) += 0")
GO_AHEAD = re.compile(r'(?:sendto|write|sendmsg)\(\d+, .*?"354')
TAKEN = re.compile(r'(?:sendto|write|sendmsg)\(\d+, .*?"250 2\.0\.0 Message accepted')


def unsynced(trace: str) -> tuple[int, int]:
    """Return how many mails were acknowledged, and how many of them without an fsync."""
    acknowledged = bad = 0
    waiting = synced = False
    for line in trace.splitlines():
        if GO_AHEAD.search(line):
            waiting, synced = True, False
        elif SYNCED.search(line):
            synced = True
        elif waiting and TAKEN.search(line):
            acknowledged, bad, waiting = acknowledged + 1, bad + (not synced), False
    return acknowledged, bad


def may_trace() -> bool:
    """Whether strace is here and the system lets it trace."""
    if STRACE is None:
        return False
    probe = [STRACE, "-f", "-qq", "-e", CALLS, "-o", os.devnull, sys.executable, "-c", ""]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def test_every_250_follows_an_fsync(tmp_path: Path) -> None:
    if not may_trace():
        pytest.skip("strace may not trace here")
    trace, database = tmp_path / "trace", tmp_path / "sync.db"
    tracing = [str(STRACE), "-f", "-qq", "-s", "64", "-e", CALLS, "-o", str(trace)]
    server = [sys.executable, "-m", "tests.crash.server", "--db", str(database)]
    with subprocess.Popen(
        [*tracing, *server], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        assert ready[:1] == [b"ready"], "the server does not start"
        port = int(ready[1].rpartition(b":")[2])
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            for _ in range(5):
                client.sendmail(ANN, ["bot@inbox.example"], mail(to="bot@inbox.example"))
        os.killpg(process.pid, signal.SIGTERM)  # strace itself is deaf to it
        process.communicate(timeout=30)
    assert unsynced(trace.read_text()) == (5, 0)


def test_an_acknowledgement_without_fsync_would_be_seen() -> None:
    told = '7 sendto(9, "354 go"...) = 6\n7 sendto(9, "250 2.0.0 Message accepted"...) = 9\n'
    assert unsynced(told) == (1, 1)
    assert unsynced(told.replace("\n", "\n8 fdatasync(3) = 0\n", 1)) == (1, 0)
