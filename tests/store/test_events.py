"""The event log: a cursor never skips an entry, whoever writes, and whatever is purged."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inboxkit import EventType, InboxKit
from inboxkit.store import events, inboxes, purge
from inboxkit.tokens import row_id
from tests.mails import ANN, BEGINNING, DESK, arrive, happened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

AT = datetime(2026, 1, 1, tzinfo=UTC)
EACH = 150
_PATIENCE = 100  # seconds: the imports of two more programs take most of it on a busy machine


def append(tx: Tx, message_id: int) -> int:
    return events.append(tx, EventType.RECEIVED, at=AT, inbox_id=1, message_id=message_id)


WRITER = f"""
import asyncio, sys
from inboxkit.clock import Clock
from inboxkit.store.store import Store
from tests.store.test_events import append

async def main(url, number):
    store = Store(url, Clock())
    await store.open()
    await asyncio.gather(*(store.write(append, number * 1000 + i) for i in range({EACH})))
    await store.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def follow(store: Store, count: int) -> list[tuple[int, int]]:
    """Read the log a few entries at a time while others write it."""
    seen: list[tuple[int, int]] = []
    async with asyncio.timeout(_PATIENCE):
        while len(seen) < count:
            rung = store.bell.count("event")
            cursor = seen[-1][0] if seen else 0
            rows = await store.read(events.after, cursor, limit=7)
            seen += [(row.seq, row.message_id) for row in rows]
            if not rows:
                await store.bell.wait("event", rung)
    return seen


@pytest.mark.long
async def test_a_cursor_skips_nothing_that_two_processes_write(store: Store, database: str) -> None:
    async def write(number: int) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, database, str(number)
        )
        assert await asyncio.wait_for(process.wait(), _PATIENCE) == 0

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(follow(store, 2 * EACH))
        for number in (1, 2):
            tasks.create_task(write(number))
    seen = await reading
    assert [seq for seq, _ in seen] == sorted({seq for seq, _ in seen})
    assert {m for _, m in seen} == {n * 1000 + i for n in (1, 2) for i in range(EACH)}


async def test_a_place_in_the_log_is_never_given_twice(store: Store) -> None:
    first = await store.write(append, 7)
    await store.write(purge.messages, [7])
    assert await store.read(events.last) == 0
    assert await store.write(append, 8) > first


@pytest.fixture
async def arrived(kit: InboxKit) -> AsyncIterator[list[str]]:
    await kit.inbox(DESK)
    yield [(await arrive(kit, str(number))).id for number in range(5)]


async def test_a_reader_goes_on_where_it_stopped(kit: InboxKit, arrived: list[str]) -> None:
    reading = kit.events(after=BEGINNING)
    first = [await anext(reading) for _ in range(2)]
    again = kit.events(after=first[-1].id)
    rest = [await anext(again) for _ in range(3)]
    assert [e.message.id for e in first + rest] == arrived
    assert [e.id for e in first + rest] == sorted(e.id for e in first + rest)


async def test_without_a_cursor_the_log_begins_now(kit: InboxKit, arrived: list[str]) -> None:
    following = kit.events()
    came = await arrive(kit, "later")
    assert (await asyncio.wait_for(anext(following), 30)).message == came


async def test_entries_of_purged_messages_are_passed_over(
    kit: InboxKit, arrived: list[str]
) -> None:
    await kit.runtime.store.write(purge.messages, [row_id("msg", i) for i in arrived[1:3]])
    reading = kit.events(after=BEGINNING)
    assert [(await anext(reading)).message.id for _ in range(3)] == [arrived[0], *arrived[3:]]


async def test_what_happens_to_a_send_is_in_the_log_in_order(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    sent = await inbox.send(ANN, "Hi")
    await happened(kit, EventType.ACCEPTED)
    reading = kit.events(after=BEGINNING)
    types = [(await anext(reading)) for _ in range(2)]
    assert [(e.type, e.message) for e in types] == [("queued", sent), ("accepted", sent)]
    found = await kit.runtime.store.read(inboxes.require, DESK)
    assert found.address == inbox.address
