"""A sandbox that sends through some provider, and what its database says of the sends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from inboxkit.clock import Clock
from inboxkit.store.tables import delivery, event, job, message, suppression, webhook
from inboxkit.tokens import row_id

if TYPE_CHECKING:
    from inboxkit import Message
    from inboxkit.testing import Sandbox
    from inboxkit.testing.runner import Runner

SENDER = "support@shop.example"


class StandingClock(Clock):
    """A clock that only ``advance`` moves: no retry falls due because the machine is slow."""

    def __init__(self) -> None:
        super().__init__()
        self._began = datetime.now(UTC)

    def now(self) -> datetime:
        return self._began + self._ahead


@dataclass
class Sending:
    """Sends from one inbox, and looks at what became of it."""

    runner: Runner
    sandbox: Sandbox

    async def send(self, *to: str, **draft: Any) -> Message:
        """Send from the shop's inbox and wait until the outbox has done what it can now."""
        inbox = await self.sandbox.inbox(SENDER)
        given: dict[str, Any] = {"subject": "Size", "text": "Which size?"} | draft
        sent = await inbox.send(to or ("ann@example.com",), **given)
        await self.sandbox.settle()
        return sent

    async def state(self, sent: Message) -> str:
        """Return the state of a send as users see it."""
        return (await self.sandbox.message(sent.id)).state

    async def error(self, sent: Message) -> str:
        """Return why a send has not gone out."""
        return str((await self.row(sent)).error)

    async def row(self, sent: Message) -> Any:
        """Return the row of a send."""
        [found] = await self.rows(select(message).where(message.c.id == row_id("msg", sent.id)))
        return found

    async def deliveries(self, sent: Message) -> dict[str, str]:
        """Return the state of a send with each recipient."""
        query = select(delivery).where(delivery.c.message_id == row_id("msg", sent.id))
        return {row.recipient: row.state for row in await self.rows(query)}

    async def happened(self, sent: Message) -> list[str]:
        """Return the types of the events of a send, in order."""
        query = select(event).where(event.c.message_id == row_id("msg", sent.id))
        return [row.type for row in await self.rows(query.order_by(event.c.seq))]

    async def suppressed(self) -> list[tuple[str, str]]:
        """Return the suppressed addresses and why."""
        return [(row.address, row.reason) for row in await self.rows(select(suppression))]

    async def webhooks(self) -> list[tuple[str, str]]:
        """Return state and error of every stored webhook."""
        return [(row.state, row.error) for row in await self.rows(select(webhook))]

    async def due_in(self, kind: str) -> timedelta:
        """Return when the only waiting job of a kind is due."""
        [found] = await self.rows(select(job).where(job.c.kind == kind))
        return timedelta(seconds=round((found.due_at - self.runner.clock.now()).total_seconds()))

    async def rows(self, query: Any) -> list[Any]:
        """Return what a query finds."""

        def find(connection: Connection) -> list[Any]:
            result: Any = connection.execute(query)
            return list(result)

        async def look() -> list[Any]:
            return await self.sandbox.kit.runtime.store.read(find)

        return await self.runner.acall(look)
