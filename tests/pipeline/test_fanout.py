"""The log handed to endpoints: each gets what came after it, however far the others are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import anyio
from sqlalchemy import insert, select

from inboxkit.pipeline.fanout import Fanout
from inboxkit.store import endpoints, inboxes
from inboxkit.store.endpoints import EndpointRecord
from inboxkit.store.tables import event, job

if TYPE_CHECKING:
    from inboxkit.store.announcements import Announcement
    from inboxkit.store.inboxes import InboxRecord
    from inboxkit.store.store import Store
    from inboxkit.store.writer import Tx


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


async def served(store: Store, fanout: Fanout) -> None:
    """Run until every endpoint was given the whole log."""
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fanout.run)
            seen = store.bell.count("done")
            while await store.read(endpoints.are_behind):
                await store.bell.wait("done", seen, timeout=30)
                seen = store.bell.count("done")
            tasks.cancel_scope.cancel()


async def test_each_endpoint_is_given_all_that_came_after_it(store: Store) -> None:
    def wants(_endpoint: EndpointRecord, _told: Announcement) -> str:
        return "message.delivered"

    inbox = await store.write(inboxes.create, "a@inbox.example", now=store.clock.now())
    early = await made(store)
    await happen(store, inbox, 501)  # more than a page of the log
    late = await made(store)
    await happen(store, inbox, 2)
    await served(store, Fanout(store, wants))
    query = select(job.c.key).where(job.c.kind == endpoints.TOPIC)
    keys = await store.read(lambda connection: connection.execute(query).scalars().all())
    given = Counter(int(key.partition(":")[0]) for key in keys)
    assert given == {early.id: 503, late.id: 2}
