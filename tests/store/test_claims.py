"""Whether a caller may have an address: not in another pod's domain, nor as its plus-tag."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.store import claims, inboxes
from inboxkit.store.claims import Taken
from inboxkit.store.domains import DomainRecord, DomainTaken
from inboxkit.store.inboxes import DELETING, BeingDeleted
from inboxkit.store.reach import EVERYTHING, Reach

from .sending import in_pod

if TYPE_CHECKING:
    from inboxkit.store.inboxes import InboxRecord
    from inboxkit.store.store import Store

A, B = Reach("pod_a"), Reach("pod_b")
SHARED = "inbox.example"


async def add_domain(store: Store, name: str, pod_id: str | None) -> None:
    now = store.clock.now()
    uses: dict[str, Any] = dict.fromkeys(
        (f"{use}_enabled" for use in ("feedback", "inbound", "subdomains", "tracking")), True
    )
    record = DomainRecord(
        id=name,
        pod_id=pod_id,
        status="NOT_STARTED",
        **uses,
        records=(),
        dkim_selector="inboxkit",
        dkim_key="",
        created_at=now,
        updated_at=now,
    )
    await store.write(in_pod, record)


async def may(store: Store, reach: Reach, address: str) -> bool:
    try:
        await store.read(claims.check, reach, address, shared=SHARED)
    except Taken:
        return False
    return True


DOMAINS = {
    "its own": (B, "ceo@shop.example", True),
    "below its own": (B, "ceo@mail.shop.example", True),
    "of no pod": (EVERYTHING, "ceo@shop.example", True),
    "another's": (A, "ceo@shop.example", False),
    "another's in capitals": (A, "ceo@Shop.EXAMPLE", False),
    "below another's": (A, "ceo@mail.eu.shop.example", False),
    "its own below another's": (A, "ceo@a.shop.example", True),
    "beside another's": (A, "ceo@workshop.example", True),
    "nobody's": (A, "ceo@free.example", True),
    "the organization's": (A, "ceo@org.example", True),
    "below a public suffix": (A, "ceo@other.co.uk", True),
    "another's in ASCII": (A, "ceo@xn--bcher-kva.example", False),
    "another's in Unicode": (A, "ceo@bücher.example", False),
    "the shared one": (A, f"ceo@{SHARED}", True),
}


@pytest.mark.parametrize(("reach", "address", "good"), DOMAINS.values(), ids=DOMAINS.keys())
async def test_a_domain_is_its_pods(store: Store, reach: Reach, address: str, good: bool) -> None:
    await add_domain(store, "a.shop.example", "pod_a")
    await add_domain(store, "org.example", None)
    for name in ("shop.example", "xn--bcher-kva.example", "co.uk", SHARED):
        await add_domain(store, name, "pod_b")
    assert await may(store, reach, address) is good


TAGS = {
    "its own": (B, f"support+billing@{SHARED}", True),
    "another's": (A, f"support+billing@{SHARED}", False),
    "another's, twice tagged": (A, f"Support+billing+eu@{SHARED}", False),
    "of no pod": (EVERYTHING, f"support+billing@{SHARED}", True),
    "another's alias": (A, f"help+billing@{SHARED}", False),
    "nobody's": (A, f"sales+billing@{SHARED}", True),
    "without a tag": (A, f"supports@{SHARED}", True),
    "at another domain": (A, "support+billing@free.example", True),
}


@pytest.mark.parametrize(("reach", "address", "good"), TAGS.values(), ids=TAGS.keys())
async def test_a_plus_tag_is_its_inboxes(
    store: Store, reach: Reach, address: str, good: bool
) -> None:
    asked: dict[str, Any] = {"now": store.clock.now(), "pod_id": "pod_b"}
    await store.write(inboxes.create, f"support@{SHARED}", aliases=[f"help@{SHARED}"], **asked)
    assert await may(store, reach, address) is good


async def make(store: Store, address: str, client_id: str | None, **asked: Any) -> InboxRecord:
    ask = partial(claims.make, shared=SHARED, client_id=client_id, now=store.clock.now(), **asked)
    return await store.write(ask, EVERYTHING, address)


async def test_a_client_id_stands_for_the_inbox_that_was_made_under_it(store: Store) -> None:
    first = await make(store, f"one@{SHARED}", "c-1")
    assert await make(store, f"two@{SHARED}", "c-1") == first
    assert (await make(store, f"two@{SHARED}", "c-2")).id != first.id


@pytest.mark.parametrize(
    ("address", "error"), [("one", Taken), ("two", BeingDeleted)], ids=["its own", "another"]
)
async def test_no_inbox_that_is_being_deleted_is_given_out(
    store: Store, address: str, error: type[Exception]
) -> None:
    await make(store, f"one@{SHARED}", "c-1", status=DELETING)
    with pytest.raises(error):
        await make(store, f"{address}@{SHARED}", "c-1")


async def test_a_domain_below_another_pods_is_not_to_be_had(store: Store) -> None:
    await add_domain(store, "shop.example", "pod_b")
    with pytest.raises(DomainTaken, match=r"the domain shop\.example is here already"):
        await add_domain(store, "mail.shop.example", "pod_a")
    await add_domain(store, "eu.shop.example", "pod_b")
    await add_domain(store, "us.shop.example", None)
