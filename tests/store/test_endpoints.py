"""Endpoints of outgoing webhooks: who follows the log for them hears of a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxkit.store import endpoints
from inboxkit.store.endpoints import EndpointRecord

if TYPE_CHECKING:
    from datetime import datetime

    from inboxkit.store.store import Store


def wanted(now: datetime) -> EndpointRecord:
    return EndpointRecord(
        url="https://example.com/hook",
        secret="whsec_x",
        event_types=["message.received"],
        headers={},
        created_at=now,
        updated_at=now,
    )


async def is_heard(store: Store, before: int) -> bool:
    await store.bell.wait(endpoints.CHANGED, before, timeout=30)  # no heartbeat rings here
    return store.bell.count(endpoints.CHANGED) > before


async def test_a_new_endpoint_rings(store: Store) -> None:
    before = store.bell.count(endpoints.CHANGED)
    await store.write(endpoints.create, wanted(store.clock.now()))
    assert await is_heard(store, before)


async def test_an_endpoint_that_is_enabled_anew_rings(store: Store) -> None:
    made = await store.write(endpoints.create, wanted(store.clock.now()))
    now = store.clock.now()
    await store.write(endpoints.disable, made.id, now, "gone")
    assert await store.read(endpoints.enabled, now) == []
    before = store.bell.count(endpoints.CHANGED)
    await store.write(endpoints.change, made.id, now, {"enabled": True})
    assert await is_heard(store, before)
    assert [e.id for e in await store.read(endpoints.enabled, now)] == [made.id]
