"""Sandbox: the real runtime for async tests, with people outside and a clock under test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, overload

import anyio

from ..errors import ConfigurationError, WaitTimeout
from ..matching import match_attachments, match_message, match_otp
from ..registration import check_span, event_types
from ..router import checked_router
from ..store import deliveries, events, messages, records, runs
from ..store.deliveries import Outcome
from ..tokens import row_id
from ..values import Direction, EventType
from .bridge import Bridge
from .person import Person
from .settling import advance, settle

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import timedelta

    from ..inbox import Inbox
    from ..kit import InboxKit
    from ..models import Event, Message
    from ..router import Resource, Router
    from .runner import Runner

R = TypeVar("R")

_EVER = datetime.min.replace(tzinfo=UTC)
_SETTLE_SECONDS = 10.0
_NEVER_SENT = ("scheduled", "rejected", "failed", "recorded")


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
        """What was sent or is on its way, oldest first; not what is refused or not yet due."""
        return self._runner.call(self._sent)

    @overload
    def include(self, router: Router[...], /) -> None: ...
    @overload
    def include(self, router: Router[[R]], /, *, resource: Resource[R]) -> None: ...
    def include(self, router: Any, /, *, resource: Any = None) -> None:
        """Load a router; ``resource`` replaces the one that it was made with."""
        self._runner.call(self.kit.runtime.include, checked_router(router), resource)

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
        """Let a provider report something about a send; return the event once it is handled.

        ``details`` may be ``recipient``, ``hard``, ``reason_class``, ``reason`` and ``data``.
        """
        kind = event_types("emit", [type])[0]
        found = await self._runner.acall(self._emit, kind, message, details)
        return self._bridge.over_event(found)

    async def settle(self, *, timeout: float = _SETTLE_SECONDS) -> None:
        """Return when nothing is left to do; raise WaitTimeout that says what is."""
        await self._runner.acall(settle, self.kit, timeout=timeout)

    async def advance(self, by: timedelta) -> None:
        """Move the clock: what falls due in between is done, leases stay as they are.

        Raise WaitTimeout when that does not end, ConfigurationError for what is no time ahead.
        """
        check_span(by)
        await self._runner.acall(advance, self.kit, by, timeout=_SETTLE_SECONDS)

    async def next_sent(self, recipient: str, seen: Collection[str], *, timeout: float) -> Message:
        """Return the first message sent to somebody that is not among ``seen``."""
        try:
            return await self._runner.acall(self._next_sent, recipient, seen, timeout)
        except WaitTimeout as late:
            raise self._bridge.over_timeout(late) from None

    async def arrived(self, message_id: str, to: str) -> Message:
        """Return the message with this Message-ID once it is read."""
        return self._bridge.over(await self._runner.acall(self._arrived, message_id, to))

    # in the kit's loop

    async def _sent(self) -> list[Message]:
        runtime = self.kit.runtime
        ids = await runtime.store.read(messages.outbound)
        found = await runtime.store.read(records.messages, ids, runtime.actions)
        return [self._bridge.over(m) for m in found if m.state not in _NEVER_SENT]

    async def _emit(self, type: EventType, about: Message, details: dict[str, Any]) -> Event:
        if about.direction != Direction.OUTBOUND:
            raise ConfigurationError(f"emit: {about.id} came in; providers report what was sent")
        store, now = self.kit.runtime.store, self.kit.clock.now()
        await settle(self.kit, timeout=_SETTLE_SECONDS)  # the send itself comes first
        recipient = about.to[0].email if about.to else ""
        given: dict[str, Any] = {"recipient": recipient, "hard": type == EventType.BOUNCED}
        number = row_id("msg", about.id)
        await store.write(
            deliveries.happened, number, Outcome(type=type, at=now, **given | details), now=now
        )
        await settle(self.kit, timeout=_SETTLE_SECONDS)
        rows = await store.read(events.of_message, number)
        newest = [row for row in rows if row.type == type][-1:]
        return (await store.read(records.events, newest, self.kit.runtime.actions))[0]

    async def _next_sent(self, recipient: str, seen: Collection[str], timeout: float) -> Message:
        bell = self.kit.runtime.notify.bell
        with anyio.move_on_after(timeout):
            while True:
                count = bell.count("any")
                for found in await self._sent():
                    if found.id not in seen and _reached(found, recipient):
                        return found
                await bell.wait("any", count)
        why = f"{await self._failures()}{await self._untaken(recipient)}"
        asked = f"nothing was sent to {recipient} within {timeout:g} s{why}"
        raise WaitTimeout(asked, await self._sent())  # the last look may have been cut short

    async def _failures(self) -> str:
        """Return which handlers failed: as a rule that is why nothing was sent."""
        rows = await self.kit.runtime.store.read(runs.listed)
        why = {row.handler: row.error.strip().splitlines()[-1] for row in rows if row.error.strip()}
        return "".join(f"; {handler} failed: {line}" for handler, line in why.items())

    async def _untaken(self, writer: str) -> str:
        """Return which mail of somebody no handler takes, when there are handlers."""
        runtime = self.kit.runtime
        routers = runtime.handlers.routers
        ids = await runtime.store.read(messages.arrived, _EVER) if routers else ()
        came = await runtime.store.read(records.messages, ids, runtime.actions)
        left = (m for m in came if m.sender.email == writer and not _is_taken(routers, m))
        return "".join(f"; no handler takes {m.subject!r} to {m.inbox}" for m in left)

    async def _arrived(self, message_id: str, to: str) -> Message:
        runtime = self.kit.runtime
        with anyio.move_on_after(_SETTLE_SECONDS):
            while True:
                count = runtime.notify.bell.count("any")
                ids = await runtime.store.read(messages.inbound, message_id)
                for found in await runtime.store.read(records.messages, ids, runtime.actions):
                    if found.state != "stored":
                        return found
                await runtime.notify.bell.wait("any", count)
        raise WaitTimeout(f"the mail to {to} was accepted but not read within {_SETTLE_SECONDS} s")


def _reached(sent: Message, recipient: str) -> bool:
    on_its_way = sent.state in ("queued", "sending")
    return not on_its_way and any(r.lower() == recipient.lower() for r in sent.envelope.rcpt_to)


def _is_taken(routers: Sequence[Router[...]], message: Message) -> bool:
    try:
        return any(
            match_message(router, message)
            or (message.otp and match_otp(router, message))
            or match_attachments(router, message)
            for router in routers
        )
    except Exception:  # noqa: BLE001 - ``when=`` is foreign code, and has taken a look at least
        return True
