"""A loopback HTTP server around a Fake, for the vendors' own clients."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast

from inboxkit.providers.base import HttpRequest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator

    from inboxkit.providers.fakes.fake import Fake


class _Server(ThreadingHTTPServer):
    def __init__(self, fake: Fake) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = HttpRequest(
            method=self.command,
            url=f"http://{self.headers['host']}{self.path}",
            headers=dict(self.headers.items()),
            body=self.rfile.read(int(self.headers.get("content-length", 0))),
        )
        answer = cast("_Server", self.server).fake.handle(request)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(fake: Fake, tls: ssl.SSLContext | None = None) -> Generator[str]:
    """Serve a Fake on a free port and yield its base URL."""
    server = _Server(fake)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
