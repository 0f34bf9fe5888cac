"""The suppression list, and the webhooks that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit.store import mailgun_lists, suppressions
from inboxkit.store.suppressions import Entry

from .sending import ANN, BEN, NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.writer import Tx


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as opened:
        yield opened


def test_an_entry_for_all_domains_or_for_one(tx: Tx) -> None:
    suppressions.add(tx, "Ann@Example.com", reason="bounced", now=NOW)
    suppressions.add(tx, BEN, reason="complained", now=NOW, domain="shop.example")
    among = suppressions.among
    assert among(tx.connection, [ANN, BEN], "shop.example") == {ANN: "bounced", BEN: "complained"}
    assert among(tx.connection, ["ANN@example.com", BEN], "other.example") == {ANN: "bounced"}


def test_an_address_is_added_once_and_removed_everywhere(tx: Tx) -> None:
    assert suppressions.add(tx, ANN, reason="bounced", now=NOW)
    assert not suppressions.add(tx, ANN, reason="bounced", now=NOW)
    assert suppressions.add(tx, ANN, reason="complained", now=NOW, domain="shop.example")
    assert suppressions.remove(tx, ANN.upper()) == 2
    assert list(suppressions.everything(tx.connection)) == []


@pytest.mark.parametrize("order", [("complained", "unsubscribed"), ("unsubscribed", "complained")])
def test_a_complaint_outweighs_an_unsubscription(tx: Tx, order: tuple[str, str]) -> None:
    for reason in order:
        suppressions.add(tx, ANN, reason=reason, now=NOW, domain="shop.example")
    assert [row.reason for row in suppressions.everything(tx.connection)] == ["complained"]


def test_a_list_is_taken_over_as_one_by_one(tx: Tx) -> None:
    mailgun_lists.allow(tx, "shop.example", [("good.example", "domain", "")], NOW)
    suppressions.add(tx, BEN, reason="unsubscribed", now=NOW, detail="old")
    entries = [
        Entry(ANN.upper(), reason="bounced", detail="550 first"),
        Entry(ANN, reason="bounced", detail="551 again"),
        Entry(BEN, reason="complained"),
        Entry("eve@good.example", reason="bounced"),
        Entry("eve@good.example", reason="complained"),
        *(Entry(f"{n}@example.com", "shop.example", created_at=NOW) for n in range(600)),
    ]
    assert suppressions.add_all(tx, entries, NOW, renew=True) == 602

    found = {
        row.address: (row.reason, row.detail) for row in suppressions.everything(tx.connection)
    }
    assert (found[ANN], found[BEN]) == (("bounced", "551 again"), ("complained", "old"))
    assert found["eve@good.example"] == ("complained", "")
    assert suppressions.add_all(tx, entries, NOW) == 0
