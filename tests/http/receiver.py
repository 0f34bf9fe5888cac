"""A receiver of webhooks on a free port: keeps what comes, answers as it is told."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Generator


@dataclass(frozen=True, slots=True)
class Post:
    """A request that came."""

    headers: dict[str, str]
    body: bytes = field(repr=False)


class Receiver(ThreadingHTTPServer):
    """``statuses`` are the answers to come, then 200; ``posts`` what came.

    ``retry_after`` goes with every answer that is not 200.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts: queue.Queue[Post] = queue.Queue()
        self.statuses: list[int] = []
        self.retry_after = ""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/hook"

    def next(self) -> Post:
        """Return the next request, now or within thirty seconds."""
        return self.posts.get(timeout=30)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = cast("Receiver", self.server)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        receiver.posts.put(Post(dict(self.headers.items()), body))  # before anybody has the answer
        status = receiver.statuses.pop(0) if receiver.statuses else 200
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", receiver.url)
        if status != 200 and receiver.retry_after:
            self.send_header("retry-after", receiver.retry_after)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def receiving() -> Generator[Receiver]:
    """Listen."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()
