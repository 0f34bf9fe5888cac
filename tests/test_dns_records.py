"""The records that a domain needs: which they are, and what DNS says of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dns.zone
import pytest

from inboxkit.dns_records import DnsRecord, Wanted, checked, records, status, zone_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
WANTED = Wanted(domain="shop.example", host="mx.inbox.example", selector="s1", dkim=KEY)
MX, SPF, DKIM, DMARC = records(WANTED)


@dataclass(frozen=True, slots=True)
class Names:
    """DNS as a dict."""

    texts: Mapping[str, Sequence[str]] = field(default_factory=dict[str, list[str]])
    hosts: Mapping[str, Sequence[tuple[int, str]]] = field(
        default_factory=dict[str, list[tuple[int, str]]]
    )

    def txt(self, name: str) -> Sequence[str]:
        return self.texts.get(name, [])

    def mx(self, name: str) -> Sequence[tuple[int, str]]:
        return self.hosts.get(name, [])


def said(record: DnsRecord, *texts: str) -> tuple[str, str]:
    found = checked(record, Names({record.name: texts}))
    return found.status, found.reason


def test_uses_decide_which_records_there_are() -> None:
    both = Wanted(domain="a.example", host="b.example", selector="s", dkim="d", subdomains=True)
    names = [(r.type, r.name) for r in records(both)]
    assert names[:2] == [("MX", "a.example"), ("MX", "*.a.example")]
    none = Wanted(domain="a.example", host="b.example", selector="s", dkim="d", inbound=False)
    assert [r.type for r in records(none)] == ["TXT"] * 3


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ("MISSING", "")),
        (["google-site-verification=x"], ("MISSING", "")),
        (["v=spf1 a:mx.inbox.example ~all"], ("VALID", "")),
        (["V=SPF1 include:other.example +A:MX.inbox.example -all"], ("VALID", "")),
        (["v=spf1 mx -all", "note"], ("VALID", "")),
        (["v=spf1 -all"], ("INVALID", "value_mismatch")),
        (["v=spf10 a:mx.inbox.example"], ("MISSING", "")),
        (["v=spf1 mx -all", "v=spf1 mx ~all"], ("INVALID", "duplicate_records")),
    ],
    ids=str,
)
def test_spf(texts: list[str], expected: tuple[str, str]) -> None:
    assert said(SPF, *texts) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEY, ("VALID", "")),
        (KEY.replace("; ", " ;").replace("A" * 50, "A" * 50 + " "), ("VALID", "")),
        ("v=DKIM1; p=", ("INVALID", "value_mismatch")),
        ("v=DKIM1; p=BBBB", ("INVALID", "value_mismatch")),
    ],
    ids=["same", "spaced", "revoked", "other"],
)
def test_dkim(text: str, expected: tuple[str, str]) -> None:
    assert said(DKIM, text) == expected


def test_any_dmarc_policy_is_one() -> None:
    assert said(DMARC, "v=DMARC1; p=reject; rua=mailto:a@shop.example")[0] == "VALID"
    assert said(DMARC, "v=DMARC1; pct=5") == ("INVALID", "value_mismatch")


def test_mail_must_come_here() -> None:
    def found(*hosts: str) -> str:
        pairs = [(10, host) for host in hosts]
        return checked(MX, Names(hosts={"shop.example": pairs})).status

    assert [found(), found("mx.other.example")] == ["MISSING", "INVALID"]
    assert [found("MX.inbox.example."), found("a.example", "mx.inbox.example")] == ["VALID"] * 2


def test_a_wildcard_is_asked_for_by_a_name_below_it() -> None:
    record = DnsRecord("MX", "*.shop.example", "mx.inbox.example")
    below = Names(hosts={"inboxkit-check.shop.example": [(10, "mx.inbox.example")]})
    assert checked(record, below).status == "VALID"


def test_a_domain_is_verified_when_all_is_there() -> None:
    states = [status([DnsRecord("TXT", "a", "b", s) for s in found]) for found in _STATES]
    assert states == ["VERIFIED", "PENDING", "INVALID"]


_STATES = (("VALID", "VALID"), ("VALID", "MISSING"), ("MISSING", "INVALID", "VALID"))


def test_the_zone_file_is_one_and_says_the_same() -> None:
    text = zone_file("shop.example", [MX, SPF, DKIM, DMARC])
    zone: Any = dns.zone.from_text(text, check_origin=False)
    (mx,) = zone.find_rdataset("@", "MX")
    (key,) = zone.find_rdataset("s1._domainkey", "TXT")
    assert (mx.preference, str(mx.exchange)) == (10, "mx.inbox.example.")
    assert b"".join(key.strings).decode() == KEY
    assert max(len(piece) for piece in re.findall(r'"([^"]*)"', text)) <= 255
