"""One request and its answer, whoever carries them: blocking sockets or an event loop."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from ..errors import ConfigurationError, RemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unreachable(RemoteError):
    """Nobody answers at the server's address, or the connection broke before the answer.

    ``is_unheard``: surely nobody has got the request. Else the server may have done what it asks.
    """

    def __init__(self, message: str, *, is_unheard: bool = False) -> None:
        super().__init__(message)
        self.is_unheard = is_unheard


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request; ``target`` is a path with its query, encoded. ``timeout`` is in seconds."""

    method: str
    target: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the bytes of the body, and the version of what is shown, if it has one."""

    status: int
    body: bytes = field(repr=False)
    etag: str = ""


class Transport(Protocol):
    """Carries requests to one server."""

    async def ask(self, question: Question) -> Answer:
        """Return the answer; raise Unreachable."""
        ...

    async def pause(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is: the pieces of its URL."""

    url: str
    host: str
    port: int
    tls: bool
    prefix: str


def place(url: str) -> Place:
    """Read a server's URL; raise ConfigurationError for what is none."""
    wrong = ConfigurationError(f"url: {url!r} is no HTTP URL, such as http://127.0.0.1:8025")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        url.encode()  # raises UnicodeEncodeError, which is a ValueError
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise wrong
    tls = parts.scheme == "https"
    prefix = parts.path.rstrip("/").removesuffix("/v0")  # which is in the paths of requests
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{prefix}"
    return Place(shown, host, port or (443 if tls else 80), tls, prefix)


def unreachable(where: Place, error: Exception) -> Unreachable:
    """Return the error that says who does not answer, and why."""
    cause = getattr(error, "os_error", error)  # aiohttp's words name the address once more
    why = " ".join(str(cause).split()) or type(cause).__name__
    if isinstance(cause, ConnectionRefusedError):
        why = "connection refused; `inboxkit run` or `inboxkit dev` starts a server there"
    unheard = isinstance(cause, (ConnectionRefusedError, socket.gaierror))
    return Unreachable(f"nobody answers at {where.url}: {why}", is_unheard=unheard)
