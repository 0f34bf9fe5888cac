from __future__ import annotations

import pytest

from inboxkit.authentication import dmarc
from inboxkit.authentication.conclusion import Policy, Proof, conclude
from inboxkit.authentication.domains import aligned, ascii_form, domain_of
from tests.authentication.zone import budget

OWN, SUB, OTHER = "shop.example", "mail.shop.example", "evil.example"


@pytest.mark.parametrize(
    ("spf", "dkim", "policy", "dmarc", "domain"),
    [
        (Proof("pass", OWN), [], Policy("found"), "pass", OWN),
        (Proof(), [Proof("pass", OWN)], Policy("found"), "pass", OWN),
        (Proof(), [Proof("fail", OWN), Proof("pass", SUB)], Policy("found"), "pass", OWN),
        (Proof("pass", OTHER), [Proof("pass", OTHER)], Policy("found"), "fail", ""),
        (Proof("pass", OTHER), [Proof("pass", OTHER)], Policy(), "none", ""),
        (Proof("softfail", OWN), [Proof("fail", OWN)], Policy("found"), "fail", ""),
        (Proof(), [Proof("pass", SUB)], Policy("found", strict_dkim=True), "fail", ""),
        (Proof("pass", SUB), [], Policy("found", strict_spf=True), "fail", ""),
        (Proof("pass", OWN), [], Policy("temperror"), "temperror", OWN),
        (Proof("pass", OWN), [], Policy(), "none", OWN),
        (Proof(), [], Policy(), "none", ""),
    ],
)
def test_conclusions(
    spf: Proof, dkim: list[Proof], policy: Policy, dmarc: str, domain: str
) -> None:
    auth = conclude(OWN, spf=spf, dkim=dkim, policy=policy)

    assert (auth.dmarc, auth.domain, auth.passed) == (dmarc, domain, bool(domain))


@pytest.mark.parametrize(
    ("records", "policy"),
    [
        ({"shop.example": ["v=DMARC1; p=none"]}, Policy("found")),
        ({"shop.example": ["v=DMARC1; p=none; adkim=s; aspf=s"]}, Policy("found", True, True)),
        (
            {"a.shop.example": ["v=DMARC1; aspf=s"], "shop.example": None},
            Policy("found", False, True),
        ),
        ({"shop.example": ["other", " v = DMARC1 ;;p=none;adkim"]}, Policy("found")),
        ({"shop.example": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, Policy()),
        ({"shop.example": ["v=DMARC12; p=none"]}, Policy()),
        ({"shop.example": None}, Policy("temperror")),
        ({}, Policy()),
    ],
)
def test_policies(records: dict[str, list[str] | None], policy: Policy) -> None:
    names = budget({(f"_dmarc.{name}", "TXT"): found for name, found in records.items()})

    assert dmarc.policy("a.shop.example", names) == policy


@pytest.mark.parametrize(
    ("domain", "sender", "is_aligned"),
    [
        ("shop.example", "shop.example", True),
        ("a.shop.example", "b.shop.example", True),
        ("shop.co.uk", "co.uk", False),
        ("a.co.uk", "b.co.uk", False),
        ("evil.github.io", "bank.github.io", False),
        ("xshop.example", "shop.example", False),
        ("", "", False),
        ("", "shop.example", False),
    ],
)
def test_alignment(domain: str, sender: str, is_aligned: bool) -> None:
    assert aligned(domain, sender) is is_aligned


def test_strict_alignment_is_the_very_same_domain() -> None:
    assert aligned("shop.example", "shop.example", strict=True)
    assert not aligned("a.shop.example", "shop.example", strict=True)


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("Ann@Shop.Example", "shop.example"),
        ("ann@bücher.example.", "xn--bcher-kva.example"),
        ("ann@" + "ü" * 300, "ü" * 300),
        ("a@b@c.example", "c.example"),
        ("ann", ""),
        ("", ""),
    ],
)
def test_domains_of_addresses(address: str, domain: str) -> None:
    assert domain_of(address) == domain
    assert ascii_form(domain) == domain
