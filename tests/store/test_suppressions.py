"""The suppression list, and the webhooks that are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from inboxkit.store import mailgun_lists, suppressions
from inboxkit.store.pages import Page
from inboxkit.store.suppressions import Entry
from inboxkit.store.tables import suppression

from .sending import ANN, BEN, NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx


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


WRITTEN, SENT = "Ann@B\xfccher.Example", "ann@xn--bcher-kva.example"


@pytest.mark.parametrize("many", [False, True])
def test_a_domain_is_that_which_a_send_has(tx: Tx, many: bool) -> None:
    if many:
        assert suppressions.add_all(tx, [Entry(WRITTEN), Entry(SENT)], NOW) == 1
    else:
        assert suppressions.add(tx, WRITTEN, reason="manual", now=NOW)
    assert suppressions.among(tx.connection, [SENT]) == {SENT: "manual"}
    for written in (WRITTEN, SENT):
        assert [row.address for row in suppressions.of_address(tx.connection, written)] == [SENT]
        page = suppressions.listed(tx.connection, Page(9), address=written)
        assert [row.address for row in page] == [SENT]
    assert suppressions.remove(tx, WRITTEN) == 1


def test_an_entry_that_was_kept_as_it_was_written_is_found_and_lifted(tx: Tx) -> None:
    suppressions.add(tx, SENT, reason="manual", now=NOW)
    tx.connection.execute(update(suppression).values(address=WRITTEN.lower()))
    assert suppressions.of_address(tx.connection, WRITTEN)
    assert suppressions.remove(tx, WRITTEN) == 1


@pytest.mark.parametrize("allowed", [WRITTEN, WRITTEN.partition("@")[2]])
def test_who_is_allowed_is_known_in_each_way_it_is_written(tx: Tx, allowed: str) -> None:
    mailgun_lists.allow(tx, "shop.example", [(allowed, "domain", "")], NOW)
    assert not suppressions.add(tx, SENT, reason="bounced", now=NOW)
    assert mailgun_lists.find_allowed(tx.connection, "shop.example", allowed)
    assert mailgun_lists.disallow(tx, "shop.example", allowed) == 1


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


@pytest.mark.parametrize("many", [False, True], ids=["one", "a list"])
@pytest.mark.parametrize(
    ("address", "reason", "is_added"),
    [
        ("Eve@Good.Example", "bounced", False),
        ("Dan@other.example", "bounced", False),
        ("eve@good.example", "complained", True),
        ("eve@mail.good.example", "bounced", True),
        ("eve@other.example", "bounced", True),
    ],
    ids=["domain", "address", "a complaint", "below the domain", "beside the address"],
)
def test_a_bounce_suppresses_nobody_who_is_allowed(
    tx: Tx, many: bool, address: str, reason: str, is_added: bool
) -> None:
    values = [("good.example", "domain", ""), ("dan@other.example", "address", "")]
    mailgun_lists.allow(tx, "shop.example", values, NOW)
    if many:
        assert suppressions.add_all(tx, [Entry(address, reason=reason)], NOW) == is_added
    else:
        assert suppressions.add(tx, address, reason=reason, now=NOW) == is_added
    found = [row.address for row in suppressions.everything(tx.connection)]
    assert found == [address.lower()] * is_added


def test_a_domain_has_a_list_of_its_own_of_whom_it_allows(tx: Tx) -> None:
    for domain in ("shop.example", "bank.example"):
        mailgun_lists.allow(tx, domain, [(ANN, "address", domain)], NOW)
    assert mailgun_lists.disallow(tx, "bank.example") == 1
    kept = mailgun_lists.find_allowed(tx.connection, "shop.example", ANN)
    assert kept is not None and kept.reason == "shop.example"


def test_a_list_of_mailguns_is_of_one_domain_and_kind(tx: Tx) -> None:
    shop = "shop.example"
    told = {"ann": (shop, "bounced"), "ben": ("bank.example", "bounced")}
    told |= {"cat": (shop, "complained"), "dan": ("", "bounced"), "a_n": (shop, "manual")}
    for name, (domain, reason) in told.items():
        suppressions.add(tx, f"{name}@example.com", reason=reason, now=NOW, domain=domain)

    def listed(term: str = "") -> list[str]:
        rows = mailgun_lists.page(tx.connection, "bounces", shop, after="", limit=9, term=term)
        return [row.address.partition("@")[0] for row in rows]

    assert (listed(), listed("A_")) == (["a_n", "ann", "dan"], ["a_n"])
    assert mailgun_lists.find(tx.connection, "bounces", shop, "ben@example.com") is None
    assert mailgun_lists.remove(tx, "bounces", shop, "cat@example.com") == 0
    assert mailgun_lists.remove(tx, "bounces", shop) == 3
    assert [entry[0] for entry in entries(tx)] == ["ben@example.com", "cat@example.com"]


def test_an_entry_of_mailguns_gets_the_new_error(tx: Tx) -> None:
    for error in ("550 full", "550 gone"):
        mailgun_lists.put(tx, [Entry(ANN, reason="bounced", detail=error)], NOW)
    assert entries(tx) == [(ANN, "", "bounced", "550 gone")]


def entries(tx: Tx) -> list[tuple[str, str, str, str]]:
    rows = suppressions.everything(tx.connection)
    return [(row.address, row.domain, row.reason, row.detail) for row in rows]


@pytest.mark.parametrize(("renew", "detail"), [(True, "new"), (False, "old")])
def test_what_a_list_says_of_an_entry_changes_no_other(tx: Tx, renew: bool, detail: str) -> None:
    for address in (ANN, BEN):
        for domain in ("", "shop.example"):
            suppressions.add(
                tx, address, reason="unsubscribed", now=NOW, domain=domain, detail="old"
            )
    told = [Entry(ANN, "Shop.Example", "complained", "new"), Entry(BEN, detail="")]
    assert suppressions.add_all(tx, told, NOW, renew=renew) == 0
    assert entries(tx) == [
        (ANN, "", "unsubscribed", "old"),
        (ANN, "shop.example", "complained", detail),
        (BEN, "", "unsubscribed", "old"),
        (BEN, "shop.example", "unsubscribed", "old"),
    ]


def test_a_complaint_to_one_domain_is_none_to_another(tx: Tx) -> None:
    for domain in ("other.example", "shop.example"):
        suppressions.add(tx, ANN, reason="unsubscribed", now=NOW, domain=domain)
    suppressions.add(tx, ANN, reason="complained", now=NOW, domain="SHOP.example")
    suppressions.add(tx, ANN, reason="bounced", now=NOW, domain="other.example")
    assert [entry[1:3] for entry in entries(tx)] == [
        ("other.example", "unsubscribed"),
        ("shop.example", "complained"),
    ]


def test_entries_are_seen_and_lifted_by_domain(tx: Tx) -> None:
    for domain in ("", "other.example", "shop.example"):
        suppressions.add(tx, ANN, reason="manual", now=NOW, domain=domain)
    suppressions.add(tx, BEN, reason="manual", now=NOW, domain="shop.example")
    assert suppressions.remove(tx, ANN.upper(), domain="Shop.Example") == 1
    seen = suppressions.everything(tx.connection, domain="SHOP.example")
    assert [row.address for row in seen] == [BEN]
    assert suppressions.remove(tx, ANN, domain="") == 1
    assert [entry[:2] for entry in entries(tx)] == [(ANN, "other.example"), (BEN, "shop.example")]


def test_the_nearest_reason_holds(tx: Tx) -> None:
    for domain, reason in (("", "bounced"), ("pod_1", "manual"), ("shop.example", "complained")):
        suppressions.add(tx, ANN, reason=reason, now=NOW, domain=domain)
    for scopes, reason in (
        (("shop.example", "pod_1"), "complained"),
        (("other.example", "pod_1"), "manual"),
        (("other.example", "pod_2"), "bounced"),
    ):
        assert suppressions.among(tx.connection, [ANN], *scopes) == {ANN: reason}


def test_an_entry_says_since_when_and_no_more_than_500_characters_of_why(tx: Tx) -> None:
    before, why = NOW - timedelta(days=9), "x" * 501
    suppressions.add(tx, ANN, reason="manual", now=NOW, detail=why)
    told = [Entry(BEN, detail=why, created_at=before), Entry("eve@example.com")]
    suppressions.add_all(tx, told, NOW)
    found = {row.address: row for row in suppressions.everything(tx.connection)}
    assert [found[a].detail for a in (ANN, BEN)] == ["x" * 500] * 2
    assert [row.created_at for row in found.values()] == [NOW, before, NOW]


def test_entries_are_listed_by_page_domain_and_address(tx: Tx) -> None:
    pairs = [(ANN, ""), (ANN, "shop.example"), (BEN, ""), (BEN, "other.example")]
    for address, domain in reversed(pairs):
        suppressions.add(tx, address, reason="manual", now=NOW, domain=domain)

    def listed(page: Page[tuple[str, str]], **asked: str) -> list[tuple[str, str]]:
        found = suppressions.listed(tx.connection, page, **asked)
        return [(record.address, record.domain) for record in found]

    assert listed(Page(2)) == pairs[:3]  # one more than a page tells that there is another
    assert listed(Page(2, after=pairs[0])) == pairs[1:]
    assert listed(Page(9), domain="Shop.Example") == [(ANN, "shop.example")]
    assert listed(Page(9), domain="") == [(ANN, ""), (BEN, "")]
    assert listed(Page(9), address=BEN.upper()) == pairs[2:]
    found = suppressions.of_address(tx.connection, ANN.upper())
    assert [(record.address, record.domain) for record in found] == pairs[:2]
