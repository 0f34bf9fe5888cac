"""A bucket for tests: moto's S3 in this process, and stores that are away, slow or broken."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks for parts that S3 does not need
    from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Generator

NAME = "mail"
URL = f"s3://{NAME}/raw"


@dataclass
class Bucket:
    """Where a bucket is, with the options that lead there."""

    endpoint: str
    options: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        keys = {"access_key_id": "test", "secret_access_key": "test", "region": "us-east-1"}
        self.options = {"endpoint": self.endpoint, **keys, **self.options}

    @property
    def settings(self) -> dict[str, object]:
        """What a settings file would hold."""
        return {"object_store": URL, "options": {"object_store": self.options}}

    @property
    def environ(self) -> dict[str, str]:
        """The same as variables."""
        given = {f"INBOXKIT_OBJECT_STORE_{k.upper()}": v for k, v in self.options.items()}
        return {"INBOXKIT_OBJECT_STORE": URL, **given}

    def make(self) -> None:
        """Make the bucket."""
        self._ask("PUT")

    def empty(self) -> None:
        """Forget all objects, the bucket too."""
        urlopen(Request(f"{self.endpoint}/moto-api/reset", method="POST"), timeout=30).close()

    def _ask(self, method: str) -> None:
        urlopen(Request(f"{self.endpoint}/{NAME}", method=method), timeout=30).close()


@contextlib.contextmanager
def serving() -> Generator[Bucket]:
    """Serve S3 with an empty bucket on a free port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would log each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    bucket = Bucket(f"http://{host}:{port}")
    bucket.make()
    try:
        yield bucket
    finally:
        server.stop()


@contextlib.contextmanager
def silent() -> Generator[Bucket]:
    """Take connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Bucket(f"http://127.0.0.1:{listening.getsockname()[1]}", {"timeout": "100ms"})


@contextlib.contextmanager
def failing() -> Generator[Bucket]:
    """Answer everything with 503."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with contextlib.suppress(OSError):  # the end of the test
            while True:
                taken, _ = listening.accept()
                with taken:
                    taken.recv(65_536)
                    taken.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield Bucket(f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def away() -> Bucket:
    """Return a bucket at a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return Bucket(f"http://127.0.0.1:{listening.getsockname()[1]}")


@contextlib.contextmanager
def elsewhere(bucket: Bucket, kind: str) -> Generator[Bucket]:
    """Yield a bucket that cannot be written to: ``away``, or not there on its server."""
    if kind == "away":
        yield away()
        return
    bucket.empty()
    yield bucket
    bucket.make()
