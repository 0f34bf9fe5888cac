"""Verdicts on addresses: from their form, from what is known, never from guessing."""

from __future__ import annotations

import pytest

from inboxkit.validation.addresses import Facts, distance, examined, mailboxes
from inboxkit.validation.domains import DISPOSABLE, LARGE, MISSPELT, REAL

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
    "gmail.co": "gmail.com",
    "gamil.com": "gmail.com",
    "ohtmail.com": "hotmail.com",
    "hotmail.co.ku": "hotmail.co.uk",
    "btinternt.com": "btinternet.com",
    "mail.con": "mail.com",
    "gmail.com": "",
    # what others have is no typo
    "hotmail.de": "",
    "yahoo.be": "",
    "yandex.by": "",
    "fastmail.fm": "",
    "protonmail.ch": "",
    "t-online.hu": "",
    "email.com": "",
    "cloud.com": "",
    "horizon.net": "",
    "podcast.net": "",
    "index.com": "",
    "live.co": "",
    "gmx.ch": "",
    "shop.example": "",
    "me.co": "",
}


REASONS = {
    "nothing known": ("ann@shop.example", Facts(), ("no_data",)),
    "all well": ("ann@shop.example", HERE, ()),
    "no servers": ("ann@shop.example", NOBODY, ("no_mx",)),
    "a role": ("Abuse@shop.example", HERE, ("mailbox_is_role_address",)),
    "for a moment": ("a@yopmail.com", HERE, ("mailbox_is_disposable_address",)),
    "bounced": ("a@shop.example", Facts(("bounced",)), ("suppressed here: bounced",)),
    "letters of others": ("ünn@shop.example", HERE, ("mailbox needs SMTPUTF8",)),
    "letters of others, malformed": ("ü nn@shop.example", HERE, ("malformed address",)),
    "a list": ("a@x.example,b@x.example", HERE, ("malformed address",)),
    "a name": ("Ann <ann@shop.example>", HERE, ("malformed address",)),
    "a literal": ("ann@[127.0.0.1]", HERE, ("malformed address",)),
    "dots": ("ann..b@shop.example", HERE, ("malformed address",)),
    "a line": ("ann@shop.example\r\nBcc: x@y.example", HERE, ("malformed address",)),
    "a long name": (f"{'a' * 65}@shop.example", HERE, ("local part is too long",)),
    "nothing": ("", HERE, ("malformed address",)),
    "far too long": ("a" * 100_000, HERE, ("malformed address",)),
    "half a letter": ("\ud800@shop.example", HERE, ("malformed address",)),
}


@pytest.mark.parametrize(("address", "facts", "reasons"), REASONS.values(), ids=REASONS)
def test_the_reasons_of_a_verdict(address: str, facts: Facts, reasons: tuple[str, ...]) -> None:
    assert examined(address, facts).reasons == reasons


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Ann@Bücher.Example", ("ann@xn--bcher-kva.example",)),
        ("A.nn+shop@gmail.com", ("a.nn+shop@gmail.com", "ann@gmail.com")),
        ("nobody", ()),
    ],
)
def test_what_bounced_is_looked_for_as_it_is_kept(address: str, expected: tuple[str, ...]) -> None:
    assert mailboxes(address) == expected


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
    assert not DISPOSABLE & LARGE and not REAL & LARGE
    assert all(name == name.lower() and "." in name for name in DISPOSABLE | LARGE)
    assert not set(MISSPELT) & {name.partition(".")[2] for name in LARGE}
