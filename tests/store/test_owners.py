"""What belongs to an inbox or a pod is made before it is deleted, and goes with it, or never."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit.errors import NotFound
from inboxkit.store import (
    api_keys,
    domains,
    drafts,
    endpoints,
    inboxes,
    lists,
    mailgun_validations,
    pods,
    purge,
    subscriptions,
    templates,
)
from inboxkit.store.api_keys import KeyRecord
from inboxkit.store.api_tables import api_key, domain, endpoint, list_entry, template
from inboxkit.store.columns import metadata
from inboxkit.store.domains import DomainRecord
from inboxkit.store.drafts import DraftRecord
from inboxkit.store.endpoints import EndpointRecord
from inboxkit.store.lists import ListKey
from inboxkit.store.mailgun_validations import NewList, inbox_scope
from inboxkit.store.subscriptions import Scope, SubscriptionRecord
from inboxkit.tokens import new_id
from inboxkit.values import File

from .at_once import behind
from .sending import ANN, NOW, stored

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

MOMENTS: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}


def key(tx: Tx, **owner: Any) -> None:
    api_keys.create(tx, KeyRecord(id=0, prefix="", name="k", live=True, **owner, **MOMENTS))


def hook(tx: Tx, **owner: Any) -> None:
    about: dict[str, Any] = {"event_types": [], "headers": {}, **owner, **MOMENTS}
    endpoints.create(tx, EndpointRecord(url="https://x.example", secret="whsec_x", **about))


def entry(tx: Tx, **owner: Any) -> None:
    blocked = ListKey(direction="receive", list_type="block", **owner)
    lists.add(tx, blocked, "ann@example.com", reason="", now=NOW)


def draft(tx: Tx, inbox_id: int) -> None:
    wanted = DraftRecord(id=new_id(), inbox_id=inbox_id, inbox="", send_at=NOW, **MOMENTS)
    drafts.create(tx, wanted, [File("a.txt", b"abc", "text/plain")])


def poll(tx: Tx, inbox_id: int) -> None:
    wanted = SubscriptionRecord(client_id="c", event_types=["x"], inbox_id=inbox_id, **MOMENTS)
    subscriptions.create(tx, Scope(None, inbox_id), wanted)


def validation(tx: Tx, inbox_id: int) -> None:
    new = NewList(inbox_scope(inbox_id), "names", quantity=1, lookup=False, now=NOW)
    mailgun_validations.create(tx, new, mailgun_validations.packed([ANN]))


def send(tx: Tx, inbox_id: int) -> None:
    stored(tx, ANN, inbox_id=inbox_id)


def own_domain(tx: Tx, pod_id: str) -> None:
    uses = ("feedback_enabled", "inbound_enabled", "subdomains_enabled", "tracking_enabled")
    keys = {"dkim_selector": "s", "dkim_key": "k", "status": "pending", "records": ()}
    about: dict[str, Any] = {**dict.fromkeys(uses, False), **keys, **MOMENTS}
    domains.create(tx, DomainRecord(id="shop.example", pod_id=pod_id, **about))


def own_template(tx: Tx, pod_id: str) -> None:
    templates.create(tx, pod_id=pod_id, name="hello", description="", now=NOW)


KINDS = [key, hook, entry]
ALL: list[Any] = [*KINDS, draft, poll, validation, send]


def left(connection: Connection) -> int:
    """Count what there is, but the row that the last key leaves."""
    keys = select(api_key.c.id).where(api_key.c.hash != "")
    others = (endpoint, list_entry, domain, template)
    queries = (keys, *(select(table.c.id) for table in others))
    return sum(len(connection.execute(query).all()) for query in queries)


def rows(connection: Connection) -> dict[str, int]:
    """Count the rows of each table, but the row that the last key leaves."""
    keys = select(api_key.c.id).where(api_key.c.hash != "")
    queries = {t.name: select(t.c[0]) for t in metadata.sorted_tables} | {api_key.name: keys}
    return {name: len(connection.execute(query).all()) for name, query in queries.items()}


async def test_with_an_inbox_goes_all_that_is_its_own_and_nothing_of_another(
    store: Store,
) -> None:
    kept = (await store.write(inboxes.create, "support@shop.example", now=NOW)).id
    for make in ALL:
        await store.write(make, inbox_id=kept)
    before = await store.read(rows)
    gone = (await store.write(inboxes.create, "gone@inbox.example", now=NOW)).id
    for make in ALL:
        await store.write(make, inbox_id=gone)
    await store.write(purge.inbox, gone)
    assert await store.read(rows) == before


@pytest.mark.postgres
@pytest.mark.parametrize("make", KINDS)
async def test_what_is_made_for_an_inbox_goes_with_it(store: Store, make: Any) -> None:
    mine = (await store.write(inboxes.create, "m@inbox.example", now=NOW)).id
    await behind(store, partial(make, inbox_id=mine), store.write(purge.inbox, mine))
    assert await store.read(left) == 0


@pytest.mark.postgres
@pytest.mark.parametrize("make", [*KINDS, own_domain, own_template])
async def test_nothing_is_made_for_a_pod_that_is_deleted(store: Store, make: Any) -> None:
    mine = (await store.write(pods.create, name="p", client_id=None, now=NOW)).id
    with pytest.raises(NotFound, match="deleted meanwhile"):
        await behind(
            store, partial(pods.remove, pod_id=mine), store.write(partial(make, pod_id=mine))
        )
    assert await store.read(left) == 0
