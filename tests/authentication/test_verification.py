from __future__ import annotations

import pytest

from inboxkit.authentication.verification import Delivered, verify
from inboxkit.values import Auth
from tests.authentication.zone import (
    DMARC,
    MAIL,
    PEER,
    SPF,
    Records,
    Zone,
    keys,
    parts,
    sealed,
    signed,
)

SEALED = keys("list.example")


def found(raw: bytes, *records: Records, peer: str = PEER, sealers: tuple[str, ...] = ()) -> Auth:
    zone = Zone({name: value for some in records for name, value in some.items()})
    mail = Delivered(
        raw=raw, sender="shop.example", peer=peer, helo="mx", mail_from="ann@shop.example"
    )
    return verify(mail, zone, sealers=sealers)


def test_a_mail_of_its_sender_passes_all() -> None:
    auth = found(signed(), keys("shop.example"), SPF, DMARC)

    assert auth == Auth("pass", "pass", "pass", "shop.example")


def test_a_changed_mail_of_its_sender_is_proven_by_spf() -> None:
    auth = found(signed().replace(b"blue", b"b1ue"), keys("shop.example"), SPF, DMARC)

    assert auth == Auth("pass", "fail", "pass", "shop.example")


def test_a_mail_signed_by_somebody_else_is_not_proven() -> None:
    auth = found(signed(domain="evil.example"), keys("evil.example"), SPF, DMARC, peer="192.0.2.1")

    assert auth == Auth("fail", "pass", "fail", "")
    assert not auth.passed


def test_nothing_is_proven_without_records() -> None:
    assert found(MAIL) == Auth()


def test_a_silent_name_server_is_an_error_for_now() -> None:
    silent: Records = dict.fromkeys((*keys("shop.example"), *SPF, *DMARC))

    assert found(signed(), silent) == Auth("temperror", "temperror", "temperror", "")


def test_look_ups_are_counted() -> None:
    zone = Zone({(f"{n}.example", "TXT"): ["v=spf1 mx -all"] for n in range(9)})
    raw = b"".join(b"DKIM-Signature: v=1; d=a.example\r\n" for _ in range(500)) + MAIL
    mail = Delivered(raw=raw, sender="shop.example", peer=PEER, helo="mx", mail_from="a@0.example")

    verify(mail, zone)

    assert len(zone.asked) < 60


def test_time_is_limited() -> None:
    mail = Delivered(raw=signed(), sender="shop.example", peer=PEER, helo="mx", mail_from="a@b.cd")

    auth = verify(mail, Zone(keys("shop.example")), seconds=0)

    assert auth == Auth("temperror", "temperror", "temperror", "")


STATED = "dkim=pass header.d=shop.example; dmarc=pass header.from=shop.example"


def test_a_listed_sealer_is_believed_after_it_changed_the_mail() -> None:
    raw = sealed(MAIL, "list.example", STATED)

    auth = found(raw, SEALED, DMARC, peer="192.0.2.1", sealers=("list.example",))

    assert auth == Auth("none", "pass", "pass", "shop.example", "stated by list.example")


def test_of_several_sealers_the_last_is_believed() -> None:
    first, last = "list.example", "other.example"
    raw = sealed(sealed(MAIL, first, STATED), last, f"arc=pass; {STATED}")
    zone: Records = {**SEALED, **keys(last)}

    by_last, by_first = (
        found(raw, zone, DMARC, peer="192.0.2.1", sealers=(one,)) for one in (last, first)
    )
    assert (by_last.reason, by_first.domain) == (f"stated by {last}", "")


@pytest.mark.parametrize(
    ("raw", "sealers"),
    [
        (sealed(MAIL, "list.example", STATED), ("other.example",)),
        (sealed(MAIL, "list.example", STATED), ()),
        (sealed(MAIL, "list.example", STATED, length=len(parts(MAIL)[1])), ("list.example",)),
        (sealed(MAIL, "list.example", STATED).replace(b"blue", b"b1ue"), ("list.example",)),
        (
            sealed(MAIL, "list.example", STATED.replace("shop", "evil")).replace(b"evil", b"shop"),
            ("list.example",),
        ),
        (sealed(MAIL, "list.example", STATED.replace("shop", "evil")), ("list.example",)),
        (b"ARC-Seal: i=1; d=list.example\r\n" + MAIL, ("list.example",)),
        (b"ARC-Seal: " + b"i=1;" * 9_000 + b"\r\n" + MAIL, ("list.example",)),
    ],
    ids=[
        "unlisted",
        "none listed",
        "length",
        "body",
        "statement",
        "other sender",
        "no set",
        "too long",
    ],
)
def test_other_seals_prove_nothing(raw: bytes, sealers: tuple[str, ...]) -> None:
    auth = found(raw, SEALED, DMARC, peer="192.0.2.1", sealers=sealers)

    assert (auth.dmarc, auth.domain) == ("fail", "")
