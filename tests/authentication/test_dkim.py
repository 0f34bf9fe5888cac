from __future__ import annotations

import time
from typing import Any

import pytest

from inboxkit.authentication import dkim
from inboxkit.authentication.conclusion import Proof
from tests.authentication.zone import (
    MAIL,
    Records,
    budget,
    endless_key,
    keys,
    parts,
    public_record,
    signed,
    signed_without_from,
)

NAMES: tuple[tuple[bytes, bytes], ...] = tuple(
    (header, body) for header in (b"simple", b"relaxed") for body in (b"simple", b"relaxed")
)


def checked(raw: bytes, records: Records, sender: str = "shop.example") -> list[Proof]:
    return dkim.check(*parts(raw), sender, budget(records))


@pytest.mark.parametrize("canonicalize", NAMES, ids=lambda names: b"/".join(names).decode())
def test_a_signature_passes_for_its_domain(canonicalize: tuple[bytes, bytes]) -> None:
    raw = signed(canonicalize=canonicalize)

    assert checked(raw, keys("shop.example")) == [Proof("pass", "shop.example")]


def test_line_ends_of_one_byte_change_nothing() -> None:
    raw = signed().replace(b"\r\n", b"\n")

    assert checked(raw, keys("shop.example")) == [Proof("pass", "shop.example")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"blue", b"b1ue"),
        (b"Subject: Hello", b"Subject: Hallo"),
        (b"From: Ann", b"From: x@evil.example\r\nFrom: Ann"),
        (b"a=rsa-sha256", b"a=rsa-sha512"),
        (b"bh=", b"bh=%%%"),
    ],
    ids=["body", "header", "second From", "algorithm", "hash"],
)
def test_a_mail_that_was_changed_fails(old: bytes, new: bytes) -> None:
    raw = signed().replace(old, new, 1)

    assert [one.result for one in checked(raw, keys("shop.example"))] == ["fail"]


def test_a_key_of_somebody_else_fails() -> None:
    other = {("s1._domainkey.shop.example", "TXT"): [public_record(1536)]}

    assert checked(signed(), other) == [Proof("fail", "shop.example")]


@pytest.mark.parametrize(
    ("options", "result"),
    [
        ({"length": True}, "policy"),
        ({"signature_algorithm": b"rsa-sha1"}, "policy"),
    ],
    ids=["the end of the body is not signed", "SHA-1"],
)
def test_a_weak_signature_does_not_pass(options: dict[str, Any], result: str) -> None:
    assert checked(signed(**options), keys("shop.example")) == [Proof(result, "shop.example")]


def test_a_signature_that_does_not_cover_from_does_not_pass() -> None:
    raw = signed_without_from()

    assert checked(raw, keys("shop.example")) == [Proof("permerror", "shop.example")]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (None, "temperror"),
        ([], "fail"),
        (["no key"], "fail"),
        (["v=DKIM1; k=rsa; p="], "fail"),
        ([public_record() + "A" * 3_000], "fail"),
    ],
    ids=["silent", "no record", "no key", "withdrawn", "too long"],
)
def test_records_without_a_usable_key(answer: list[str] | None, result: str) -> None:
    records = {("s1._domainkey.shop.example", "TXT"): answer}

    assert [one.result for one in checked(signed(), records)] == [result]


def test_a_key_too_large_to_use_in_a_moment_is_not_used() -> None:
    raw, records = signed(), {("s1._domainkey.shop.example", "TXT"): [endless_key()]}

    def seconds() -> float:
        began = time.process_time()
        assert checked(raw, records) == [Proof("fail", "shop.example")]
        return time.process_time() - began

    assert min(seconds() for _ in range(5)) < 0.05


def test_an_unsigned_mail_proves_nothing() -> None:
    assert checked(MAIL, {}) == []


def test_signatures_of_the_sender_are_checked_before_those_of_others() -> None:
    raw = signed()
    for number in range(6):
        raw = signed(raw, f"list{number}.example")

    found = checked(raw, keys("shop.example"))

    assert found[0] == Proof("pass", "shop.example")
    assert len(found) == 5


@pytest.mark.parametrize(
    "field",
    [
        b"v=1; d=" + b" " * 60_000 + b"x",
        b"v=1; b=" + b"A \r\n " * 12_000 + b"%",
        b"v=1; h=" + b"a:" * 30_000,
        b"; " * 30_000,
        b"v=1; a=rsa-sha256; d=a.example; s=s; h=from; bh=AAAA; b=" + b"\t\r\n " * 20_000,
    ],
    ids=["spaces", "folds", "names", "empty tags", "white space"],
)
def test_hostile_signatures_take_no_time(field: bytes) -> None:
    raw = b"DKIM-Signature: " + field + b"\r\n" + MAIL
    began = time.process_time()

    found = checked(raw, keys("shop.example"))

    assert all(one.result != "pass" for one in found)
    assert time.process_time() - began < 0.5


def test_hostile_white_space_in_a_signature_takes_no_time() -> None:
    raw = signed().replace(b" v=1;", b" z= b" + b"\r\n\t" * 5_000 + b"%; v=1;", 1)
    began = time.process_time()

    found = checked(raw, keys("shop.example"))

    assert found == [Proof("permerror", "")]
    assert time.process_time() - began < 0.5


def test_hostile_bodies_take_linear_time() -> None:
    raw = signed(canonicalize=(b"relaxed", b"relaxed"))
    hostile = raw + b" " * 2_000_000 + b"x" + b"\t" * 2_000_000
    began = time.process_time()

    found = checked(hostile, keys("shop.example"))

    assert [one.result for one in found] == ["fail"]
    assert time.process_time() - began < 5


@pytest.mark.parametrize("raw", [b"", b"\r\n", b":", b"DKIM-Signature", b"\0" * 99, b" x\r\n: y"])
def test_what_is_no_mail_raises_nothing(raw: bytes) -> None:
    assert all(one.result == "permerror" for one in checked(raw, {}))
