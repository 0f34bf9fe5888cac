"""What a stopping process has leased and not begun is free for others before it has stopped."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import Connection, func, select

from inboxkit import InboxKit, Message, Router
from inboxkit.providers.fakes.mailgun import MailgunFake
from inboxkit.providers.mailgun import Mailgun
from inboxkit.settings import Settings
from inboxkit.store import runs
from inboxkit.store.tables import job, message, worker
from inboxkit.testing.fake_provider import FakeProvider
from tests.mails import ANN, DESK, arrive
from tests.pipeline.mailgun import OPTIONS
from tests.pipeline.sending import SENDER
from tests.test_stopping import Stuck

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from inboxkit.store.store import Store


async def becomes(store: Store, look: Callable[[Connection], Any], wanted: Any) -> None:
    """Return once the database shows what is wanted."""
    with anyio.fail_after(30):
        while await store.read(look) != wanted:
            await store.bell.wait("any", store.bell.count("any"), timeout=0.05)


def accepted(connection: Connection) -> int:
    mine = message.c.state == "accepted"
    return connection.execute(select(func.count()).where(mine)).scalar_one()


def leased(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(job.c.state == "leased")).scalar_one()


def living(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(worker)).scalar_one()


@asynccontextmanager
async def mailgun(database: str) -> AsyncGenerator[tuple[FakeProvider, Settings]]:
    fake = MailgunFake(Mailgun().configure(OPTIONS), lambda: datetime.now(UTC))
    async with FakeProvider(fake) as server:
        options = {"mailgun": {**OPTIONS, "base_url": server.url}}
        given: dict[str, Any] = {"database": database, "domain": "shop.example"}
        given |= {"provider": ("mailgun",), "options": options, "send_concurrency": 1}
        yield server, Settings(**given)


ENDS: dict[str, Callable[[InboxKit], Awaitable[None]]] = {
    "told to stop": lambda kit: kit.runtime.drain(60),
    "closed": lambda kit: kit.__aexit__(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_sends_that_wait_for_a_turn_leave_from_another_process(
    database: str, end: Callable[[InboxKit], Awaitable[None]]
) -> None:
    async with mailgun(database) as (server, settings):
        held, first = server.hold_next(), await InboxKit(settings=settings).__aenter__()
        inbox = await first.inbox(SENDER)
        for number in range(3):
            await inbox.send(ANN, f"Mail {number}")
        await held.reached.wait()
        await becomes(first.runtime.store, leased, 3)
        async with InboxKit(settings=settings) as other:
            ending = asyncio.ensure_future(end(first))
            await becomes(other.runtime.store, accepted, 2)
            assert await other.runtime.store.read(living) == 2  # nobody was taken for dead
            held.release.set()
            await ending
            await becomes(other.runtime.store, accepted, 3)
        await first.__aexit__()
        assert len([r for r in server.requests if r.method == "POST"]) == 3


async def test_a_run_that_a_stop_cuts_off_waits_for_no_call_that_does_not_end(
    database: str,
) -> None:
    stuck, begun, cut = Stuck(), anyio.Event(), Router()

    @cut.on_message(to="cut@*")
    async def handle(message: Message) -> None:
        if not begun.is_set():
            begun.set()
            await anyio.sleep_forever()
        await message.reply("Here")

    first = await InboxKit(stuck.router, cut, database=database).__aenter__()
    for address in (DESK, "cut@inbox.example"):
        await first.inbox(address)
        await arrive(first, to=address)
    await stuck.begun.wait()
    await begun.wait()
    async with InboxKit(cut, database=database) as other:
        ending = asyncio.ensure_future(first.__aexit__())
        await becomes(other.runtime.store, done, 1)
        assert await other.runtime.store.read(living) == 2
        stuck.released.set()
        await ending


def done(connection: Connection) -> int:
    return len(runs.listed(connection, state="done"))
