"""Verdicts on addresses: from their form, from what is known, never from guessing."""

from __future__ import annotations

import pytest

from inboxkit.validation.addresses import Facts, distance, examined
from inboxkit.validation.domains import DISPOSABLE, LARGE

HERE, NOBODY, REFUSES = Facts(servers=("mx.example",)), Facts(servers=()), Facts(servers=("",))
CASES = {
    "nothing asked": ("ann@shop.example", Facts(), ("unknown", "unknown")),
    "mail servers": ("ann@shop.example", HERE, ("deliverable", "low")),
    "no mail servers": ("ann@shop.example", NOBODY, ("undeliverable", "high")),
    "null MX": ("ann@shop.example", REFUSES, ("undeliverable", "high")),
    "no address": ("ann@", HERE, ("undeliverable", "high")),
    "two signs": ("ann@b@shop.example", HERE, ("undeliverable", "high")),
    "a space": ("a nn@shop.example", HERE, ("undeliverable", "high")),
    "bounced": ("ann@shop.example", Facts(("bounced",), HERE.servers), ("undeliverable", "high")),
    "complained": ("ann@shop.example", Facts(("complained",)), ("do_not_send", "high")),
    "a role": ("support+x@shop.example", HERE, ("deliverable", "medium")),
    "for a moment": ("ann@mailinator.com", HERE, ("do_not_send", "high")),
    "under one of these": ("ann@x.mailinator.com", HERE, ("do_not_send", "high")),
    "a typo": ("ann@gmial.com", HERE, ("deliverable", "medium")),
    "a wide domain": ("ann@bücher.example", HERE, ("deliverable", "low")),
}


@pytest.mark.parametrize(("address", "facts", "expected"), CASES.values(), ids=CASES.keys())
def test_a_verdict(address: str, facts: Facts, expected: tuple[str, str]) -> None:
    verdict = examined(address, facts)
    assert (verdict.result, verdict.risk) == expected


TYPOS = {
    "gmial.com": "gmail.com",
    "gmail.con": "gmail.com",
    "hotmial.com": "hotmail.com",
    "outlok.com": "outlook.com",
    "yaho.com": "yahoo.com",
    "gmail.com": "",
    "gmx.ch": "",
    "shop.example": "",
    "me.co": "",
}


@pytest.mark.parametrize(("domain", "meant"), TYPOS.items())
def test_a_likely_typo_is_named(domain: str, meant: str) -> None:
    expected = f"ann@{meant}" if meant else ""
    assert examined(f"ann@{domain}", Facts()).did_you_mean == expected


def test_the_address_behind_tags_is_named() -> None:
    assert examined("An.N+shop@googlemail.com", Facts()).root_address == "ann@googlemail.com"
    assert examined("an.n+shop@shop.example", Facts()).root_address == "an.n+shop@shop.example"


@pytest.mark.parametrize(
    ("left", "right", "edits"),
    [("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "xyz", 3), ("a", "abcd", 3)],
)
def test_edits_are_counted(left: str, right: str, edits: int) -> None:
    assert distance(left, right, 2) == edits


def test_the_lists_do_not_contradict_each_other() -> None:
    assert not DISPOSABLE & LARGE
    assert all(name == name.lower() and "." in name for name in DISPOSABLE | LARGE)
