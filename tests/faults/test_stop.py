"""SIGTERM while mail comes in from many senders: what has its 250 is there, the exit is clean."""

from __future__ import annotations

import signal
import smtplib
import threading
from typing import TYPE_CHECKING

from inboxkit.testing.template import fresh_database
from tests.cli.processes import Process, Serving
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from pathlib import Path


def send_until_closed(port: int, acknowledged: list[bytes], begun: threading.Event) -> None:
    """Send mails one after the other until the server goes away."""
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            while True:
                raw = mail()
                client.sendmail(ANN, [DESK], raw)
                acknowledged.append(raw)
                if len(acknowledged) > 50:
                    begun.set()
    except (OSError, smtplib.SMTPException):
        return


def test_sigterm_under_load_loses_nothing_and_ends_with_0(tmp_path: Path) -> None:
    fresh_database(tmp_path / "inboxkit.db")
    with Process(tmp_path, "inbox", "create", DESK) as made:
        assert made.wait() == 0
    acknowledged, begun = list[bytes](), threading.Event()
    with Serving(tmp_path, "run", "nowhere") as server:
        arguments = (server.smtp_port, acknowledged, begun)
        senders = [threading.Thread(target=send_until_closed, args=arguments) for _ in range(20)]
        for sender in senders:
            sender.start()
        assert begun.wait(20)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        for sender in senders:
            sender.join(20)
    with Process(tmp_path, "export", "kept") as exported:
        assert exported.wait() == 0
    kept = {
        file.read_bytes().partition(b"Message-ID: ")[2].partition(b"\r\n")[0]
        for file in (tmp_path / "kept").glob("*.eml")
    }
    wanted = {raw.partition(b"Message-ID: ")[2].partition(b"\r\n")[0] for raw in acknowledged}
    assert wanted <= kept
