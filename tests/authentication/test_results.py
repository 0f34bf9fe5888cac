from __future__ import annotations

import time

import pytest

from inboxkit.authentication import results
from inboxkit.authentication.conclusion import Proof
from inboxkit.values import Auth

OURS = "mx.ours.example"
PASS = f"{OURS}; dmarc=pass header.from=bank.example"


@pytest.mark.parametrize(
    ("value", "stated"),
    [
        ("mx.ours.example; none", results.Stated(OURS)),
        (
            "MX.ours.example 1; spf=pass smtp.mailfrom=ann@shop.example",
            results.Stated(OURS, Proof("pass", "shop.example")),
        ),
        (
            "mx.ours.example;\r\n\tdkim=fail (bad; hash) header.d=a.example;"
            " dkim=PASS header.i=@b.example header.s=s1",
            results.Stated(OURS, dkim=(Proof("fail", "a.example"), Proof("pass", "b.example"))),
        ),
        (
            'mx.ours.example (a (nested) one); dmarc = pass reason="a; b=c" header.from=A.example.',
            results.Stated(OURS, dmarc=Proof("pass", "a.example")),
        ),
        ("mx.ours.example; spf=wonderful", results.Stated(OURS)),
        ("mx.ours.example; iprev=pass; spf=pass/x", results.Stated(OURS)),
        ("", None),
        (" ; spf=pass", None),
        ("(mx.ours.example); spf=pass", None),
    ],
)
def test_reading(value: str, stated: results.Stated | None) -> None:
    assert results.parse(value) == stated


@pytest.mark.parametrize(
    ("stated", "domain"),
    [
        (f"{OURS}; dmarc=pass header.from=shop.example", "shop.example"),
        (f"{OURS}; dmarc=pass header.from=bank.example", ""),
        (f"{OURS}; dmarc=fail header.from=shop.example; dkim=pass header.d=shop.example", ""),
        (f"{OURS}; dkim=pass header.d=mail.shop.example", "shop.example"),
        (f"{OURS}; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=evil.example", ""),
        (f"{OURS}; spf=pass smtp.mailfrom=x@shop.example", "shop.example"),
        (f"{OURS}; spf=softfail smtp.mailfrom=x@shop.example", ""),
    ],
)
def test_verdicts_count_for_the_domain_of_from_only(stated: str, domain: str) -> None:
    found = results.parse(stated)

    assert found is not None
    assert found.judged("shop.example").domain == domain


def test_who_stated_it_is_named() -> None:
    found = results.parse(PASS)

    assert found is not None
    assert found.judged("bank.example") == Auth(
        dmarc="pass", domain="bank.example", reason=f"stated by {OURS}"
    )


@pytest.mark.parametrize(
    ("fields", "is_believed"),
    [
        ([("Authentication-Results", PASS), ("Received", "us"), ("Received", "them")], True),
        ([("Received", "us"), ("authentication-results", PASS), ("Received", "them")], True),
        ([("Received", "us"), ("Received", "them"), ("Authentication-Results", PASS)], False),
        ([("Authentication-Results", PASS.replace("ours", "0urs"))], False),
        ([("X-Authentication-Results", PASS)], False),
        ([("Authentication-Results", f"evil.example ({OURS}); dmarc=pass")], False),
    ],
    ids=[
        "on top",
        "below our hop",
        "below theirs",
        "another name",
        "another field",
        "in a comment",
    ],
)
def test_only_what_our_own_server_wrote_is_believed(
    fields: list[tuple[str, str]], is_believed: bool
) -> None:
    assert (results.own(fields, {OURS}) is not None) is is_believed


@pytest.mark.parametrize("piece", ["(", '"', "\\", ";", "a=", "= ", " ", "spf=pass;"], ids=repr)
def test_hostile_fields_take_no_time(piece: str) -> None:
    began = time.process_time()

    results.parse(f"{OURS};{piece * 100_000}")

    assert time.process_time() - began < 3
