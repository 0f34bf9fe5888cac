"""The API asked over plain HTTP, so that a test sends exactly the bytes that it means to."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import anyio
from sqlalchemy import select

from inboxkit.store import events
from inboxkit.store.tables import content
from inboxkit.testing.runner import Runner
from inboxkit.tokens import row_id
from tests.mails import mail

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from sqlalchemy import Connection

    from inboxkit import Message


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the JSON or the bytes of the body, and the headers in lower case."""

    status: int
    json: Any
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.json["code"])


def _asked(connection: Connection, row: int) -> Any:
    query = select(content.c.options).where(content.c.message_id == row)
    return connection.execute(query).scalar_one()


class Api:
    """A server on a free port, asked with one key."""

    def __init__(self, runner: Runner, key: str = "") -> None:
        self.runner = runner
        self._key = key
        self._connection: HTTPConnection | None = None
        self._others: list[Api] = []

    def of(self, key: str) -> Api:
        """Return the same server, asked with another key."""
        other = Api(self.runner, key)
        self._others.append(other)
        return other

    @property
    def url(self) -> str:
        """Where the server is."""
        return self.runner.kit.url

    def ask(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Make a request. ``body`` is sent as JSON, bytes as they are."""
        sent = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        connection = self._connected()
        connection.request(method, target, data, {**sent, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        if answer.will_close:
            self.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        is_json = found.get("content-type", "").startswith("application/json")
        return Answer(answer.status, json.loads(text) if is_json and text else None, found, text)

    def _connected(self) -> HTTPConnection:
        if self._connection is None:
            where = urlsplit(self.url)
            assert where.hostname is not None
            self._connection = HTTPConnection(where.hostname, where.port, timeout=30)
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        for other in self._others:
            other.close()

    def good(self, method: str, target: str, body: Any = None, **headers: str) -> Any:
        """Make a request that must succeed; return its JSON."""
        answer = self.ask(method, target, body, headers)
        assert answer.status in (200, 204), answer
        return answer.json

    def inbox(self, **asked: Any) -> str:
        """Make an inbox and return its address."""
        return str(self.good("POST", "/v0/inboxes", asked)["inbox_id"])

    def send(self, inbox: str, **asked: Any) -> Any:
        """Send from an inbox; return the ids."""
        wanted = {"to": "ann@example.com", "subject": "Hi", "text": "Hello"} | asked
        return self.good("POST", f"/v0/inboxes/{inbox}/messages/send", wanted)

    def asked(self, message_id: str) -> dict[str, Any]:
        """Return what a send, named by our own id, asks its provider for."""
        read: Any = self.runner.kit.runtime.store.read
        found: dict[str, Any] = self.runner.call(read, _asked, row_id("msg", message_id))
        return found

    def arrive(self, to: str, text: str = "Hello", **given: Any) -> Message:
        """Let a mail come in; return it once it is read, and those who listen can be told of it."""
        return self.taken(mail(text, to=to, **given), to)

    def taken(self, raw: bytes, to: str) -> Message:
        """Let these bytes come in as a mail; return it as ``arrive`` does."""
        return self.runner.call(self._arrived, raw, to)

    async def _arrived(self, raw: bytes, to: str) -> Message:
        kit = self.runner.kit
        came = await kit.receive(raw, mail_from="ann@example.com", rcpt_to=[to])
        last, notify = await kit.runtime.store.read(events.last), kit.runtime.notify
        with anyio.fail_after(30):
            while notify.cursor < last:  # the log is followed a few milliseconds behind
                await notify.bell.wait("any", notify.bell.count("any"), timeout=0.1)
        return came


def path(inbox: str, message: Message | str, suffix: str = "") -> str:
    """Return the path of a message, its id encoded as browsers do."""
    name = message if isinstance(message, str) else message.message_id
    return f"/v0/inboxes/{inbox}/messages/{quote(name, safe='')}{suffix}"


@contextmanager
def serving(**settings: Any) -> Generator[Api]:
    """Run a server."""
    runner = Runner(**settings)
    runner.start()
    api = Api(runner)
    try:
        yield api
    finally:
        api.close()
        runner.stop()
