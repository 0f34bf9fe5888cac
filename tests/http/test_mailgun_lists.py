"""Mailgun's lists on our suppressions, its domains and its validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit.providers.forms import Field
from inboxkit.store import suppressions

from .api import Api, serving
from .mailgun import DOMAIN, Mailgun

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTS = ("bounces", "complaints", "unsubscribes")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as running:
        yield running


@pytest.fixture
def mailgun(api: Api) -> Mailgun:
    found = Mailgun(api)
    for name in (*LISTS, "whitelists"):
        found.good("DELETE", f"/v3/{DOMAIN}/{name}")
    return found


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_kept(mailgun: Mailgun, name: str) -> None:
    many, one = f"/v3/{DOMAIN}/{name}", f"/v3/{DOMAIN}/{name}/ann%40example.com"
    mailgun.good("POST", many, address="Ann@example.com")

    assert [i["address"] for i in mailgun.good("GET", many)["items"]] == ["ann@example.com"]
    assert mailgun.good("GET", one)["address"] == "ann@example.com"
    mailgun.good("DELETE", one)
    assert (mailgun.ask("GET", one).status, mailgun.ask("DELETE", one).status) == (404, 404)


@pytest.mark.parametrize(
    ("name", "reason"), [("bounces", "bounce"), ("complaints", "complaint")], ids=["hard", "abuse"]
)
def test_whoever_is_listed_gets_no_mail(mailgun: Mailgun, name: str, reason: str) -> None:
    mailgun.good("POST", f"/v3/{DOMAIN}/{name}", address="dead@example.com")
    sent = mailgun.send(to="dead@example.com")
    mailgun.settle()

    asked = {"message-id": sent, "event": "failed"}
    [event] = mailgun.good("GET", f"/v3/{DOMAIN}/events", **asked)["items"]
    assert (event["severity"], event["reason"]) == ("permanent", f"suppress-{reason}")


def test_who_is_allowed_is_suppressed_for_another_reason_only(mailgun: Mailgun, api: Api) -> None:
    mailgun.good("POST", f"/v3/{DOMAIN}/whitelists", address="vip@example.com")
    asked = {"address": "VIP@example.com", "reason": "bounced"}
    refused = api.ask("POST", "/v0/suppressions", asked)
    assert (refused.status, refused.code) == (422, "unprocessable")
    assert "vip@example.com is on an allowlist" in str(refused.json)
    kept = api.good("POST", "/v0/suppressions", asked | {"reason": "manual"})
    assert kept["address"] == "vip@example.com"


def test_a_list_in_json_is_taken_whole_or_not_at_all(mailgun: Mailgun) -> None:
    many = f"/v3/{DOMAIN}/bounces"
    good = {"address": "a@example.com", "code": 552, "error": "full"}
    at = {"address": "b@example.com", "created_at": "Thu, 13 Oct 2011 18:02:00 UTC"}

    assert mailgun.post_json(many, [good, {"address": "nobody"}]).status == 400
    assert mailgun.good("GET", many)["items"] == []
    assert mailgun.post_json(many, [good, at]).status == 200
    first, second = mailgun.good("GET", many)["items"]
    assert (first["code"], first["error"]) == ("552", "full")
    assert second["created_at"] == "Thu, 13 Oct 2011 18:02:00 GMT"


def test_a_file_is_imported(mailgun: Mailgun) -> None:
    table = b"\xef\xbb\xbfaddress,code,error\r\na@example.com,550,gone\r\n\r\nb@example.com,,\r\n"
    answer = mailgun.upload(f"/v3/{DOMAIN}/bounces/import", [Field("file", table, "b.csv")])
    assert answer.status == 200
    items = mailgun.good("GET", f"/v3/{DOMAIN}/bounces")["items"]
    assert [(i["address"], i["code"]) for i in items] == [
        ("a@example.com", "550"),
        ("b@example.com", "550"),
    ]


def test_pages_lead_through_a_list_and_back(mailgun: Mailgun) -> None:
    names = [f"{letter}@example.com" for letter in "abcde"]
    mailgun.post_json(f"/v3/{DOMAIN}/complaints", [{"address": name} for name in names])

    def page(url: str) -> tuple[list[str], dict[str, str]]:
        found = mailgun.good("GET", url.removeprefix(mailgun.api.url))
        return [item["address"] for item in found["items"]], found["paging"]

    first, paging = page(f"/v3/{DOMAIN}/complaints?limit=2")
    second, after = page(paging["next"])
    assert (first, second, page(after["previous"])[0]) == (names[:2], names[2:4], names[:2])
    assert (page(after["last"])[0], page(after["first"])[0]) == (names[3:], names[:2])


WRONG = {
    "no address": ("bounces", {"code": 550}, "address"),
    "no good address": ("complaints", {"address": "nobody"}, "Invalid address"),
    "no date": ("bounces", {"address": "a@b.example", "created_at": "soon"}, "created_at"),
    "from one tag only": ("unsubscribes", {"address": "a@b.example", "tag": "news"}, 'tag "*"'),
    "nothing to allow": ("whitelists", {"reason": "x"}, "address or domain"),
    "no domain": ("whitelists", {"domain": "-"}, "Invalid address or domain"),
}


@pytest.mark.parametrize(("name", "given", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_entry_is_refused(
    mailgun: Mailgun, name: str, given: dict[str, object], words: str
) -> None:
    answer = mailgun.ask("POST", f"/v3/{DOMAIN}/{name}", **given)
    assert (answer.status, words in answer.json["message"]) == (400, True)


@pytest.mark.parametrize(("value", "kind"), [("ann@x.example", "address"), ("x.example", "domain")])
def test_who_is_allowed_is_not_suppressed_by_a_bounce(
    mailgun: Mailgun, value: str, kind: str
) -> None:
    many, write = f"/v3/{DOMAIN}/whitelists", mailgun.api.runner.kit.runtime.store.write
    mailgun.good("POST", many, **{kind: value})
    [item] = mailgun.good("GET", many)["items"]
    assert (item["type"], item["value"]) == (kind, value)

    now = mailgun.api.runner.clock.now()
    run = mailgun.api.runner.call
    assert not run(write, suppressions.add, "ann@x.example", reason="bounced", now=now)
    mailgun.good("DELETE", f"{many}/{value}")
    assert run(write, suppressions.add, "ann@x.example", reason="bounced", now=now)


def test_an_address_is_judged_by_what_happened_here(mailgun: Mailgun) -> None:
    mailgun.good("POST", f"/v3/{DOMAIN}/bounces", address="dead@example.com")

    found = mailgun.good("GET", "/v4/address/validate", address="dead@example.com")
    fresh = mailgun.good("POST", "/v4/address/validate", address="support@gmial.com")

    tagged = mailgun.good("GET", "/v4/address/validate", address="DEAD@example.com ")
    assert (found["result"], found["risk"]) == ("undeliverable", "high")
    assert tagged["result"] == "undeliverable"
    assert (fresh["did_you_mean"], fresh["is_role_address"]) == ("support@gmail.com", True)


def test_what_bounced_is_known_by_the_address_behind_its_tag(mailgun: Mailgun) -> None:
    many = f"/v3/{DOMAIN}/bounces"
    mailgun.post_json(many, [{"address": "ann@gmail.com"}, {"address": "ben@bücher.example"}])
    for address in ("A.nn+shop@gmail.com", "Ben@xn--bcher-kva.example"):
        found = mailgun.good("GET", "/v4/address/validate", address=address)
        assert found["reason"] == ["suppressed here: bounced"]


class Names:
    """Knows the mail servers of two domains."""

    def txt(self, name: str) -> list[str]:
        return []

    def mx(self, name: str) -> list[tuple[int, str]]:
        found = [(10, "mx.shop.example")]
        known = {"shop.example": found, "xn--bcher-kva.example": found, "null.example": [(0, "")]}
        return known.get(name, [])


@pytest.mark.parametrize(
    ("domain", "result"),
    [
        ("shop.example", "deliverable"),
        ("null.example", "undeliverable"),
        ("x.example", "undeliverable"),
        ("Bücher.example", "deliverable"),
    ],
)
def test_dns_is_asked_when_that_is_wanted(mailgun: Mailgun, domain: str, result: str) -> None:
    mailgun.api.runner.kit.runtime.resolver = Names()
    asked = {"address": f"ann@{domain}", "provider_lookup": "true"}
    assert mailgun.good("GET", "/v4/address/validate", **asked)["result"] == result


def test_a_domain_is_set_up_and_forgotten(mailgun: Mailgun) -> None:
    made = mailgun.good("POST", "/v3/domains", name="Shop.example")
    assert made["domain"]["name"] == "shop.example"
    assert {r["record_type"] for r in made["sending_dns_records"]} == {"TXT"}
    assert mailgun.ask("POST", "/v4/domains", name="shop.example").status == 400

    assert mailgun.good("GET", "/v3/domains")["total_count"] == 1
    assert mailgun.good("GET", "/v4/domains/shop.example")["domain"]["state"] == "unverified"
    mailgun.good("DELETE", "/v3/domains/shop.example")
    assert mailgun.ask("GET", "/v4/domains/shop.example").status == 404
