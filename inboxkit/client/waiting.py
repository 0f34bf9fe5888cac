"""Waits and the event log by long polls: the server holds a request until there is something."""

from __future__ import annotations

import math
import secrets
import time
from collections import OrderedDict
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, StoreError, WaitTimeout
from . import values
from .server import piece
from .transport import Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Mapping, Sequence

    from ..models import Event, Message, Want
    from ..values import Pattern
    from .actions import RemoteActions
    from .server import Asked, Server

_EVENTS = "/v0/events"
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_POLL_SECONDS = 50.0  # below the minute after which proxies give up a silent request
_GRACE_SECONDS = 15.0
_PAUSE_SECONDS = 0.5
_MOST_LEFT, _MOST_INBOXES = 20, 1_000
_MET_SECONDS = 1.0  # a connection that broke later than this was one


class Waiting:
    """The waits of one client."""

    def __init__(self, server: Server, actions: RemoteActions) -> None:
        self._server = server
        self._actions = actions
        self._keys = Keys()

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
        """Iterate over the event log for ever, from a cursor or from now on.

        A server that starts anew meanwhile is asked again.
        """
        async for said in pages(self._server, {}, after):
            found, _ = await self._events(said)
            for event in found:
                yield event

    async def page(self, after: str | None, *, wait: float) -> tuple[list[Event], str]:
        """Return events after a cursor, waiting for the first, and where to go on."""
        asked: dict[str, Asked] = {"after": after, "wait": wait}
        said = await self._server.get(_EVENTS, asked, timeout=wait + _GRACE_SECONDS)
        return await self._events(said)

    async def _events(self, said: Mapping[str, Any]) -> tuple[list[Event], str]:
        facts = [(one["event_id"], one["inboxkit"]) for one in said["events"] if _of_message(one)]
        about = await self._about([fact["id"] for _, fact in facts])
        found = [
            values.event(id, fact, about[fact["id"]]) for id, fact in facts if fact["id"] in about
        ]
        return found, said["cursor"]

    async def _about(self, ids: Sequence[str]) -> dict[str, Message]:
        found = await self._actions.messages(list(dict.fromkeys(ids)))
        return {m.id: m for m in found}

    async def waited(
        self, path: str, query: Mapping[str, Asked], timeout: float, key: str = ""
    ) -> Mapping[str, Any]:
        """Return the answer to a wait, asked again and again, each time as requests may be silent.

        All under one key: should an answer be lost, the next one has the same message.
        """
        end = time.monotonic() + timeout
        patience = Patience(self._server, end)
        with self._keys.of(path, key) as (own, left):
            while True:
                poll = min(max(0.0, end - time.monotonic()), _POLL_SECONDS)
                asked: dict[str, Asked] = {**query, "whole": True, "give_back": left}
                asked["timeout"] = round(poll, 3)
                said = await patience.ask(path, asked, poll, key=own)
                if said is None:
                    continue
                if said["found"]:
                    return dict(said)
                left = []
                if time.monotonic() >= end:
                    reason = said["reason"].partition("\n")[0]
                    return {**said, "reason": reason.replace(_within(poll), _within(timeout), 1)}

    async def _until(self, inbox: str, query: Mapping[str, Asked], timeout: float) -> Message:
        path = f"/v0/inboxes/{piece(inbox)}/wait"
        said = await self.waited(path, query, timeout)
        if said["found"]:
            return values.message(said["whole"], self._actions)
        arrived = [values.message(one, self._actions) for one in said["arrived_whole"]]
        raise WaitTimeout(said["reason"], arrived)


async def pages(
    server: Server, query: Mapping[str, Asked], after: str | None
) -> AsyncIterator[Mapping[str, Any]]:
    """Iterate for ever over answers of ``/v0/events``, the first one at once, if it is empty."""
    cursor, patience, wait = after, Patience(server, math.inf), 0.0
    while True:
        said = await patience.ask(_EVENTS, {**query, "after": cursor, "wait": wait}, wait)
        if said is not None:
            cursor, wait = said["cursor"], _POLL_SECONDS
            yield said


class Keys:
    """The keys of waits. What a wait that broke off may have been sent, the next one gives back."""

    def __init__(self) -> None:
        self._left = OrderedDict[str, list[str]]()

    @contextmanager
    def of(self, path: str, given: str) -> Generator[tuple[str, list[str]]]:
        """Lend a wait its key, and those of waits at the same inbox that broke off.

        One that was ``given`` is its caller's, who comes again with it.
        """
        key, left = given or secrets.token_hex(16), self._left.pop(path, [])
        try:
            yield key, left
        except BaseException:
            kept = left if given else [*left, key]
            if kept:
                self._left[path] = [*kept, *self._left.get(path, [])][-_MOST_LEFT:]
            if len(self._left) > _MOST_INBOXES:
                self._left.popitem(last=False)
            raise


class Patience:
    """Asks a server that may start anew meanwhile, until ``end``.

    One that was not there in the first place is unreachable at once.
    """

    def __init__(self, server: Server, end: float) -> None:
        self._server = server
        self._end = end
        self._is_broken = False

    async def ask(
        self, path: str, query: Mapping[str, Asked], poll: float, *, key: str = ""
    ) -> Any:
        """Ask for what may take ``poll`` seconds; return None when it is to be asked again."""
        begun = time.monotonic()
        try:
            timeout = poll + _GRACE_SECONDS
            said = await self._server.poll(path, query, timeout=timeout, key=key)
        except (StoreError, Unreachable) as error:
            if isinstance(error, Unreachable) and not self._is_broken:
                self._is_broken = True
                self._server.has_answered |= time.monotonic() - begun > _MET_SECONDS
                return None  # at once: a connection that was kept may have ended meanwhile
            if not self._server.has_answered or time.monotonic() + _PAUSE_SECONDS > self._end:
                raise
            await self._server.pause(_PAUSE_SECONDS)
            return None
        self._is_broken = False
        return said


def _within(seconds: float) -> str:
    return f" within {round(seconds, 3):g} s"


def _of_message(said: Mapping[str, Any]) -> bool:
    """Whether an event is about a message; in process, too, those alone are events."""
    return "id" in said["inboxkit"]


def _glob(field: str, pattern: Pattern) -> str | None:
    """Return a pattern as the server takes it: a glob; None for one that all match."""
    if not isinstance(pattern, str):
        raise ConfigurationError(f"{field}: a server takes globs, such as *@shop.example")
    return None if pattern == "*" else pattern
