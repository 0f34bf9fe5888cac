"""The Mailgun facade asked over plain HTTP, as Mailgun's own clients ask it."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from inboxkit.egress import LOOPBACK
from inboxkit.providers import forms
from inboxkit.store import backlog, events, inboxes, mailgun_webhooks
from inboxkit.values import EventType

from .api import path, serving

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy import Connection

    from inboxkit.providers.forms import Field
    from inboxkit.store.store import Store

    from .api import Answer, Api

DOMAIN = "inbox.example"
BASE = {"from": f"Shop <shop@{DOMAIN}>", "to": "ann@example.com", "subject": "Hi", "text": "Hello"}


def basic(key: str, user: str = "api") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{key}'.encode()).decode()}"}


class Mailgun:
    """A server, asked with one key."""

    def __init__(self, api: Api, key: str = "any") -> None:
        self.api = api
        self.headers = basic(key)

    def ask(self, method: str, path: str, **fields: Any) -> Answer:
        """Send fields as a form; a list is a repeated field."""
        body = urlencode(fields, doseq=True).encode() if fields and method != "GET" else None
        target = f"{path}?{urlencode(fields, doseq=True)}" if fields and method == "GET" else path
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        return self.api.ask(method, target, body, {**self.headers, **kind})

    def upload(self, path: str, fields: Sequence[Field], **headers: str) -> Answer:
        """Send fields and files as multipart/form-data."""
        kind, body = forms.write(fields)
        given = {**self.headers, "Content-Type": kind, **headers}
        return self.api.ask("POST", path, body, given)

    def post_json(self, path: str, value: object) -> Answer:
        """Send JSON."""
        given = {**self.headers, "Content-Type": "application/json"}
        return self.api.ask("POST", path, json.dumps(value).encode(), given)

    def good(self, method: str, path: str, **fields: Any) -> Any:
        """Make a request that must succeed; return its JSON."""
        answer = self.ask(method, path, **fields)
        assert answer.status == 200, answer.body
        return answer.json

    def send(self, **fields: Any) -> str:
        """Send a mail; return its Message-ID."""
        return str(self.good("POST", f"/v3/{DOMAIN}/messages", **(BASE | fields))["id"])

    def settle(self) -> None:
        """Return when what is stored was read and sent."""
        runner = self.api.runner
        runner.call(_settled, runner.kit.runtime.store)

    def later(self, **delta: float) -> None:
        """Let time pass, and have what is due then done."""
        self.api.runner.clock.advance(timedelta(**delta))
        self.api.runner.kit.runtime.store.bell.ring_from_thread(["mailgun"])

    def message(self, message_id: str, inbox: str = f"shop@{DOMAIN}") -> Any:
        """Return a message as AgentMail's API shows it."""
        return self.api.good("GET", path(inbox, message_id))


_WORK = ("read", "send", "mailgun")


async def _settled(store: Store) -> None:
    while True:
        seen = store.bell.count("done")
        is_told = await store.read(_is_told)  # first: posts are queued as the log is followed
        if is_told and not await store.read(backlog.are_left, _WORK, store.clock):
            return
        await store.bell.wait("done", seen, timeout=0.1)


def _is_told(connection: Connection) -> bool:
    """Whether the log was followed to its end, where it is followed."""
    return mailgun_webhooks.cursor(connection) in (None, events.last(connection))


class Receiver:
    """A server that takes posts; ``posts`` are they, ``answer`` is what it says."""

    def __init__(self) -> None:
        self.posts: Queue[tuple[str, str, bytes]] = Queue()
        self.answer = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                receiver.posts.put((self.path, self.headers.get("content-type", ""), body))
                self.send_response(receiver.answer)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def event(self) -> tuple[str, Any]:
        """Return the path and the JSON of the next post."""
        path, _, body = self.posts.get(timeout=30)
        return path, json.loads(body)

    def mail(self) -> tuple[str, forms.Form]:
        """Return the path and the form of the next post."""
        path, kind, body = self.posts.get(timeout=30)
        return path, forms.read(kind, body)


@contextmanager
def shop() -> Generator[Api]:
    """Run a server with the inbox of a shop, whose posts may go to this machine."""
    with serving(egress_networks=LOOPBACK) as running:
        running.inbox(username="shop")
        yield running


async def opened(api: Api, inbox: str, message_id: int, recipient: str) -> None:
    """Log that a message was opened."""
    store = api.runner.kit.runtime.store
    record = await store.read(inboxes.require, inbox)
    await store.write(
        events.append,
        EventType.OPENED,
        at=store.clock.now(),
        inbox_id=record.id,
        message_id=message_id,
        thread_id=None,
        recipient=recipient,
    )
