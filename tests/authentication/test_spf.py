from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inboxkit.authentication import spf
from inboxkit.authentication.conclusion import Proof
from tests.authentication.zone import PEER, Records, budget


def checked(
    records: Records,
    peer: str = PEER,
    mail_from: str = "ann@shop.example",
    helo: str = "mx.a.example",
) -> Proof:
    return spf.check(peer, helo, mail_from, budget(records))


def record(*terms: str) -> Records:
    return {("shop.example", "TXT"): [" ".join(("v=spf1", *terms))]}


@pytest.mark.parametrize(
    ("terms", "result"),
    [
        ([f"ip4:{PEER}", "-all"], "pass"),
        (["ip4:192.0.2.1", "-all"], "fail"),
        (["~all"], "softfail"),
        (["?all"], "neutral"),
        (["ip4:nonsense", "-all"], "permerror"),
        (["include:silent.example", "-all"], "temperror"),
        (["include:out.example", "-all"], "pass"),
        (["a:host.example", "-all"], "pass"),
        (["mx", "-all"], "pass"),
        (["exists:%{i}.list.example", "-all"], "pass"),
        (["redirect=out.example"], "pass"),
        (["a:v1.example", "a:v2.example", "+all"], "pass"),
        (["a:v1.example", "a:v2.example", "a:v3.example", "+all"], "permerror"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_verdicts(terms: list[str], result: str) -> None:
    others = {
        ("silent.example", "TXT"): None,
        ("out.example", "TXT"): ["other", f"v=spf1 ip4:{PEER} -all"],
        ("host.example", "A"): ["192.0.2.3", PEER],
        ("shop.example", "MX"): ["10 host.example"],
        (f"{PEER}.list.example", "A"): ["127.0.0.2"],
    }

    assert checked({**record(*terms), **others}) == Proof(result, "shop.example")


def test_ipv6() -> None:
    records = record("ip6:2001:db8::/32", "-all")

    assert checked(records, "2001:db8::7").result == "pass"
    assert checked(records, "2001:db9::7").result == "fail"


def test_a_bounce_is_judged_by_its_helo_name() -> None:
    records = {("mx.a.example", "TXT"): [f"v=spf1 ip4:{PEER} -all"]}

    assert checked(records, mail_from="") == Proof("pass", "mx.a.example")


@pytest.mark.parametrize(
    ("mail_from", "helo"),
    [("", ""), ("", "[198.51.100.7]"), ("", "localhost"), ("a@localhost", "mx"), ("a@", "mx")],
)
def test_without_a_domain_there_is_no_verdict(mail_from: str, helo: str) -> None:
    assert checked({}, mail_from=mail_from, helo=helo).result == "none"


def test_too_many_names_end_in_an_error() -> None:
    chain = {(f"{n}.example", "TXT"): [f"v=spf1 include:{n + 1}.example -all"] for n in range(40)}

    assert checked({**record("include:0.example", "-all"), **chain}).result == "permerror"


@pytest.mark.parametrize(
    "mail_from",
    ["a@" + "x." * 500 + "example", "\0@\0.example", "a@b@c..example", "ä@ö.example", '"@"@a.b'],
)
def test_strange_senders_raise_nothing(mail_from: str) -> None:
    assert checked({}, mail_from=mail_from).result in ("none", "permerror")


def test_pyspf_not_yet_compiled_gives_verdicts_where_warnings_are_errors(tmp_path: Path) -> None:
    code = f"""
from inboxkit.authentication import spf
from tests.authentication.zone import PEER, budget
records = {record("-all")!r}
print(spf.check(PEER, "mx.a.example", "ann@shop.example", budget(records)).result)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("fail\n", "")
