"""What is left of API keys: nothing that is good for anything, and that there were some."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from inboxkit.store import api_keys, pods
from inboxkit.store.api_keys import KeyRecord
from inboxkit.store.pages import Page
from inboxkit.store.reach import EVERYTHING

if TYPE_CHECKING:
    from datetime import datetime

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx


ALL: Page[int] = Page(10)


async def made(store: Store, pod_id: str | None = None) -> KeyRecord:
    now = store.clock.now()
    wanted = KeyRecord(
        id=0, prefix="", name="key", live=False, pod_id=pod_id, created_at=now, updated_at=now
    )
    return (await store.write(api_keys.create, wanted))[0]


async def revoked(store: Store, key: KeyRecord) -> bool:
    return await store.write(api_keys.remove, key.id)


async def found(store: Store, key_id: int, now: datetime) -> KeyRecord | None:
    return await store.read(api_keys.find_good, key_id, now)


def remove_of(tx: Tx, pod_id: str) -> None:
    api_keys.remove_of(tx, pod_id=pod_id)


async def test_that_there_were_keys_outlasts_all_of_them(store: Store) -> None:
    keys = [await made(store) for _ in range(3)]
    assert await asyncio.gather(*(revoked(store, key) for key in keys)) == [True] * 3
    assert await store.read(api_keys.were_made)
    assert await store.read(api_keys.listed, EVERYTHING, ALL) == []
    assert not await revoked(store, keys[-1])


async def test_a_pod_that_goes_without_keys_closes_no_door(store: Store) -> None:
    await store.write(remove_of, "pod_none")
    assert not await store.read(api_keys.were_made)


async def test_keys_of_pods_that_go_leave_those_of_others(store: Store) -> None:
    for name in "ab":
        pod = await store.write(pods.create, name=name, client_id=None, now=store.clock.now())
        gone, kept = await made(store, pod.id), await made(store)
        await store.write(remove_of, pod.id)
        left = await store.read(api_keys.listed, EVERYTHING, ALL)
        assert kept in left and gone not in left


async def test_which_keys_have_ended(store: Store) -> None:
    last, gone, kept, brief = [await made(store) for _ in range(4)]
    now = store.clock.now()
    await revoked(store, last)  # leaves a row that is good for nothing
    await revoked(store, gone)
    values = {"expires_at": now + timedelta(days=1)}
    await store.write(api_keys.change, brief.id, now, values)
    ids = [last.id, gone.id, kept.id, brief.id, None]
    assert await store.read(api_keys.ended, ids, now) == {last.id, gone.id}
    good = {one.id for one in (last, gone, kept, brief) if await found(store, one.id, now)}
    assert good == {kept.id, brief.id}
    later = now + timedelta(days=1)
    assert await found(store, brief.id, later) is None
    assert await store.read(api_keys.ended, ids, later) == {last.id, gone.id, brief.id}
    assert await store.read(api_keys.ended, [None], now) == set()


async def test_a_secret_is_good_until_its_key_expires(store: Store) -> None:
    now = store.clock.now()
    end = now + timedelta(days=1)
    wanted = KeyRecord(
        id=0, prefix="", name="brief", live=False, expires_at=end, created_at=now, updated_at=now
    )
    key, secret = await store.write(api_keys.create, wanted)
    assert await store.read(api_keys.find_secret, secret, end - timedelta(seconds=1)) == key
    assert await store.read(api_keys.find_secret, secret, end) is None
