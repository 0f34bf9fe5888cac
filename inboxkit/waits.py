"""Waits: look, then sleep until something happens in the inbox, then look again. No polling.

What a wait returns is marked as taken in the same step, so two waits never get the same message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
from sqlalchemy import Connection, select

from .errors import WaitTimeout
from .matching import matches
from .store import messages as store_messages
from .store import records
from .store.tables import message
from .tokens import row_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from .models import Actions, Message, Want
    from .pipeline.notify import Notify
    from .store.store import Store

_CANDIDATES = 200
_SHOWN = 10
_UNSEEN = ("bounce", "complaint")  # never an answer to a wait


class Waits:
    """The waits of one process."""

    def __init__(self, store: Store, notify: Notify, actions: Actions) -> None:
        self._store = store
        self._notify = notify
        self._actions = actions

    async def message(self, inbox_id: int, address: str, want: Want, *, timeout: float) -> Message:
        """Return what is wanted, now or when it comes; raise WaitTimeout after ``timeout`` s."""

        async def look() -> Message | None:
            ids = await self._store.read(_candidates, inbox_id, want)
            return await self._take(ids, lambda m: is_wanted(m, want), resent=want.kind == "otp")

        found = await self._until(f"inbox:{inbox_id}", look, timeout)
        if found is None:
            arrived = await self._arrived(inbox_id, want.after)
            came = f"{len(arrived)} other messages came" if arrived else "nothing came"
            raise WaitTimeout(f"no {want.kind} for {address} within {timeout:g} s; {came}", arrived)
        return found

    async def reply(self, sent: Message, *, timeout: float) -> Message:
        """Return the next reply to a send; raise WaitTimeout after ``timeout`` s."""
        thread_id = row_id("thd", sent.thread_id)

        async def look() -> Message | None:
            ids = await self._store.read(_replies, thread_id, row_id("msg", sent.id))
            return await self._take(ids, lambda m: True)

        found = await self._until(f"thread:{thread_id}", look, timeout)
        if found is None:
            to = ", ".join(a.email for a in sent.to)
            raise WaitTimeout(f"no reply of {to} to {sent.id} within {timeout:g} s")
        return found

    async def _until(
        self, topic: str, look: Callable[[], object], timeout: float
    ) -> Message | None:
        with anyio.move_on_after(timeout):
            while True:
                seen = self._notify.bell.count(topic)
                found = await look()  # type: ignore[misc]
                if found is not None:
                    return found  # type: ignore[no-any-return]
                await self._notify.bell.wait(topic, seen)
        return None

    async def _take(
        self, ids: Sequence[int], wanted: Callable[[Message], bool], *, resent: bool = False
    ) -> Message | None:
        for candidate in await self._store.read(records.messages, ids, self._actions):
            if not wanted(candidate):
                continue
            with anyio.CancelScope(shield=True):  # what is marked as taken must be returned
                now = self._store.clock.now()
                taken = await self._store.write(
                    store_messages.take, row_id("msg", candidate.id), now
                )
                if taken and resent:
                    await self._retire(ids, candidate)
            if taken:
                return candidate
        return None

    async def _retire(self, ids: Sequence[int], newest: Message) -> None:
        """A resend makes the sender's older codes invalid; nobody shall get them."""
        older = [
            row_id("msg", m.id)
            for m in await self._store.read(records.messages, ids, self._actions)
            if m.sender.email.lower() == newest.sender.email.lower() and m.id < newest.id
        ]
        await self._store.write(store_messages.take_older, older, self._store.clock.now())

    async def _arrived(self, inbox_id: int, after: datetime | None) -> list[Message]:
        ids = await self._store.read(_recent, inbox_id, after)
        return await self._store.read(records.messages, ids, self._actions)


def is_wanted(found: Message, want: Want) -> bool:
    """Whether a message is what a wait looks for."""
    if not matches(want.sender, found.sender.email) or not matches(want.subject, found.subject):
        return False
    if want.kind == "link" and not matches(want.host, _host(found.link or "")):
        return False
    return want.when is None or bool(want.when(found))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _candidates(connection: Connection, inbox_id: int, want: Want) -> list[int]:
    query = select(message.c.id).where(
        message.c.inbox_id == inbox_id,
        message.c.direction == "inbound",
        message.c.state != "stored",
        message.c.taken_at.is_(None),
        message.c.kind.not_in(_UNSEEN),
    )
    if want.after is not None:
        query = query.where(message.c.received_at >= want.after)
    if want.kind == "otp":
        query = query.where(message.c.otp.is_not(None))
    if want.kind == "link":
        query = query.where(message.c.link.is_not(None))
    order = message.c.id.asc() if want.kind == "message" else message.c.id.desc()
    return list(connection.execute(query.order_by(order).limit(_CANDIDATES)).scalars())


def _replies(connection: Connection, thread_id: int, after: int) -> list[int]:
    query = select(message.c.id).where(
        message.c.thread_id == thread_id,
        message.c.id > after,
        message.c.direction == "inbound",
        message.c.state != "stored",
        message.c.kind.not_in(_UNSEEN),
        message.c.taken_at.is_(None),
    )
    return list(connection.execute(query.order_by(message.c.id).limit(_CANDIDATES)).scalars())


def _recent(connection: Connection, inbox_id: int, after: datetime | None) -> list[int]:
    query = select(message.c.id).where(
        message.c.inbox_id == inbox_id, message.c.direction == "inbound"
    )
    if after is not None:
        query = query.where(message.c.received_at >= after)
    return list(connection.execute(query.order_by(message.c.id.desc()).limit(_SHOWN)).scalars())
