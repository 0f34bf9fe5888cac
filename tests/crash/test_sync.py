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
from typing import TYPE_CHECKING

import pytest

from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    import sqlite3

    from inboxkit import InboxKit
    from inboxkit.store.transactions import Tx

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


@pytest.mark.sqlite
async def test_a_mail_is_stored_with_an_fsync_also_after_a_lease_without_one(kit: InboxKit) -> None:
    """What needs no strace: the level that SQLite was told when each mail was stored."""
    heard: list[str] = []

    def listen(tx: Tx) -> None:
        driver: sqlite3.Connection = tx.connection.connection.dbapi_connection  # type: ignore[assignment]
        driver.set_trace_callback(heard.append)

    await kit.inbox(DESK)
    store = kit.runtime.store
    await store.write(listen)
    for number in range(3):
        await store.write_lightly(store.beat)
        raw = mail(to=DESK, subject=f"{number}")
        await kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=[DESK])
    level, levels = "", list[str]()
    for statement in heard:
        level = statement if statement.startswith("PRAGMA synchronous=") else level
        levels += [level] if statement.startswith("INSERT INTO inboxkit_arriving") else []
    assert len(levels) >= 3  # a statement is heard again at each row of its trigger
    assert set(levels) == {"PRAGMA synchronous=FULL"}
    assert "PRAGMA synchronous=NORMAL" in heard
