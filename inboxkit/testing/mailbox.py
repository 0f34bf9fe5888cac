"""Mailbox: blocking calls for sync tests of any app that sends mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ..errors import ConfigurationError, WaitTimeout
from ..matching import matches
from ..router import address_glob
from ..store import deliveries, messages, records
from ..store.deliveries import Outcome
from ..tokens import row_id
from ..values import Direction, EventType, Pattern
from ..waits import came, narrowed
from .bridge import Bridge
from .reports import bounce

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..extracted import Link, Otp
    from ..models import Message
    from .runner import Runner


_READ_SECONDS = 10.0
_SIMULATED = (
    EventType.DELIVERED,
    EventType.DEFERRED,
    EventType.BOUNCED,
    EventType.COMPLAINED,
    EventType.OPENED,
    EventType.CLICKED,
    EventType.UNSUBSCRIBED,
)


class Mailbox:
    """A view of one test on a mail server that takes mail to any address.

    A mail to two people is two messages, one in the inbox of each.
    """

    def __init__(self, runner: Runner, address: str) -> None:
        self._runner = runner
        self._bridge = Bridge(runner)
        self._since: datetime = runner.clock.now()
        self._taken: set[str] = set()
        self.address = address

    @property
    def host(self) -> str:
        """Where the application under test sends its mail."""
        return self._runner.kit.smtp_address[0]

    @property
    def port(self) -> int:
        """The port that goes with ``host``."""
        return self._runner.kit.smtp_address[1]

    @property
    def url(self) -> str:
        """Where HTTP is served."""
        return self._runner.kit.url

    @property
    def env(self) -> Mapping[str, str]:
        """Environment variables for the application under test."""
        host, port = self.host, str(self.port)
        return {
            "EMAIL_HOST": host,
            "EMAIL_PORT": port,
            "MAIL_SERVER": host,
            "MAIL_PORT": port,
            "SMTP_HOST": host,
            "SMTP_PORT": port,
            "SMTP_URL": f"smtp://{host}:{port}",
            "INBOXKIT_URL": self.url,
        }

    def messages(self, *, to: Pattern = "*", subject: Pattern = "*") -> Sequence[Message]:
        """Return what has come since the test began, oldest first, once it is all read."""
        to = address_glob("to", to)
        return [self._bridge.over(m) for m in self._runner.call(self._all, to, subject)]

    def wait_for_message(
        self,
        *,
        timeout: float = 10,
        to: Pattern = "*",
        sender: Pattern = "*",
        subject: Pattern = "*",
    ) -> Message:
        """Return the oldest message that no wait of this test has returned.

        Raise WaitTimeout after ``timeout`` s, which lists what came instead.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        return self._checked("message", timeout, to, sender, subject)

    def wait_for_otp(self, *, timeout: float = 10, to: Pattern = "*", sender: Pattern = "*") -> Otp:
        """Return the newest code; raise WaitTimeout that lists what came instead."""
        __tracebackhide__ = True
        found = self._checked("otp", timeout, to, sender, "*").otp
        assert found is not None
        return found

    def wait_for_link(
        self, *, timeout: float = 10, to: Pattern = "*", sender: Pattern = "*"
    ) -> Link:
        """Return the newest link to act on; raise WaitTimeout that lists what came instead."""
        __tracebackhide__ = True
        found = self._checked("link", timeout, to, sender, "*").link
        assert found is not None
        return found

    def assert_none(self, *, to: Pattern = "*", within: float = 0.2) -> None:
        """Fail if something comes to ``to`` within so many seconds."""
        __tracebackhide__ = True
        try:
            found = self._checked("message", within, to, "*", "*")
        except WaitTimeout:
            return
        sender = found.sender.email or found.envelope.mail_from
        raise AssertionError(f"a mail came to {to}: {found.subject!r} from {sender}")

    def simulate(self, type: EventType, message: Message) -> None:
        """Let what would happen to a send happen to this message's sender: a bounce, a complaint.

        The event is logged on the message; a bounce also comes back to its envelope sender.
        Raise ValueError for an event that does not happen to what has been sent.
        """
        if type not in _SIMULATED:
            raise ValueError(f"simulate: {type} is none of {', '.join(_SIMULATED)}")
        self._runner.call(self._simulate, type, message)

    def fail_next(self, code: int, *, times: int = 1) -> None:
        """Let the server refuse the next recipients with this SMTP code, in this test."""
        self._runner.kit.runtime.edges.fail_next(code, times)

    def close(self) -> None:
        """Let the server take everything again; called when the test is over."""
        self._runner.kit.runtime.edges.fail_no_more()

    def _checked(
        self, kind: str, timeout: float, to: Pattern, sender: Pattern, subject: Pattern
    ) -> Message:
        """Wait, unless no mail could ever be what is asked for."""
        __tracebackhide__ = True
        to, sender = address_glob("to", to), address_glob("sender", sender)
        found = self._wait(kind, timeout, to, sender, subject)
        self._taken.add(found.id)
        return found

    def _wait(
        self, kind: str, timeout: float, to: Pattern, sender: Pattern, subject: Pattern
    ) -> Message:
        __tracebackhide__ = True
        try:
            found = self._runner.call(self._look, kind, timeout, to, sender, subject)
        except WaitTimeout as late:
            raise self._bridge.over_timeout(late) from None
        return self._bridge.over(found)

    def _late(
        self, kind: str, timeout: float, arrived: Sequence[Message], **filters: Pattern
    ) -> WaitTimeout:
        taken = sum(m.id in self._taken for m in arrived)
        asked = f"no {kind}{narrowed(**filters)} within {timeout:g} s"
        return WaitTimeout(f"{asked}; {came(len(arrived), taken)}", arrived)

    # in the kit's loop

    async def _all(self, to: Pattern, subject: Pattern) -> list[Message]:
        await self._read()
        return await self._matching(to, "*", subject)

    async def _read(self) -> None:
        """Wait until all that was accepted is read."""
        bell = self._runner.kit.runtime.notify.bell
        with anyio.move_on_after(_READ_SECONDS):
            while True:
                count = bell.count("any")
                if all(m.state != "stored" for m in await self._arrived()):
                    return
                await bell.wait("any", count)

    async def _arrived(self) -> list[Message]:
        """Return all that came since the test began, whatever its labels are."""
        runtime = self._runner.kit.runtime
        ids = await runtime.store.read(messages.arrived, self._since)
        return await runtime.store.read(records.messages, ids, runtime.actions)

    async def _matching(self, to: Pattern, sender: Pattern, subject: Pattern) -> list[Message]:
        return [
            m
            for m in await self._arrived()
            if m.state != "stored"
            and matches(sender, m.sender.email)
            and matches(subject, m.subject)
            and await self._is_for(m, to)
        ]

    async def _is_for(self, message: Message, to: Pattern) -> bool:
        """Whether this copy of a mail is that of a recipient who matches."""
        own = await self._recipients(message)
        return any(matches(to, recipient) for recipient in own)

    async def _recipients(self, message: Message) -> list[str]:
        addresses = self._runner.kit.runtime.addresses
        found: list[str] = []
        for recipient in message.envelope.rcpt_to:
            target = await addresses.resolve(recipient, make=False)
            if target is not None and target.address == message.inbox:
                found.append(recipient)
        return found

    async def _look(
        self, kind: str, timeout: float, to: Pattern, sender: Pattern, subject: Pattern
    ) -> Message:
        bell = self._runner.kit.runtime.notify.bell
        found: Message | None = None
        with anyio.move_on_after(timeout):
            while found is None:
                count = bell.count("any")
                found = await self._first(kind, to, sender, subject)
                if found is None:
                    await bell.wait("any", count)
        if found is None:  # what was accepted in time counts, though it is read only now
            await self._read()
            found = await self._first(kind, to, sender, subject)
        if found is None:
            arrived = await self._matching("*", "*", "*")
            raise self._late(kind, timeout, arrived, to=to, sender=sender, subject=subject)
        return found

    async def _first(
        self, kind: str, to: Pattern, sender: Pattern, subject: Pattern
    ) -> Message | None:
        """Return the oldest message, the newest code or link, that this test has not had."""
        arrived = await self._matching(to, sender, subject)
        left = [m for m in arrived if m.id not in self._taken]
        if kind == "message":
            return left[0] if left else None
        return next((m for m in reversed(left) if getattr(m, kind) is not None), None)

    async def _simulate(self, type: EventType, message: Message) -> None:
        if message.direction != Direction.INBOUND:
            raise ConfigurationError(f"simulate: {message.id} did not come in")
        runtime, now = self._runner.kit.runtime, self._runner.clock.now()
        recipient = (await self._recipients(message) or message.envelope.rcpt_to)[0]
        hard = type == EventType.BOUNCED
        outcome = Outcome(type=type, at=now, recipient=recipient, hard=hard)
        number = row_id("msg", message.id)
        await runtime.store.write(deliveries.happened, number, outcome, now=now)
        sender = message.envelope.mail_from
        if hard and sender:
            report = bounce(await runtime.actions.raw(message), sender=sender, recipient=recipient)
            await runtime.accept.mail(report, mail_from="", rcpt_to=[sender])
