"""Domains that are changed while they are verified, and the reverse: nothing of either is lost."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from inboxkit.dns_records import PENDING, VALID, VERIFIED, DnsRecord
from inboxkit.store import domains
from inboxkit.store.domains import DomainRecord
from inboxkit.store.tables import event

from .at_once import behind
from .sending import NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

NAME = "shop.example"
DKIM = DnsRecord("TXT", f"s._domainkey.{NAME}", "v=DKIM1; p=x")
MX = DnsRecord("MX", NAME, "mx.shop.example")
USES: dict[str, Any] = {
    "feedback_enabled": True,
    "inbound_enabled": False,
    "subdomains_enabled": False,
    "tracking_enabled": False,
}


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def made(tx: Tx) -> DomainRecord:
    moments: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
    secret: dict[str, Any] = {"dkim_selector": "s", "dkim_key": "k"}
    whose: dict[str, Any] = {"id": NAME, "pod_id": None, "status": PENDING, "records": (DKIM,)}
    return domains.create(tx, DomainRecord(**whose, **USES, **secret, **moments))


def needed(wanted: DomainRecord) -> list[DnsRecord]:
    return [MX, DKIM] if wanted.inbound_enabled else [DKIM]


def found(known: DomainRecord) -> Sequence[DnsRecord]:
    """Return what DNS says of the records of a domain: all are there."""
    return [replace(record, status=VALID) for record in known.records]


def test_a_record_that_came_while_dns_was_asked_is_still_to_be_verified(tx: Tx) -> None:
    told = found(made(tx))
    domains.change(tx, NAME, {"inbound_enabled": True}, needed, NOW)
    after = domains.verified(tx, NAME, told, now=NOW)
    assert after is not None
    assert (after.status, after.records) == (PENDING, (MX, replace(DKIM, status=VALID)))


def test_what_was_verified_meanwhile_stays_so(tx: Tx) -> None:
    domains.verified(tx, NAME, found(made(tx)), now=NOW)
    after = domains.change(tx, NAME, {"tracking_enabled": True}, needed, NOW)
    assert after is not None
    assert (after.status, after.tracking_enabled) == (VERIFIED, True)
    assert domains.signing(tx.connection, NAME) is not None
    after = domains.change(tx, NAME, {"inbound_enabled": True}, needed, NOW)
    assert after is not None and after.status == PENDING


@pytest.mark.postgres
async def test_of_two_that_verify_at_once_one_logs_it(store: Store) -> None:
    told = found(await store.write(made))
    verify = partial(domains.verified, name=NAME, found=told, now=NOW)
    after = await behind(store, verify, store.write(verify))
    assert after is not None and after.status == VERIFIED
    number = select(func.count()).select_from(event)
    assert await store.read(lambda c: c.execute(number).scalar_one()) == 1
