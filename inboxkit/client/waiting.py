"""Waits and the event log by long polls: the server holds a request until there is something."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, WaitTimeout
from . import values
from .server import Failure, piece

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..models import Event, Message, Want
    from ..values import Pattern
    from .actions import RemoteActions
    from .server import Server

_POLL_SECONDS = 50.0  # below the minute after which proxies give up a silent request
_GRACE_SECONDS = 15.0


class Waiting:
    """The waits of one client."""

    def __init__(self, server: Server, actions: RemoteActions) -> None:
        self._server = server
        self._actions = actions

    async def message(self, inbox: str, want: Want, *, timeout: float) -> Message:
        """Return what is wanted, now or when it comes; raise WaitTimeout after ``timeout`` s."""
        if want.when is not None:
            raise ConfigurationError("when: a condition cannot be sent to a server")
        query = {
            "kind": want.kind,
            "sender": _glob("sender", want.sender),
            "subject": _glob("subject", want.subject),
            "host": _glob("host", want.host),
            "since": None if want.after is None else want.after.isoformat(),
        }
        return await self._until(inbox, query, timeout)

    async def reply(self, sent: Message, *, timeout: float) -> Message:
        """Return the next reply to a send; raise WaitTimeout after ``timeout`` s."""
        return await self._until(sent.inbox, {"reply_to": sent.id}, timeout)
