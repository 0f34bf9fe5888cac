"""What belongs to an inbox or a pod is made before it is deleted, and goes with it, or never."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit.errors import NotFound
from inboxkit.store import api_keys, endpoints, inboxes, lists, pods, purge
from inboxkit.store.api_keys import KeyRecord
from inboxkit.store.api_tables import api_key, endpoint, list_entry
from inboxkit.store.endpoints import EndpointRecord
from inboxkit.store.lists import ListKey

from .at_once import behind
from .sending import NOW

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit.store.store import Store
    from inboxkit.store.writer import Tx

pytestmark = pytest.mark.postgres
MOMENTS: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}


def key(tx: Tx, **owner: Any) -> None:
    api_keys.create(tx, KeyRecord(id=0, prefix="", name="k", live=True, **owner, **MOMENTS))


def hook(tx: Tx, **owner: Any) -> None:
    about: dict[str, Any] = {"event_types": [], "headers": {}, **owner, **MOMENTS}
    endpoints.create(tx, EndpointRecord(url="https://x.example", secret="whsec_x", **about))


def entry(tx: Tx, **owner: Any) -> None:
    blocked = ListKey(direction="receive", list_type="block", **owner)
    lists.add(tx, blocked, "ann@example.com", reason="", now=NOW)


KINDS = [key, hook, entry]


def left(connection: Connection) -> int:
    """Count what there is, but the row that the last key leaves."""
    keys = select(api_key.c.id).where(api_key.c.hash != "")
    queries = (keys, select(endpoint.c.id), select(list_entry.c.id))
    return sum(len(connection.execute(query).all()) for query in queries)


@pytest.mark.parametrize("make", KINDS)
async def test_what_is_made_for_an_inbox_goes_with_it(store: Store, make: Any) -> None:
    mine = (await store.write(inboxes.create, "m@inbox.example", now=NOW)).id
    await behind(store, partial(make, inbox_id=mine), store.write(purge.inbox, mine))
    assert await store.read(left) == 0


@pytest.mark.parametrize("make", KINDS)
async def test_nothing_is_made_for_a_pod_that_is_deleted(store: Store, make: Any) -> None:
    mine = (await store.write(pods.create, name="p", client_id=None, now=NOW)).id
    with pytest.raises(NotFound, match="deleted meanwhile"):
        await behind(
            store, partial(pods.remove, pod_id=mine), store.write(partial(make, pod_id=mine))
        )
    assert await store.read(left) == 0
