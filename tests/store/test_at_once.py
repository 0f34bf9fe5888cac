"""What two transactions of PostgreSQL decide at once: the second sees what the first has done."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from inboxkit.errors import ConfigurationError, NotFound
from inboxkit.store import (
    arrivals,
    claims,
    deliveries,
    endpoints,
    inboxes,
    limits,
    mailgun_sends,
    pods,
    purge,
    templates,
)
from inboxkit.store.api_tables import DEFAULT_POD
from inboxkit.store.deliveries import Outcome
from inboxkit.store.endpoints import EndpointRecord
from inboxkit.store.pages import Page
from inboxkit.store.reach import EVERYTHING, Reach
from inboxkit.store.templates import TemplateRecord, VersionRecord
from inboxkit.tokens import new_id
from inboxkit.values import EventType

from .arriving import SUPPORT, arrival, mail, rows
from .at_once import behind
from .sending import ANN, NOW, stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxkit.store.inboxes import InboxRecord
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

pytestmark = pytest.mark.postgres
SALES = "sales@inbox.example"
HOUR = timedelta(hours=1)


async def pod(store: Store, name: str) -> str:
    return (await store.write(pods.create, name=name, client_id=None, now=NOW)).id


def claim(tx: Tx, pod_id: str) -> InboxRecord:
    return claims.make(tx, Reach(pod_id), SALES, shared="inbox.example", client_id=None, now=NOW)


async def test_an_address_that_two_pods_ask_for_is_one_pods(store: Store) -> None:
    first, second = [await pod(store, name) for name in "ab"]
    with pytest.raises(claims.Taken):
        await behind(store, partial(claim, pod_id=first), store.write(claim, second))
    assert (await store.read(inboxes.require, SALES)).pod_id == first


def claim_as(tx: Tx, client_id: str | None, address: str = SALES) -> InboxRecord:
    shared = "inbox.example"
    return claims.make(tx, EVERYTHING, address, shared=shared, client_id=client_id, now=NOW)


async def test_what_is_asked_for_twice_under_one_client_id_is_one_inbox(store: Store) -> None:
    again = store.write(claim_as, "c-1", "help@inbox.example")
    made = await behind(store, partial(claim_as, client_id="c-1"), again)
    assert made.address == SALES
    assert await store.read(inboxes.count, EVERYTHING) == 1


@pytest.mark.parametrize("second", ["c-2", None])
@pytest.mark.parametrize("first", ["c-1", None])
async def test_an_address_that_two_clients_ask_for_is_ones(
    store: Store, first: str | None, second: str | None
) -> None:
    with pytest.raises(claims.Taken):
        await behind(store, partial(claim_as, client_id=first), store.write(claim_as, second))


def keep(tx: Tx) -> bool:
    """Make the inbox of a sender as the Mailgun API does."""
    return inboxes.keep(tx, mailgun_sends.new_inbox(SALES, "", DEFAULT_POD, NOW))


def add_alias(tx: Tx, address: str = "support@inbox.example", alias: str = SALES) -> InboxRecord:
    return inboxes.create(tx, address, aliases=[alias], now=NOW)


def claim_alone(tx: Tx) -> InboxRecord:
    return claim(tx, DEFAULT_POD)


@pytest.mark.parametrize("is_there", [False, True], ids=["a new inbox's", "one that is there"])
async def test_an_alias_that_is_being_added_is_made_no_inbox(store: Store, is_there: bool) -> None:
    if is_there:
        await store.write(inboxes.create, "support@inbox.example", now=NOW)
    with pytest.raises(claims.Taken):
        await behind(store, add_alias, store.write(claim_alone))
    assert (await store.read(inboxes.require, SALES)).address == "support@inbox.example"
    assert await store.read(inboxes.count, EVERYTHING) == 1


async def test_an_alias_that_is_being_added_is_made_no_inbox_of_a_sender(store: Store) -> None:
    assert not await behind(store, add_alias, store.write(keep))
    assert await store.read(inboxes.count, EVERYTHING) == 1


async def test_mail_for_an_alias_that_is_being_added_comes_to_its_inbox(store: Store) -> None:
    made = await behind(store, add_alias, store.write(inboxes.create, SALES, now=NOW))
    assert made.address == "support@inbox.example"


@pytest.mark.parametrize("make", [claim_alone, keep], ids=["an API's", "a sender's"])
async def test_an_inbox_that_is_being_made_becomes_no_alias(
    store: Store, make: Callable[[Tx], object]
) -> None:
    with pytest.raises(ConfigurationError, match=f"belongs to {SALES}"):
        await behind(store, make, store.write(add_alias))
    assert (await store.read(inboxes.require, SALES)).aliases == ()


async def test_two_inboxes_each_with_the_other_as_its_alias_are_one(store: Store) -> None:
    swapped = partial(add_alias, address=SALES, alias="support@inbox.example")
    made = await behind(store, add_alias, store.write(swapped))
    assert (made.address, made.aliases) == ("support@inbox.example", (SALES,))


async def test_a_pod_to_which_an_inbox_is_added_is_not_deleted(store: Store) -> None:
    mine = await pod(store, "a")
    assert not await behind(store, partial(claim, pod_id=mine), store.write(pods.remove, mine))
    assert await store.read(pods.find, mine) is not None


async def test_no_inbox_is_made_in_a_pod_that_is_deleted(store: Store) -> None:
    mine = await pod(store, "a")
    with pytest.raises(NotFound, match="the pod was deleted"):
        await behind(store, partial(pods.remove, pod_id=mine), store.write(claim, mine))
    assert await store.read(inboxes.find, SALES) is None


async def test_metadata_of_two_changes_is_merged(store: Store) -> None:
    made = await store.write(inboxes.create, SALES, now=NOW)

    def change(tx: Tx, name: str) -> None:
        inboxes.change(tx, made.id, NOW, {}, {name: 1})

    await behind(store, partial(change, name="a"), store.write(change, "b"))
    assert (await store.read(inboxes.require, SALES)).metadata == {"a": 1, "b": 1}


async def test_the_secrets_of_two_rotations_both_sign(store: Store) -> None:
    wanted = EndpointRecord(
        url="https://shop.example/hook",
        secret="old",
        event_types=(),
        headers={},
        created_at=NOW,
        updated_at=NOW,
    )
    made = await store.write(endpoints.create, wanted)

    def rotate(tx: Tx, secret: str) -> None:
        endpoints.rotate(tx, made.id, secret, NOW, HOUR)

    await behind(store, partial(rotate, secret="one"), store.write(rotate, "two"))
    found = await store.read(endpoints.by_id, made.id, NOW)
    assert found is not None and sorted(found.signing(NOW)) == ["old", "one", "two"]


async def template(store: Store) -> TemplateRecord:
    wanted = partial(templates.create, pod_id=DEFAULT_POD, name="welcome", description="", now=NOW)
    return await store.write(wanted)


def add(tx: Tx, template_id: int, tag: str) -> None:
    wanted = VersionRecord(
        id=new_id(),
        template_id=template_id,
        tag=tag,
        active=False,
        engine="jinja",
        comment="",
        created_at=NOW,
        updated_at=NOW,
    )
    templates.add_version(tx, wanted)


async def test_of_two_first_versions_one_is_active(store: Store) -> None:
    made = await template(store)
    await behind(store, lambda tx: add(tx, made.id, "a"), store.write(add, made.id, "b"))
    found = await store.read(templates.versions, made.id, Page(5))
    assert sorted((v.tag, v.active) for v in found) == [("a", True), ("b", False)]


async def test_a_version_goes_with_its_template_that_is_deleted(store: Store) -> None:
    made = await template(store)
    await behind(store, lambda tx: add(tx, made.id, "a"), store.write(templates.remove, made))
    assert await store.read(templates.versions, made.id, Page(5)) == []


async def test_no_version_is_added_to_a_template_that_is_deleted(store: Store) -> None:
    made = await template(store)
    with pytest.raises(NotFound, match="the template was deleted"):
        await behind(store, lambda tx: templates.remove(tx, made), store.write(add, made.id, "a"))
    assert await store.read(templates.versions, made.id, Page(5)) == []


async def test_a_pause_that_a_provider_asks_for_outlives_a_send_that_succeeds(
    store: Store,
) -> None:
    await store.write(partial(limits.failed, begun_at=NOW, now=NOW, reason="x"), "mailgun")

    def pause(tx: Tx) -> None:
        limits.pause(tx, "mailgun", NOW + HOUR, now=NOW, reason="429")

    await behind(store, pause, store.write(limits.succeeded, {"mailgun"}, NOW))
    assert (await store.read(limits.circuits))["mailgun"].until == NOW + HOUR


async def test_mail_that_comes_as_its_inbox_is_deleted_goes_with_it(store: Store) -> None:
    made = await store.write(inboxes.create, SUPPORT, now=NOW)

    def accept(tx: Tx) -> None:
        arrivals.accept(tx, [(arrival(made.id, mail("one")),)])

    await behind(store, accept, store.write(purge.inbox, made.id))
    assert await store.read(rows) == {}


async def test_what_two_processes_are_told_at_once_is_logged_once(store: Store) -> None:
    number = await store.write(stored, ANN)

    def tell(tx: Tx, kind: EventType = EventType.OPENED) -> bool:
        told = Outcome(type=kind, at=NOW, recipient=ANN, event_id="e-1")
        return deliveries.happened(tx, number, told, now=NOW)

    await store.write(tell, EventType.CLICKED)  # is further: what comes now moves nothing
    assert not await behind(store, tell, store.write(tell))
