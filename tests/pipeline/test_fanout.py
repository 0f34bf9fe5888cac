"""The log handed to endpoints: each gets what came after it, however far the others are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
from sqlalchemy import insert, select
from sqlalchemy.event import listen

from inboxkit.pipeline.fanout import Fanout
from inboxkit.store import endpoints, inboxes
from inboxkit.store.endpoints import EndpointRecord
from inboxkit.store.tables import event, job

if TYPE_CHECKING:
    from inboxkit.store.announcements import Announcement
    from inboxkit.store.inboxes import InboxRecord
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx


async def made(store: Store) -> EndpointRecord:
    now, url = store.clock.now(), "https://example.com/hook"
    wanted = EndpointRecord(
        url=url, secret="s", event_types=[], headers={}, created_at=now, updated_at=now
    )
    return await store.write(endpoints.create, wanted)


async def happen(store: Store, inbox: InboxRecord, times: int) -> None:
    row = {"type": "delivered", "at": store.clock.now(), "inbox_id": inbox.id, "message_id": 1}
    row |= {"recipient": "", "hard": False, "reason_class": "", "reason": "", "data": {}}

    def append(tx: Tx) -> None:
        tx.connection.execute(insert(event), [row] * times)
        tx.wake("event")

    await store.write(append)


async def served(store: Store) -> None:
    """Return when every endpoint was given the whole log."""
    with anyio.fail_after(10):  # it would look by itself after thirty seconds
        while True:
            seen = store.bell.count("done")
            if not await store.read(endpoints.are_behind):
                return
            await store.bell.wait("done", seen)


def wants(_endpoint: EndpointRecord, _told: Announcement) -> str:
    return "message.delivered"


async def test_each_endpoint_is_given_all_that_came_after_it(store: Store) -> None:
    inbox = await store.write(inboxes.create, "a@inbox.example", now=store.clock.now())
    early = await made(store)
    await happen(store, inbox, 501)  # more than a page of the log
    late = await made(store)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Fanout(store, wants).run)
        for _ in range(2):
            await happen(store, inbox, 1)
            await served(store)
        tasks.cancel_scope.cancel()
    query = select(job.c.key).where(job.c.kind == endpoints.TOPIC)
    keys = await store.read(lambda connection: connection.execute(query).scalars().all())
    given = Counter(int(key.partition(":")[0]) for key in keys)
    assert given == {early.id: 503, late.id: 2}


async def test_nobody_looks_for_news_while_there_is_no_endpoint(store: Store) -> None:
    inbox = await store.write(inboxes.create, "a@inbox.example", now=store.clock.now())
    looks: list[str] = []

    def executed(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        if "FROM inboxkit_endpoint" in sql:
            looks.append(sql)

    listen(store.database.reader, "after_cursor_execute", executed)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Fanout(store, wants).run)
        for _ in range(20):
            await happen(store, inbox, 1)
        assert len(looks) <= 1
        await made(store)
        await happen(store, inbox, 1)
        await served(store)
        tasks.cancel_scope.cancel()
