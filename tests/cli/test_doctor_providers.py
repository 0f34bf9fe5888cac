"""``inboxkit doctor`` on providers: what one has said that takes nothing at present."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from .test_doctor import PORTS, points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Command


class Vendor(BaseHTTPRequestHandler):
    """A vendor that at first knows no key."""

    status = 401

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        said = b'{"id": "<1@a.test>", "message": "Queued."}'
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, inboxkit: Command) -> Iterator[type[Vendor]]:
    """Serve it to the commands, with its settings."""
    handler = type("Known", (Vendor,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        monkeypatch.setenv("INBOXKIT_DOMAIN", "a.test")
        monkeypatch.setenv("INBOXKIT_PROVIDER", "mailgun")
        for key, value in {
            "DOMAIN": "a.test",
            "API_KEY": "key-of-nobody",
            "BASE_URL": f"http://127.0.0.1:{server.server_address[1]}",
        }.items():
            monkeypatch.setenv(f"INBOXKIT_MAILGUN_{key}", value)
        yield handler
        server.shutdown()


SEND = ("send", "--from=bot@a.test", "--to=ann@b.test", "--text=Hi")


@pytest.mark.long  # a send that is not settled is waited for
def test_a_wrong_key_is_told_and_what_waited_leaves_when_a_process_starts_with_the_right_one(
    inboxkit: Command, vendor: type[Vendor]
) -> None:
    inboxkit(*SEND)
    done = inboxkit(*PORTS, "doctor", "--json")
    state, found, fix = points(done)["sends"]
    assert (done.code, state, fix.split(",")[0]) == (1, "fault", "put its settings right")
    assert found.startswith("mailgun is given nothing until ")
    assert ": provider mailgun: credentials: 401" in found
    vendor.status = 200
    inboxkit(*SEND)
    assert len(inboxkit.rows("messages", "--query", "state:accepted")) == 2
    assert points(inboxkit(*PORTS, "doctor", "--json"))["sends"][0] == "ok"
