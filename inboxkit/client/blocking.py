"""Client: blocking calls, for programs without an event loop and for other loops than asyncio's.

What is asked is written once, as coroutines. Over blocking sockets they never suspend, so they are
run to their end without an event loop.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .actions import RemoteActions
from .server import Server
from .transport import Answer, Place, Question, place, unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
    from datetime import datetime, timedelta

    from ..extracted import Link, Otp
    from ..inbox import Inbox
    from ..models import Event, Message, Thread
    from ..values import Files, Pattern, ProviderOptions, Recipients

T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that never suspends."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("a blocking call has suspended")


def each(items: AsyncIterator[T]) -> Iterator[T]:
    """Iterate over an asynchronous iterator that never suspends."""
    while True:
        found = finish(_next(items))
        if found is None:
            return
        yield found


async def _next(items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)


class BlockingTransport:
    """Carries requests over ``http.client``; connections are kept for any thread to use again."""

    def __init__(self, where: Place) -> None:
        self._where = where
        self._free: deque[http.client.HTTPConnection] = deque()
        self._tls = ssl.create_default_context() if where.tls else None

    async def ask(self, question: Question) -> Answer:
        """Return the answer; raise Unreachable, also when a kept connection has ended meanwhile."""
        try:
            connection = self._free.pop()
        except IndexError:  # asked, not looked up: another thread may take the last one meanwhile
            connection = self._connection()
        connection.timeout = question.timeout
        if connection.sock is not None:
            connection.sock.settimeout(question.timeout)
        try:
            answer = self._exchange(connection, question)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.close()  # the others are likely to have ended too
            raise unreachable(self._where, error) from None
        return answer

    async def pause(self, seconds: float) -> None:
        """Block for so many seconds."""
        time.sleep(seconds)  # noqa: ASYNC251 - it is what this transport is for

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._where.host, self._where.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, context=self._tls)
        return http.client.HTTPConnection(host, port)

    def _exchange(self, connection: http.client.HTTPConnection, question: Question) -> Answer:
        target = f"{self._where.prefix}{question.target}"
        connection.request(question.method, target, question.body, dict(question.headers))
        answer = connection.getresponse()
        body = answer.read()
        if not answer.will_close:
            self._free.append(connection)
        return Answer(answer.status, body, answer.getheader("ETag", ""))

    def close(self) -> None:
        """Close the connections that nobody uses."""
        free, self._free = self._free, deque()
        for connection in free:
            connection.close()


class SyncInbox:
    """An inbox with calls that block.

    Its messages are those of the package: what they can do is async, for ``asyncio.run``.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def __repr__(self) -> str:
        return f"SyncInbox({self.address!r})"

    @property
    def address(self) -> str:
        """Where it receives, and what it sends from."""
        return self._inbox.address

    def send(
        self,
        to: Recipients,
        subject: str,
        text: str = "",
        *,
        html: str = "",
        cc: Recipients = (),
        bcc: Recipients = (),
        reply_to: Recipients = (),
        attachments: Files = (),
        headers: Mapping[str, str] | None = None,
        tag: str = "",
        metadata: Mapping[str, str] | None = None,
        key: str | None = None,
        at: datetime | None = None,
        options: ProviderOptions | None = None,
    ) -> Message:
        """Queue a message and return it; see ``Inbox.send``."""
        return finish(
            self._inbox.send(
                to,
                subject,
                text,
                html=html,
                cc=cc,
                bcc=bcc,
                reply_to=reply_to,
                attachments=attachments,
                headers=headers,
                tag=tag,
                metadata=metadata,
                key=key,
                at=at,
                options=options,
            )
        )

    def search(self, query: str = "", *, limit: int | None = None) -> Iterator[Message]:
        """Iterate over the messages that match, newest first."""
        return each(self._inbox.search(query, limit=limit))

    def wait_for_message(
        self, *, timeout: float, sender: Pattern = "*", subject: Pattern = "*"
    ) -> Message:
        """Return the oldest message that no wait has taken.

        Raise WaitTimeout after ``timeout`` s.
        """
        found = self._inbox.wait_for_message(timeout=timeout, sender=sender, subject=subject)
        return finish(found)

    def wait_for_otp(self, *, timeout: float, sender: Pattern = "*") -> Otp:
        """Return the newest code that no wait has taken; raise WaitTimeout after ``timeout`` s."""
        return finish(self._inbox.wait_for_otp(timeout=timeout, sender=sender))

    def wait_for_link(self, *, timeout: float, sender: Pattern = "*", host: Pattern = "*") -> Link:
        """Return the newest link to act on; raise WaitTimeout after ``timeout`` s."""
        return finish(self._inbox.wait_for_link(timeout=timeout, sender=sender, host=host))

    def delete(self) -> None:
        """Delete the inbox with everything in it."""
        finish(self._inbox.delete())


class Client:
    """A server's inboxes, with calls that block: a context manager that any threads may share."""

    def __init__(self, url: str = "http://127.0.0.1:8025", api_key: str | None = None) -> None:
        self._transport = BlockingTransport(place(url))
        self._actions = RemoteActions(Server(self._transport, api_key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._transport.close()

    def inbox(
        self,
        address: str | None = None,
        *,
        display_name: str = "",
        metadata: Mapping[str, Any] | None = None,
        client_id: str | None = None,
        since: datetime | timedelta | None = None,
    ) -> SyncInbox:
        """Return the inbox of an address, made if it is new; without one, a new address.

        A new inbox's waits see everything; those of one that was there see what comes from now on,
        or from ``since``.
        """
        opened = self._actions.open_inbox(
            address, display_name=display_name, metadata=metadata, client_id=client_id, since=since
        )
        return SyncInbox(finish(opened))

    def message(self, id: str) -> Message:
        """Return a message; raise NotFound."""
        return finish(self._actions.message(id))

    def thread(self, id: str) -> Thread:
        """Return a thread; raise NotFound."""
        return finish(self._actions.thread(id))

    def search(self, query: str = "", *, limit: int | None = None) -> Iterator[Message]:
        """Iterate over the messages of all inboxes that match, newest first."""
        return each(self._actions.search(None, query, limit))

    def events(self, *, after: str | None = None) -> Iterator[Event]:
        """Iterate over the event log for ever, from a cursor (an event's id) or from now on."""
        return each(self._actions.events(after))
