"""SIGTERM while mail comes in from many senders: what has its 250 is there, the exit is clean."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import smtplib
import sqlite3
import threading
from typing import TYPE_CHECKING

from inboxkit import InboxKit
from inboxkit.testing.template import fresh_database
from tests.cli.processes import Serving
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from pathlib import Path

SENDERS, ENOUGH = 10, 30


class Sender(threading.Thread):
    """Sends mails one after the other until the server goes away."""

    def __init__(self, port: int, acknowledged: list[bytes], begun: threading.Event) -> None:
        super().__init__()
        self._port, self._acknowledged, self._begun = port, acknowledged, begun

    def run(self) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            with smtplib.SMTP("127.0.0.1", self._port, timeout=30) as client:
                while True:
                    raw = mail()
                    client.sendmail(ANN, [DESK], raw)
                    self._acknowledged.append(raw.partition(b"Message-ID: ")[2].split(b"\r\n")[0])
                    if len(self._acknowledged) > ENOUGH:
                        self._begun.set()


async def make_inbox(database: str) -> None:
    async with InboxKit(database=database) as kit:
        await kit.inbox(DESK)


def test_sigterm_under_load_loses_nothing_and_ends_with_0(tmp_path: Path) -> None:
    asyncio.run(make_inbox(fresh_database(tmp_path / "inboxkit.db")))
    acknowledged, begun = list[bytes](), threading.Event()
    with Serving(tmp_path, "run") as server:
        senders = [Sender(server.smtp_port, acknowledged, begun) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        assert begun.wait(20)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    for sender in senders:
        sender.join(20)
    with contextlib.closing(sqlite3.connect(tmp_path / "inboxkit.db")) as connection:
        kept = {
            row[0].encode() for row in connection.execute("SELECT message_id FROM inboxkit_message")
        }
    assert set(acknowledged) <= kept
