"""Ed25519 signatures: the example of RFC 8463 appendix A, and what is made of it."""

from __future__ import annotations

import pytest

from inboxkit.authentication import dkim
from inboxkit.authentication.conclusion import Proof
from tests.authentication.zone import budget, keys, parts, signed

NAME: tuple[str, str] = ("brisbane._domainkey.football.example.com", "TXT")
RECORD = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
MAIL = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")


def result(raw: bytes = MAIL, record: str | None = RECORD) -> str:
    records = {NAME: None if record is None else [record] if record else []}
    [proof] = dkim.check(*parts(raw), "football.example.com", budget(records))
    assert proof.domain == "football.example.com"
    return proof.result


def test_the_example_of_the_rfc_passes() -> None:
    assert result() == "pass"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ready", b"raady"),
        (b"game", b"gama"),
        (b"/gCr", b"/gCs"),
        (b"DKIM-S", b"From: eve@x.example\r\nDKIM-S"),
    ],
    ids=["header", "body", "signature", "second From"],
)
def test_a_mail_that_was_changed_fails(old: bytes, new: bytes) -> None:
    assert result(MAIL.replace(old, new, 1)) == "fail"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, "temperror"),
        ("", "fail"),
        ("no key", "fail"),
        ("v=DKIM1; k=ed25519; p=", "fail"),
        ("v=DKIM1; k=ed25519; p=AAAA", "fail"),
        ("v=DKIM1; k=ed25519; p=%%%", "fail"),
        ("v=DKIM2;" + RECORD[8:], "fail"),
        (RECORD.replace("ed25519", "rsa"), "fail"),
        (RECORD.replace("11qY", "21qY"), "fail"),
        (RECORD.removeprefix("v=DKIM1; "), "pass"),
    ],
    ids=[
        "silent",
        "none",
        "no key",
        "withdrawn",
        "short",
        "no base64",
        "version",
        "kind",
        "other",
        "no v=",
    ],
)
def test_records_with_and_without_the_key(record: str | None, expected: str) -> None:
    assert result(record=record) == expected


def test_a_signature_of_one_algorithm_is_not_checked_with_a_key_of_the_other() -> None:
    [name] = keys("shop.example")
    found = dkim.check(*parts(signed()), "shop.example", budget({name: [RECORD]}))
    assert found == [Proof("fail", "shop.example")]
