"""An outbox of its own beside a kit that leaves its sends to it, and a provider to send through."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
from sqlalchemy import Connection, select, update

from inboxkit import InboxKit, Message
from inboxkit.pipeline.configured import Configured
from inboxkit.pipeline.outbox import Outbox
from inboxkit.providers.base import Feature, Retry
from inboxkit.providers.fakes.mailgun import MailgunFake
from inboxkit.providers.mailgun import Mailgun
from inboxkit.settings import Settings
from inboxkit.store import backlog, jobs
from inboxkit.store.tables import delivery, message
from inboxkit.testing.fake_provider import FakeProvider
from inboxkit.tokens import row_id

from .mailgun import OPTIONS
from .sending import SENDER

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit.providers.registry import AnyProvider
    from inboxkit.store.leased import Job
    from inboxkit.store.transactions import Tx

ANN = "ann@example.com"


class Keyed(Mailgun):
    """Mailgun, if it promised that a key sends once: as some vendors do."""

    name = "keyed"
    capabilities = Mailgun.capabilities | {Feature.IDEMPOTENCY}

    def transport_error(self, request_sent: bool, reason: str) -> Retry:
        return Retry(reason=reason)


@dataclass
class Bench:
    """An outbox of its own, and a kit that queues sends and leaves them to it."""

    kit: InboxKit
    server: FakeProvider
    fake: MailgunFake
    outbox: Outbox

    async def send(self, *to: str) -> Message:
        """Queue a send."""
        inbox = await self.kit.inbox(SENDER)
        return await inbox.send(to or ANN, "Size", "Which size?")

    async def lease(self) -> Job:
        """Lease the send, whenever it is due."""
        self.kit.clock.advance(timedelta(days=2))
        now, store = self.kit.clock.now(), self.kit.runtime.store
        [job] = await store.write(
            jobs.claim, "send", worker=store.worker_id, now=now, limit=9, start=0
        )
        return job

    async def run(self, job: Job | None = None) -> None:
        """Let the outbox do the job, or the one that is there."""
        await self.outbox.work([job or await self.lease()])
        with anyio.fail_after(30):
            await self.outbox.idle()

    async def leave(self, sent: Message, provider: str) -> None:
        """Leave a send as a process does that dies before it can record the answer."""

        def die(tx: Tx) -> None:
            number = row_id("msg", sent.id)
            jobs.cancel(tx, "send", [str(number)])
            row = jobs.new_job("send", number, inbox_id=0, due_at=self.kit.clock.now())
            jobs.put(tx, [row])
            tx.connection.execute(update(delivery).values(state="sending"))
            tx.connection.execute(update(message).values(provider=provider, state="sending"))

        await self.kit.runtime.store.write(die)

    async def drain(self) -> None:
        """Let the outbox do what is due, until nothing is."""
        while await self.kit.runtime.store.read(backlog.count, ["send"]):
            await self.run()

    async def deliveries(self, sent: Message) -> dict[str, str]:
        """Return the state of a send with each recipient, by the part before the @."""
        query = select(delivery).where(delivery.c.message_id == row_id("msg", sent.id))

        def find(connection: Connection) -> dict[str, str]:
            rows = connection.execute(query.order_by(delivery.c.recipient))
            return {row.recipient.partition("@")[0]: row.state for row in rows}

        return await self.kit.runtime.store.read(find)

    async def state(self, sent: Message) -> str:
        """Return the state of the send."""
        return (await self.kit.message(sent.id)).state

    @property
    def posts(self) -> int:
        """How often the message was given to the provider behind HTTP."""
        return len([request for request in self.server.requests if request.method == "POST"])


@asynccontextmanager
async def bench(
    database: str, *providers: AnyProvider, send_concurrency: int = 32
) -> AsyncGenerator[Bench]:
    fake = MailgunFake(Mailgun().configure(OPTIONS), lambda: datetime.now(UTC))
    async with FakeProvider(fake) as server:
        options = {**OPTIONS, "base_url": server.url}
        configured = [
            Configured(p, p.configure(options if p.transport == "http" else {})) for p in providers
        ]
        settings = Settings(
            database=database, domain="shop.example", send_concurrency=send_concurrency
        )
        kit = InboxKit(settings=settings)
        kit.only_look()
        async with kit, anyio.create_task_group() as tasks:
            runtime = kit.runtime
            outbox = Outbox(runtime.store, runtime.accept, configured, settings, tasks)
            try:
                yield Bench(kit, server, fake, outbox)
            finally:
                await outbox.transport.close()
