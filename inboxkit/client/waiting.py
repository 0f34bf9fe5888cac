"""Waits and the event log by long polls: the server holds a request until there is something."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, WaitTimeout
from . import values
from .server import piece

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from ..models import Event, Message, Want
    from ..values import Pattern
    from .actions import RemoteActions
    from .server import Asked, Server

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
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
        query: dict[str, Asked] = {
            "kind": want.kind,
            "sender": _glob("sender", want.sender),
            "subject": _glob("subject", want.subject),
            "host": _glob("host", want.host),
            "since": (want.after or _EVER).isoformat(),
        }
        return await self._until(inbox, query, timeout)

    async def reply(self, sent: Message, *, timeout: float) -> Message:
        """Return the next reply to a send; raise WaitTimeout after ``timeout`` s."""
        return await self._until(sent.inbox, {"reply_to": sent.id}, timeout)

    async def events(self, after: str | None) -> AsyncIterator[Event]:
        """Iterate over the event log for ever, from a cursor or from now on."""
        cursor = after
        while True:
            found, cursor = await self.page(cursor, wait=_POLL_SECONDS if cursor else 0)
            for event in found:
                yield event

    async def page(self, after: str | None, *, wait: float) -> tuple[list[Event], str]:
        """Return events after a cursor, waiting for the first, and where to go on."""
        query: dict[str, Asked] = {"after": after, "wait": wait}
        said = await self._server.get("/v0/events", query, timeout=wait + _GRACE_SECONDS)
        facts = [(one["event_id"], one["inboxkit"]) for one in said["events"] if _of_message(one)]
        about = await self._about([fact["id"] for _, fact in facts])
        found = [
            values.event(id, fact, about[fact["id"]]) for id, fact in facts if fact["id"] in about
        ]
        return found, said["cursor"]

    async def _about(self, ids: Sequence[str]) -> dict[str, Message]:
        found = await self._actions.messages(list(dict.fromkeys(ids)))
        return {m.id: m for m in found}

    async def _until(self, inbox: str, query: Mapping[str, Asked], timeout: float) -> Message:
        """Ask again and again, each time for as long as a request may be silent."""
        path, end = f"/v0/inboxes/{piece(inbox)}/wait", time.monotonic() + timeout
        while True:
            left = max(0.0, end - time.monotonic())
            poll = min(left, _POLL_SECONDS)
            asked: dict[str, Asked] = {**query, "whole": True, "timeout": round(poll, 3)}
            said = await self._server.get(path, asked, timeout=poll + _GRACE_SECONDS)
            if said["found"]:
                return values.message(said["whole"], self._actions)
            if left <= _POLL_SECONDS:
                arrived = [values.message(one, self._actions) for one in said["arrived_whole"]]
                raise WaitTimeout(said["reason"].partition("\n")[0], arrived)


def _of_message(said: Mapping[str, Any]) -> bool:
    """Whether an event is about a message; in process, too, those alone are events."""
    return "id" in said["inboxkit"]


def _glob(field: str, pattern: Pattern) -> str | None:
    """Return a pattern as the server takes it: a glob; None for one that all match."""
    if not isinstance(pattern, str):
        raise ConfigurationError(f"{field}: a server takes globs, such as *@shop.example")
    return None if pattern == "*" else pattern
