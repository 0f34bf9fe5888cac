"""Mailbox: blocking calls for sync tests of any app that sends mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ..errors import WaitTimeout
from ..matching import matches
from ..store import deliveries
from ..store.deliveries import Outcome
from ..tokens import row_id
from ..values import Direction, EventType, Pattern
from .reports import bounce

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..models import Link, Message, Otp
    from .runner import Runner


class Mailbox:
    """A view of one test on a mail server that takes mail to any address."""

    def __init__(self, runner: Runner, address: str) -> None:
        self._runner = runner
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
        """Return what has come since the test began, oldest first."""
        return self._runner.call(self._all, to, "*", subject)

    def wait_for_message(
        self,
        *,
        timeout: float = 10,
        to: Pattern = "*",
        sender: Pattern = "*",
        subject: Pattern = "*",
    ) -> Message:
        """Return the oldest message that no wait of this test has returned; raise WaitTimeout."""
        return self._wait("message", timeout, to, sender, subject)

    def wait_for_otp(self, *, timeout: float = 10, to: Pattern = "*", sender: Pattern = "*") -> Otp:
        """Return the newest code; raise WaitTimeout that lists what came instead."""
        found = self._wait("otp", timeout, to, sender, "*").otp
        assert found is not None
        return found

    def wait_for_link(
        self, *, timeout: float = 10, to: Pattern = "*", sender: Pattern = "*"
    ) -> Link:
        """Return the newest link to act on; raise WaitTimeout that lists what came instead."""
        found = self._wait("link", timeout, to, sender, "*").link
        assert found is not None
        return found

    def assert_none(self, *, to: Pattern = "*", within: float = 0.2) -> None:
        """Fail if something comes to ``to`` within so many seconds."""
        try:
            found = self._wait("message", within, to, "*", "*")
        except WaitTimeout:
            return
        raise AssertionError(f"a mail came to {to}: {found.subject!r} from {found.sender.email}")

    def simulate(self, type: EventType, message: Message) -> None:
        """Let what would happen to a send happen to this message's sender: a bounce, a complaint.

        The event is logged on the message; a bounce also comes back to its envelope sender.
        """
        self._runner.call(self._simulate, type, message)

    def fail_next(self, code: int, *, times: int = 1) -> None:
        """Let the server refuse the next recipients with this SMTP code."""
        self._runner.kit.runtime.edges.fail_next(code, times)

    def _wait(
        self, kind: str, timeout: float, to: Pattern, sender: Pattern, subject: Pattern
    ) -> Message:
        found = self._runner.call(self._look, kind, timeout, to, sender, subject)
        self._taken.add(found.id)
        return found

    # in the kit's loop

    async def _all(self, to: Pattern, sender: Pattern, subject: Pattern) -> list[Message]:
        since = self._since.isoformat()
        found = [m async for m in self._runner.kit.search(f'after:"{since}" is:inbound')]
        return [
            m
            for m in reversed(found)
            if m.state != "stored"
            and matches(sender, m.sender.email)
            and matches(subject, m.subject)
            and any(matches(to, r) for r in m.envelope.rcpt_to)
        ]

    async def _look(
        self, kind: str, timeout: float, to: Pattern, sender: Pattern, subject: Pattern
    ) -> Message:
        notify = self._runner.kit.runtime.notify
        with anyio.move_on_after(timeout):
            while True:
                count = notify.bell.count("any")
                came = [m for m in await self._all(to, sender, subject) if m.id not in self._taken]
                wanted = [m for m in came if kind == "message" or getattr(m, kind) is not None]
                if wanted:
                    return wanted[0] if kind == "message" else wanted[-1]
                await notify.bell.wait("any", count)
        arrived = await self._all("*", "*", "*")
        raise WaitTimeout(f"no {kind} to {to} from {sender} within {timeout:g} s", arrived)

    async def _simulate(self, type: EventType, message: Message) -> None:
        kit = self._runner.kit
        assert message.direction == Direction.INBOUND
        outcome = Outcome(
            type=type,
            at=kit.clock.now(),
            recipient=message.envelope.rcpt_to[0],
            hard=type == EventType.BOUNCED,
        )
        runtime = kit.runtime
        number = row_id("msg", message.id)
        await runtime.store.write(deliveries.happened, number, outcome, now=outcome.at)
        sender = message.envelope.mail_from
        if type == EventType.BOUNCED and sender:
            raw = await runtime.actions.raw(message)
            report = bounce(raw, sender=sender, recipient=outcome.recipient)
            await runtime.accept.mail(report, mail_from="", rcpt_to=[sender])
