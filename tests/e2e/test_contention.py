"""Two processes' worth of everything at once on the same few inboxes: nobody sees a deadlock."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit import EventType, InboxKit, Message, Reject, Router
from inboxkit.errors import NotFound, SendError
from inboxkit.pipeline.accept import UnknownRecipient
from inboxkit.store import backlog, deliveries, purge, runs, suppressions
from inboxkit.store.deliveries import Outcome
from inboxkit.store.tables import inbox, message
from inboxkit.tokens import new_id, row_id
from tests.mails import ANN, mail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

pytestmark = pytest.mark.long
DESKS = [f"desk{number}@inbox.example" for number in range(3)]
PASSING = [f"passing{number}@inbox.example" for number in range(2)]
PEOPLE = [f"user{number}@example.com" for number in range(4)]
TASKS, TURNS = 6, 40
STEPS = ("read", "plan", "run", "send", "timer")
EXPECTED = (NotFound, SendError, UnknownRecipient)  # what was there a moment ago is deleted


def answering() -> Router[...]:
    router = Router()

    @router.on_message(to="desk*@*")
    async def answer(message: Message) -> None:
        try:
            await message.label(add=["answered"])
            await (await message.thread()).update(answered=True)
            await message.reply("We have it.")
        except NotFound:
            raise Reject("deleted meanwhile") from None

    return router


class Crowd:
    """Does one thing after another to what is there, by dice."""

    def __init__(self, kit: InboxKit, seed: int) -> None:
        self._kit = kit
        self._store = kit.runtime.store
        self._dice = random.Random(seed)

    async def __call__(self) -> None:
        does: list[Callable[[], Awaitable[None]]] = [
            *(self.arrive, self.arrive, self.arrive, self.answer, self.label, self.delete),
            *(self.report, self.report, self.suppress, self.come_and_go),
        ]
        for _ in range(TURNS):
            try:
                await self._dice.choice(does)()
            except EXPECTED:
                continue

    async def arrive(self) -> None:
        to = self._dice.sample([*DESKS, *PASSING], 2)
        raw = mail(subject=f"Topic {self._dice.randrange(3)}", sender=self._dice.choice(PEOPLE))
        await self._kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=to)

    async def _some(self, query: str) -> Message:
        found = [m async for m in self._kit.search(query, limit=8)]
        if not found:
            raise NotFound(query)
        return self._dice.choice(found)

    async def answer(self) -> None:
        await (await self._some("is:received state:parsed")).reply("And more.")

    async def label(self) -> None:
        names = self._dice.sample(["a", "b", "c"], 2)
        await (await self._some("is:received")).label(add=names[:1], remove=names[1:])

    async def delete(self) -> None:
        chosen = [row_id("msg", (await self._some("is:received")).id) for _ in range(2)]
        self._store.blobs.remove(await self._store.write(purge.messages, chosen))

    async def report(self) -> None:
        sent = await self._some("is:outbound")
        kind = self._dice.choice([EventType.DELIVERED, EventType.OPENED, EventType.BOUNCED])
        now, to = self._store.clock.now(), sent.to[0].email
        outcome = Outcome(type=kind, at=now, recipient=to, event_id=f"{new_id()}")
        number = row_id("msg", sent.id)
        await self._store.write(deliveries.happened, number, outcome, now=now)

    async def suppress(self) -> None:
        person = f"nobody{self._dice.randrange(2)}@example.com"
        now = self._store.clock.now()
        await self._store.write(suppressions.add, person, reason="manual", now=now)
        await self._store.write(suppressions.remove, person)

    async def come_and_go(self) -> None:
        found = await self._kit.inbox(self._dice.choice(PASSING))
        await asyncio.sleep(0)
        await found.delete()


def orphans(connection: Connection) -> list[int]:
    """Return the messages of inboxes that are gone."""
    lost = message.c.inbox_id.not_in(select(inbox.c.id))
    return list(connection.execute(select(message.c.id).where(lost)).scalars())


async def settled(kit: InboxKit) -> None:
    """Return when nothing is left to do."""
    store = kit.runtime.store
    async with asyncio.timeout(60):
        while await store.read(backlog.are_left, STEPS, store.clock):
            await store.bell.wait("event", store.bell.count("event"), timeout=0.2)


async def test_everything_at_once(database: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "inboxkit")
    one, two = (InboxKit(answering(), database=database) for _ in range(2))
    async with one, two:
        for desk in DESKS:
            await one.inbox(desk)
        async with asyncio.timeout(90):
            await asyncio.gather(
                *(Crowd(kit, seed)() for seed in range(TASKS) for kit in (one, two))
            )
        await settled(one)
        done = await one.runtime.store.read(runs.listed, limit=10_000)
        assert await one.runtime.store.read(orphans) == []
    assert [record.getMessage() for record in caplog.records if record.levelno > 30] == []
    assert {run.state for run in done} <= {"done", "rejected"}
