"""A server whose answers are written down before it is asked."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

OPENED: dict[str, Any] = {"address": "desk@inbox.example", "display_name": "", "metadata": {}}
CUT = b""


def answer(status: int, said: Any) -> bytes:
    """Return an answer in JSON, or with these bytes as they are; the connection ends with it."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def refusal(status: int, code: str, message: str) -> bytes:
    """Return an error as the API has it."""
    return answer(status, {"code": code, "message": message})


class Scripted:
    """Gives the next of its answers on each connection, then closes it; ``asked`` is what came."""

    def __init__(self, *answers: bytes) -> None:
        self.asked: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, args=(answers,))
        self._thread.start()

    def _serve(self, answers: tuple[bytes, ...]) -> None:
        for answer in answers:
            connection, _ = self._socket.accept()
            with connection:
                self.asked.append(connection.recv(65_536))
                connection.sendall(answer)

    def close(self) -> None:
        """End once all answers are given."""
        self._thread.join(10)
        self._socket.close()
