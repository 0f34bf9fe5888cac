"""Deleting for good: rows first, then their files; an inbox in portions that let mail in between.

An inbox takes no mail from the first write on. When a process dies on the way, deleting it again
finishes it; the janitor does so too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from ..blocking import in_thread
from ..store import inboxes, purge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..store.inboxes import InboxRecord
    from ..store.store import Store

PORTION = 100
_PAUSE_SECONDS = 0.02


async def delete_messages(store: Store, ids: Sequence[int]) -> None:
    """Delete messages, and their files once that is committed."""
    await _remove(store, await store.write(purge.messages, ids))


async def delete_scheduled(store: Store, ids: Sequence[int]) -> None:
    """Take sends back whose time has not come; what has begun to leave meanwhile stays."""
    for start in range(0, len(ids), PORTION):
        await _remove(store, await store.write(purge.scheduled, ids[start : start + PORTION]))


async def cancel(store: Store, message_id: int) -> None:
    """Take one send back; raise NotFound, or NotScheduled when it has begun to leave."""
    await _remove(store, await store.write(purge.cancel, message_id))


async def delete_portion(store: Store, ids: Sequence[int]) -> None:
    """Delete one portion of many, then let mail in: both need the writer."""
    await delete_messages(store, ids)
    await anyio.sleep(_PAUSE_SECONDS)


async def delete_inbox(store: Store, inbox_id: int) -> None:
    """Delete an inbox with everything in it, whether it is done with or not.

    What is one portion goes in one step: nobody sees an inbox that is half there.
    """
    ids = await store.read(purge.held_by, inbox_id, limit=PORTION + 1)
    if len(ids) > PORTION:
        await store.write(inboxes.close, inbox_id, store.clock.now())
        while ids:
            await delete_portion(store, ids[:PORTION])
            ids = await store.read(purge.held_by, inbox_id, limit=PORTION)
    await _remove(store, await store.write(purge.inbox, inbox_id))


async def make_inbox(
    store: Store, address: str, now: datetime, asked: Mapping[str, Any]
) -> InboxRecord:
    """Return the inbox of an address, made if it is new; one that is going away is gone first."""
    while True:
        try:
            return await store.write(inboxes.create, address, now=now, **asked)
        except inboxes.BeingDeleted as going:
            await delete_inbox(store, going.inbox_id)


async def _remove(store: Store, locations: Sequence[str]) -> None:
    if locations:
        await in_thread(store.blobs.remove, locations)
