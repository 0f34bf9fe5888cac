"""The mailbox of a test on a server that others use too: ``pytest --inboxkit-url``."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..client.actions import RemoteActions
from ..client.blocking import BlockingTransport, finish
from ..client.server import Server
from ..client.transport import place
from ..errors import ConfigurationError
from ..matching import matches
from ..router import address_glob
from ..values import EventType
from .mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Message
    from ..values import Pattern

_SMTP_PORT = 1025
_POLL_SECONDS = 20.0


class SharedMailbox(Mailbox):
    """Sees what has come to the server since the test began, so tests name their recipients.

    The server takes mail for any address, as ``inboxkit dev`` does.
    """

    def __init__(self, url: str, smtp: str, address: str) -> None:
        host, _, port = smtp.rpartition(":")
        self._smtp = (host or urlsplit(url).hostname or "", int(port or _SMTP_PORT))
        self._url = url
        self._transport = BlockingTransport(place(url))
        server = Server(self._transport, os.environ.get("INBOXKIT_API_KEY"))
        self._actions = RemoteActions(server)
        self._taken = set()
        self._came: list[Message] = []
        _, self._cursor = finish(self._actions.logged(None))
        self.address = address

    @property
    def host(self) -> str:
        """Where the application under test sends its mail."""
        return self._smtp[0]

    @property
    def port(self) -> int:
        """The port that goes with ``host``."""
        return self._smtp[1]

    @property
    def url(self) -> str:
        """Where HTTP is served."""
        return self._url

    def messages(self, *, to: Pattern = "*", subject: Pattern = "*") -> Sequence[Message]:
        """Return what has come since the test began, oldest first."""
        to = address_glob("to", to)
        self._catch_up(0)
        return [m for m in self._came if matches(subject, m.subject) and _is_for(m, to)]

    def simulate(self, type: EventType, message: Message) -> None:
        """Refuse: what happens to a mail is not decided from outside of the server."""
        raise ConfigurationError(
            "simulate: needs a server of the test's own: run pytest without --inboxkit-url"
        )

    def fail_next(self, code: int, *, times: int = 1) -> None:
        """Refuse: a shared server would refuse the mail of others."""
        raise ConfigurationError(
            "fail_next: needs a server of the test's own: run pytest without --inboxkit-url, "
            f"or write to refuse-{code}@ any domain"
        )

    def close(self) -> None:
        """Close the connections; called when the test is over."""
        self._transport.close()

    def _wait(
        self, kind: str, timeout: float, to: Pattern, sender: Pattern, subject: Pattern
    ) -> Message:
        __tracebackhide__ = True
        end = time.monotonic() + timeout
        self._catch_up(0)
        while True:
            found = self._best(kind, to, sender, subject)
            left = end - time.monotonic()
            if found is not None:
                return found
            if left <= 0:
                raise self._late(kind, timeout, self._came, to=to, sender=sender, subject=subject)
            self._catch_up(min(left, _POLL_SECONDS))

    def _best(self, kind: str, to: Pattern, sender: Pattern, subject: Pattern) -> Message | None:
        """Return the oldest message, the newest code or link, that this test has not had."""
        left = [
            m
            for m in self._came
            if m.id not in self._taken
            and matches(sender, m.sender.email)
            and matches(subject, m.subject)
            and _is_for(m, to)
        ]
        if kind == "message":
            return left[0] if left else None
        return next((m for m in reversed(left) if getattr(m, kind) is not None), None)

    def _catch_up(self, wait: float) -> None:
        """Read the log to its end; with ``wait`` only what comes next."""
        before = ""
        while self._cursor != before:
            before = self._cursor
            events, self._cursor = finish(self._actions.logged(before, wait=wait))
            self._came += [e.message for e in events if e.type == EventType.RECEIVED]
            wait = 0


def _is_for(message: Message, to: Pattern) -> bool:
    """Whether this copy of a mail is that of a recipient who matches."""
    own = [r for r in message.envelope.rcpt_to if _untagged(r) == _untagged(message.inbox)]
    return any(matches(to, recipient) for recipient in own or message.envelope.rcpt_to)


def _untagged(address: str) -> str:
    name, _, domain = address.lower().rpartition("@")
    return f"{name.partition('+')[0]}@{domain}"
