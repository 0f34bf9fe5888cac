"""Sandbox: the real runtime for async tests, with people outside and a clock under test."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from sqlalchemy import Connection, select

from ..errors import WaitTimeout
from ..store import deliveries, events, jobs, records
from ..store.deliveries import Outcome
from ..store.tables import message
from ..tokens import row_id
from ..values import Direction, EventType
from .bridge import Bridge
from .person import Person

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from contextlib import AbstractAsyncContextManager

    from ..inbox import Inbox
    from ..kit import InboxKit
    from ..models import Event, Message
    from ..router import Router
    from .runner import Runner

_STEPS = ("read", "plan", "run", "send", "webhook", "timer")


class _Opener(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[Any]: ...


class Sandbox:
    """The real runtime in a thread of its own; usable from asyncio and trio tests.

    Mail to any address is taken; what goes out is captured, and people see it.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._bridge = Bridge(runner)

    @property
    def kit(self) -> InboxKit:
        """The kit itself; its objects belong to its own loop."""
        return self._runner.kit

    @property
    def smtp_host(self) -> str:
        """Where the application under test sends its mail."""
        return self.kit.smtp_address[0]

    @property
    def smtp_port(self) -> int:
        """The port that goes with ``smtp_host``."""
        return self.kit.smtp_address[1]

    @property
    def url(self) -> str:
        """Where HTTP is served."""
        return self.kit.url

    @property
    def outbox(self) -> Sequence[Message]:
        """Everything that was sent, oldest first."""
        return self._runner.call(self._sent)

    def include(self, router: Router[...], /, *, resource: _Opener | None = None) -> None:
        """Load a router; ``resource`` replaces the one that it was made with."""
        self._runner.call(self.kit.runtime.include, router, resource)

    def person(self, address: str) -> Person:
        """Return somebody outside."""
        return Person(self, address)

    async def inbox(self, address: str | None = None) -> Inbox:
        """Return an inbox, made if it is new; without an address, a new one."""
        found = await self._runner.acall(self.kit.inbox, address)
        return self._bridge.over_inbox(found)

    async def message(self, id: str) -> Message:
        """Return a message as it is now."""
        return self._bridge.over(await self._runner.acall(self.kit.message, id))

    async def emit(self, type: EventType, message: Message, **details: Any) -> Event:
        """Let a provider report something about a send; return the event once it is handled."""
        found = await self._runner.acall(self._emit, type, message, details)
        return self._bridge.over_event(found)

    async def settle(self, *, timeout: float = 10) -> None:
        """Return when nothing is left to do; raise WaitTimeout that says what is."""
        await self._runner.acall(self._settle, timeout)

    async def advance(self, by: timedelta) -> None:
        """Move the clock: what falls due in between is done, leases stay as they are."""
        await self._runner.acall(self._advance, by)

    async def next_sent(self, recipient: str, seen: Collection[str], *, timeout: float) -> Message:
        """Return the first message sent to somebody that is not among ``seen``."""
        found = await self._runner.acall(self._next_sent, recipient, seen, timeout)
        return self._bridge.over(found)

    async def arrived(self, message_id: str, to: str) -> Message:
        """Return the message with this Message-ID once it is read."""
        return self._bridge.over(await self._runner.acall(self._arrived, message_id, to))

    # in the kit's loop

    async def _sent(self) -> list[Message]:
        store, actions = self.kit.runtime.store, self.kit.runtime.actions
        ids = await store.read(_outbound)
        found = await store.read(records.messages, ids, actions)
        return [self._bridge.over(m) for m in found]

    async def _emit(self, type: EventType, about: Message, details: dict[str, Any]) -> Event:
        store, actions = self.kit.runtime.store, self.kit.runtime.actions
        await self._settle(10)  # the send itself comes first
        recipient = about.to[0].email if about.to else ""
        details = {"recipient": recipient, "hard": type == EventType.BOUNCED, **details}
        outcome = Outcome(type=type, at=self.kit.clock.now(), **details)
        now = self.kit.clock.now()
        number = row_id("msg", about.id)
        await store.write(deliveries.happened, number, outcome, now=now)
        await self._settle(10)
        rows = await store.read(events.of_message, number)
        newest = [row for row in rows if row.type == type][-1:]
        return (await store.read(records.events, newest, actions))[0]

    async def _settle(self, timeout: float) -> None:
        store, clock = self.kit.runtime.store, self.kit.clock
        with anyio.move_on_after(timeout):
            while True:
                seen = store.bell.count("done")
                if await store.read(jobs.count, _STEPS, due_by=clock.now()) == 0:
                    return
                await store.bell.wait("done", seen, timeout=1)
        left = await store.read(jobs.summary)
        raise WaitTimeout(f"the sandbox did not settle within {timeout:g} s; left: {left}")

    async def _advance(self, by: timedelta) -> None:
        store, clock = self.kit.runtime.store, self.kit.clock
        await self._settle(10)
        end = clock.now() + by
        while True:
            due = await store.read(jobs.next_due, _STEPS)
            step = end if due is None or due > end else due
            clock.advance(max(step - clock.now(), timedelta(0)))
            store.bell.ring(_STEPS)
            await self._settle(10)
            if step == end:
                return

    async def _next_sent(self, recipient: str, seen: Collection[str], timeout: float) -> Message:
        notify = self.kit.runtime.notify
        sent: list[Message] = []
        with anyio.move_on_after(timeout):
            while True:
                count = notify.bell.count("any")
                sent = await self._sent()
                for found in sent:
                    if found.id not in seen and _reached(found, recipient):
                        return found
                await notify.bell.wait("any", count)
        raise WaitTimeout(f"nothing was sent to {recipient} within {timeout:g} s", sent)

    async def _arrived(self, message_id: str, to: str) -> Message:
        notify = self.kit.runtime.notify
        with anyio.move_on_after(10):
            while True:
                count = notify.bell.count("any")
                async for found in self.kit.search():
                    if found.message_id == message_id and found.direction == Direction.INBOUND:
                        return found
                await notify.bell.wait("any", count)
        raise WaitTimeout(f"the mail to {to} was accepted but not read within 10 s")


def _reached(sent: Message, recipient: str) -> bool:
    wanted = recipient.lower()
    taken = sent.state not in ("queued", "scheduled", "sending", "rejected", "failed")
    return taken and any(r.lower() == wanted for r in sent.envelope.rcpt_to)


def _outbound(connection: Connection) -> list[int]:
    query = select(message.c.id).where(message.c.direction == "outbound").order_by(message.c.id)
    return list(connection.execute(query).scalars())
