"""The threads of queries: who hears what, and what becomes of calls at the end."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from inboxkit.clock import Clock
from inboxkit.errors import StoreError
from inboxkit.store.readers import Readers
from inboxkit.store.store import Store
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from sqlalchemy import Connection

    from inboxkit import InboxKit

caller: ContextVar[str] = ContextVar("caller", default="nobody")
SECONDS = 30


@pytest.fixture
def readers() -> Iterator[Readers]:
    made = Readers(2)
    made.start()
    yield made
    made.stop()
    made.join()


async def test_whoever_asks_gets_what_was_returned_or_raised(readers: Readers) -> None:
    def fail() -> None:
        raise ValueError("broken")

    def stop() -> None:
        next(iter(()))

    answers = await asyncio.gather(*(readers.run(partial(pow, n, 2)) for n in range(50)))
    assert answers == [n * n for n in range(50)]
    with pytest.raises(ValueError, match="broken"):
        await readers.run(fail)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await readers.run(stop)
    assert await readers.run(lambda: "still here") == "still here"


async def test_a_query_runs_in_the_context_of_whoever_asks(readers: Readers) -> None:
    caller.set("ann")
    assert await readers.run(caller.get) == "ann"


async def test_as_many_at_once_as_there_are_threads(readers: Readers) -> None:
    both, third = threading.Barrier(3), threading.Event()

    def wait() -> None:
        both.wait(SECONDS)

    asked = [asyncio.ensure_future(readers.run(f)) for f in (wait, wait, third.set)]
    await asyncio.sleep(0)  # asked for, in this order
    assert not third.is_set()
    await asyncio.to_thread(both.wait, SECONDS)
    await asyncio.gather(*asked)
    assert third.is_set()


async def test_whoever_is_cancelled_waits_no_longer(readers: Readers) -> None:
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(SECONDS)
        over.set()

    with anyio.move_on_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(readers.run, slow)
            await asyncio.to_thread(begun.wait, SECONDS)
            tasks.cancel_scope.cancel()
    assert not over.is_set()
    go_on.set()
    assert await asyncio.to_thread(over.wait, SECONDS)
    assert await readers.run(lambda: 1) == 1


async def test_what_was_asked_for_before_the_end_is_answered_and_nothing_after() -> None:
    before = threading.enumerate()  # among them readers of a runtime that serves many tests
    readers = Readers(1)
    with pytest.raises(StoreError, match="closed"):
        await readers.run(lambda: 1)
    readers.start()
    asked = [asyncio.ensure_future(readers.run(partial(pow, n, 1))) for n in range(9)]
    await asyncio.sleep(0)
    readers.stop()
    with pytest.raises(StoreError, match="closed"):
        await readers.run(lambda: 1)
    assert await asyncio.gather(*asked) == list(range(9))
    readers.join()
    assert not [t for t in threading.enumerate() if t not in before and "reader" in t.name]


async def test_a_loop_that_is_gone_holds_up_no_other(readers: Readers) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(SECONDS)

    async def ask_and_leave() -> None:
        asyncio.ensure_future(readers.run(slow))  # noqa: RUF006 - its loop ends before it does
        await asyncio.to_thread(begun.wait, SECONDS)

    await asyncio.to_thread(asyncio.run, ask_and_leave())
    go_on.set()
    assert [await readers.run(partial(pow, n, 1)) for n in range(5)] == list(range(5))


async def test_a_closed_store_says_so(database: str) -> None:
    store = Store(database, Clock())
    await store.open()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.read(lambda _connection: None)
    with pytest.raises(StoreError, match="closed"):
        await store.write(lambda _tx: None)


@asynccontextmanager
async def long_queries(store: Store) -> AsyncGenerator[None]:
    """Ask for more queries that take long than there are threads of any kind."""
    go_on = threading.Event()

    def slow(_connection: Connection) -> None:
        go_on.wait(SECONDS)

    asked = [asyncio.ensure_future(store.read_at_length(slow)) for _ in range(10)]
    await asyncio.sleep(0)  # asked for
    yield
    go_on.set()
    await asyncio.gather(*asked)


async def test_queries_that_take_long_hold_up_only_each_other(store: Store) -> None:
    async with long_queries(store):
        with anyio.fail_after(SECONDS / 2):
            assert await store.read(lambda _connection: 1) == 1
        later = asyncio.ensure_future(store.read_at_length(lambda _connection: 2))
    assert await later == 2


async def test_mail_comes_in_while_searches_take_long(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    async with long_queries(kit.runtime.store):
        search = asyncio.ensure_future(anext(aiter(inbox.search("is:inbound"))))
        with anyio.fail_after(SECONDS / 2):
            await kit.receive(mail(subject="Now"), mail_from=ANN, rcpt_to=[DESK])
            assert (await inbox.wait_for_message(timeout=SECONDS)).subject == "Now"
        assert not search.done()
    assert (await search).subject == "Now"
