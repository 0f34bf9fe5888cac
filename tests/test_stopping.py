"""How a kit stops: within its time, and whole, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import threading
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import from_thread, to_thread

from inboxkit import InboxKit, InboxKitError, Message, Retries, Router
from inboxkit.pipeline.stopping import LONGEST_SECONDS
from inboxkit.settings import Settings
from inboxkit.store import runs
from inboxkit.tokens import public_id

from .faults.logs import until
from .mails import ANN, DESK, arrive

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from inboxkit.testing import Fakes


async def in_data(kit: InboxKit) -> asyncio.StreamWriter:
    """Return a connection in the middle of a message."""
    reader, writer = await asyncio.open_connection(*kit.smtp_address)
    lines = ["HELO x", f"MAIL FROM:<{ANN}>", f"RCPT TO:<{DESK}>", "DATA"]
    for line in lines:
        await reader.readline()
        writer.write(f"{line}\r\n".encode())
    assert (await reader.readline()).startswith(b"354 ")
    writer.write(b"Subject: half\r\n")
    return writer


async def test_a_message_that_does_not_end_is_waited_for_as_long_as_was_told(database: str) -> None:
    async with InboxKit(database=database, smtp="127.0.0.1:0") as kit:
        await kit.inbox(DESK)
        writer = await in_data(kit)
        async with asyncio.timeout(20):
            await kit.runtime.drain(0.1)
            await kit.runtime.stop()
        writer.transport.abort()


class Stuck:
    """A handler whose first call waits in a thread, which then tries to go on with it."""

    def __init__(self) -> None:
        self.router = Router()
        self.begun, self.released = anyio.Event(), threading.Event()
        self.refused: list[str] = []
        self._calls = 0
        self.router.on_message(to="desk@*")(self.handle)

    async def handle(self, message: Message) -> None:
        self._calls += 1
        if self._calls == 1:
            self.begun.set()
            await self.hang(message)
        await message.reply(f"Answer {self._calls}")

    async def hang(self, message: Message) -> None:
        await to_thread.run_sync(self._block, message)

    def _block(self, message: Message) -> None:
        self.released.wait(60)
        try:
            from_thread.run(message.reply, "Too late")
        except InboxKitError as error:
            self.refused.append(str(error))


class Deaf(Stuck):
    """A handler whose first call goes on whatever cancels it."""

    async def hang(self, message: Message) -> None:
        while not self.released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await anyio.sleep(0.01)
        try:
            await message.reply("Too late")
        except InboxKitError as error:
            self.refused.append(str(error))


async def ended(kit: InboxKit) -> None:
    """Return once the first kit's Run has ended in this one."""
    store = kit.runtime.store
    with anyio.fail_after(30):
        while not await store.read(runs.listed, state="done"):
            await store.bell.wait("done", store.bell.count("done"), timeout=0.1)


@pytest.mark.parametrize("kind", [Stuck, Deaf])
async def test_a_call_that_no_cancel_ends_is_left_behind_and_its_run_begun_anew(
    database: str, caplog: pytest.LogCaptureFixture, kind: type[Stuck]
) -> None:
    stuck = kind()
    async with InboxKit(stuck.router, database=database) as kit:
        await kit.inbox(DESK)
        asked = await arrive(kit)
        await stuck.begun.wait()
        kit.runtime.grace = 0.1
        row = (await kit.runtime.store.read(runs.listed))[0]
        async with asyncio.timeout(30):
            await kit.runtime.stop()
    told = f"{public_id('run', row.id)} of {row.handler} for {asked.id}: the call does not end"
    assert told in caplog.text
    assert ("although a step or a call" in caplog.text) == (kind is Deaf)
    async with InboxKit(stuck.router, database=database) as kit:
        await ended(kit)
        stuck.released.set()
        await until(lambda: bool(stuck.refused))
        again = (await kit.runtime.store.read(runs.listed))[0]
        sent = [m.text.strip() async for m in kit.search("is:sent")]
    assert (again.id, again.state, again.attempts, sent) == (row.id, "done", 2, ["Answer 2"])


async def makes_an_error_of_it(_message: Message) -> None:
    try:
        await anyio.sleep_forever()
    except asyncio.CancelledError as error:
        raise RuntimeError("cut off") from error


async def exits(_message: Message) -> None:
    try:
        await anyio.sleep_forever()
    except asyncio.CancelledError:
        sys.exit(1)


async def goes_on(message: Message) -> None:
    with anyio.CancelScope(shield=True):
        with contextlib.suppress(asyncio.CancelledError):
            await anyio.sleep_forever()
        await message.reply("Too late")


async def hides_it(message: Message) -> None:
    with contextlib.suppress(InboxKitError):
        await goes_on(message)


@pytest.mark.parametrize("end", [makes_an_error_of_it, exits, goes_on, hides_it])
async def test_however_a_call_ends_that_a_stop_cuts_off_its_run_is_begun_anew(
    database: str, end: Callable[[Message], Awaitable[None]]
) -> None:
    begun, router = anyio.Event(), Router(retries=Retries(attempts=1))

    @router.on_message(to="desk@*")
    async def handle(message: Message) -> None:
        begun.set()
        await end(message)

    async with InboxKit(router, database=database) as kit:
        await kit.inbox(DESK)
        await arrive(kit)
        await begun.wait()
        kit.runtime.grace = 0.1
        async with asyncio.timeout(30):
            await kit.runtime.stop()
    async with InboxKit(database=database) as kit:
        row = (await kit.runtime.store.read(runs.listed))[0]
        assert (row.state, row.error) == ("pending", "")


async def test_a_request_that_is_under_way_is_waited_for_longer_than_a_call(
    database: str, fake_provider: Fakes
) -> None:
    fake = fake_provider("postmark")
    given: dict[str, Any] = {"database": database, "domain": "shop.example"}
    through: dict[str, Any] = {"provider": ("postmark",), "options": {"postmark": fake.options}}
    fake.delay_next(1.0)
    async with InboxKit(settings=Settings(**given | through)) as kit:
        sent = await (await kit.inbox("desk@shop.example")).send(ANN, "Question", "Which size?")
        await until(lambda: bool(fake.requests))
        kit.runtime.grace = 0.1
    async with InboxKit(settings=Settings(**given)) as kit:
        assert (await kit.message(sent.id)).state == "accepted"


async def test_a_resource_that_does_not_close_is_left_behind(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    released, closed = threading.Event(), list[str]()

    @asynccontextmanager
    async def pool() -> AsyncGenerator[int]:
        yield 1
        await to_thread.run_sync(released.wait, 60)

    @asynccontextmanager
    async def file() -> AsyncGenerator[int]:
        yield 2
        closed.append("file")

    kit = await InboxKit(
        Router(resource=file), Router(resource=pool), database=database
    ).__aenter__()
    kit.runtime.resources.patience = 0.1
    async with asyncio.timeout(30):
        await kit.__aexit__()
    released.set()
    assert "pool is not closed after 0.1 s, and the stop goes on without it" in caplog.text
    assert closed == ["file"]


async def test_what_does_not_end_has_one_time_together(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    released, stuck = threading.Event(), Stuck()

    def pool() -> AbstractAsyncContextManager[int]:
        return hangs(released)

    def queue() -> AbstractAsyncContextManager[int]:
        return hangs(released)

    resources = (Router(resource=pool), Router(resource=queue))
    kit = await InboxKit(stuck.router, *resources, database=database).__aenter__()
    await kit.inbox(DESK)
    await arrive(kit)
    await stuck.begun.wait()
    kit.runtime.time.seconds = 0.1  # each of the three would have 30 s for itself
    async with asyncio.timeout(20):
        await kit.__aexit__()
    released.set()
    stuck.released.set()
    assert caplog.text.count("the stop goes on without it") == 3


@asynccontextmanager
async def hangs(released: threading.Event) -> AsyncGenerator[int]:
    yield 1
    await to_thread.run_sync(released.wait, 60)


async def test_a_request_has_its_time_from_the_beginning_of_the_stop(
    database: str, fake_provider: Fakes
) -> None:
    fake = fake_provider("postmark")
    fake.delay_next(50)
    options = {"postmark": fake.options}
    settings = Settings(
        database=database, domain="shop.example", provider=("postmark",), options=options
    )
    kit = await InboxKit(settings=settings).__aenter__()
    sent = await (await kit.inbox("desk@shop.example")).send(ANN, "Question", "Which size?")
    await until(lambda: bool(fake.requests))
    async with asyncio.timeout(20):
        await kit.runtime.drain(0.1)
        kit.runtime.grace = 0.1
        kit.runtime.time.now = lambda: time.monotonic() + 60
        await kit.__aexit__()
    async with InboxKit(database=database) as kit:
        assert (await kit.message(sent.id)).state != "accepted"


def test_whoever_kills_what_does_not_stop_waits_until_it_had_its_time() -> None:
    unit, compose = Path("deploy/inboxkit.service"), Path("compose.yaml")
    service = re.search(r"TimeoutStopSec=(\d+)", unit.read_text())
    container = re.search(r"stop_grace_period: (\d+)s", compose.read_text())
    assert service and container
    assert min(int(service[1]), int(container[1])) > LONGEST_SECONDS
