"""Domains: their records, their key, and that what SMTP sends is signed with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from inboxkit.client import AsyncClient
from inboxkit.errors import RemoteError
from tests.test_dns_records import Names

from .api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(hostname="mx.inbox.example") as running:
        yield running


def made(api: Api, name: str, **asked: Any) -> Any:
    return api.good("POST", "/v0/domains", {"domain": name} | asked)


def published(found: Any) -> Names:
    """Return DNS in which all records of a domain are."""
    texts = {r["name"]: [r["value"]] for r in found["records"] if r["type"] == "TXT"}
    hosts = {r["name"]: [(10, r["value"])] for r in found["records"] if r["type"] == "MX"}
    return Names(texts, {k.replace("*", "inboxkit-check"): v for k, v in hosts.items()})


def verify(api: Api, found: Any, names: Names) -> Any:
    api.runner.kit.runtime.resolver = names
    return api.good("POST", f"/v0/domains/{found['domain_id']}/verify")


def test_a_domain_is_verified_once_its_records_are_in_dns(api: Api) -> None:
    found = made(api, "Shop.Example.")
    assert (found["domain_id"], found["status"]) == ("shop.example", "NOT_STARTED")
    assert [r["status"] for r in found["records"]] == ["MISSING"] * 4
    assert verify(api, found, Names())["status"] == "PENDING"
    good = verify(api, found, published(found))
    assert (good["status"], good.get("reason")) == ("VERIFIED", None)
    verify(api, found, published(found))
    assert logged(api) == ["shop.example"]


def logged(api: Api) -> list[str]:
    def look(connection: Any) -> list[str]:
        query = "SELECT json_extract(data, '$.domain_id') FROM inboxkit_event WHERE type = ?"
        return list(connection.exec_driver_sql(query, ("domain_verified",)).scalars())

    read: Any = api.runner.kit.runtime.store.read
    return list(api.runner.call(read, look))


def told(api: Api, place: str, begin: str, query: str = "") -> list[Any]:
    return list(api.good("GET", f"/v0{place}/events?after={begin}{query}")["events"])


def test_a_domain_that_is_verified_is_told_of_within_its_pod(api: Api) -> None:
    pods = [api.good("POST", "/v0/pods", {})["pod_id"] for _ in range(2)]
    begin = api.good("GET", "/v0/events")["cursor"]
    found = api.good("POST", f"/v0/pods/{pods[0]}/domains", {"domain": "told.example"})
    good = verify(api, found, published(found))

    (event,) = told(api, "", begin, "&wait=5")
    assert (event["event_type"], event["domain"]) == ("domain.verified", good)
    assert "id" not in event["inboxkit"] and "message" not in event
    assert told(api, f"/pods/{pods[0]}", begin) == [event]
    assert told(api, f"/pods/{pods[1]}", begin) == []
    inbox = api.good("POST", f"/v0/pods/{pods[0]}/inboxes", {})["inbox_id"]
    assert told(api, "", begin, f"&inbox_ids={inbox}") == []


def test_the_log_of_a_client_goes_on_after_a_domain(api: Api) -> None:
    found, inbox = made(api, "client-told.example"), api.inbox()
    begin = api.good("GET", "/v0/events")["cursor"]
    verify(api, found, published(found))
    came = api.arrive(inbox)

    async def read() -> list[str]:
        cursor: str = begin
        async with AsyncClient(api.url) as client:
            with anyio.fail_after(30):
                while True:
                    events, cursor = await client.actions.logged(cursor, wait=5)
                    if events:  # those of the domain alone are none for a client
                        return [event.message.id for event in events]

    assert api.runner.call(read) == [came.id]


def test_what_is_wrong_with_a_record_is_said(api: Api) -> None:
    found = made(api, "wrong.example")
    texts = {**published(found).texts, "wrong.example": ["v=spf1 -all"]}
    bad = verify(api, found, Names(texts))
    reasons = {r["name"]: (r["status"], r.get("reason")) for r in bad["records"][:2]}
    assert (bad["status"], bad["reason"]) == ("INVALID", "dns_records_invalid")
    assert bad["records"][0]["status"] == "MISSING"
    assert reasons["wrong.example"] == ("INVALID", "value_mismatch")


def test_a_new_use_must_be_verified(api: Api) -> None:
    found = made(api, "grow.example", inbound_enabled=False)
    assert {r["type"] for r in found["records"]} == {"TXT"}
    verify(api, found, published(found))
    target = "/v0/domains/grow.example"
    changed = api.good("PATCH", target, {"inbound_enabled": True, "subdomains_enabled": True})
    assert (changed["status"], changed["reason"]) == ("PENDING", "dns_records_missing")
    states = [(r["name"], r["status"]) for r in changed["records"]]
    assert states[:2] == [("grow.example", "MISSING"), ("*.grow.example", "MISSING")]
    assert {state for _, state in states[2:]} == {"VALID"}
    assert verify(api, found, published(changed))["status"] == "VERIFIED"
    assert api.ask("PATCH", target, {}).status == 400


def test_lists_zone_files_and_deletion(api: Api) -> None:
    names = ["one.example", "two.example", "three.example"]
    for name in names:
        made(api, name)
    first = api.good("GET", "/v0/domains?limit=2")
    assert [d["domain"] for d in first["domains"]] == names[:0:-1]
    rest = api.good("GET", f"/v0/domains?page_token={first['next_page_token']}")
    assert rest["domains"][0]["domain"] == "one.example"
    answer = api.ask("GET", "/v0/domains/one.example/zone-file")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body.startswith(b"$ORIGIN one.example.\n")
    assert api.good("GET", "/v0/domains/one.example/setup-link") == {"supported": False}
    api.good("DELETE", "/v0/domains/one.example")
    assert api.ask("GET", "/v0/domains/one.example").status == 404


@pytest.mark.parametrize("name", ["", "no domain", "a@b.example", "-", "a..b", "a\nb.example"])
def test_what_is_no_domain_is_refused(api: Api, name: str) -> None:
    answer = api.ask("POST", "/v0/domains", {"domain": name})
    assert (answer.status, answer.code) == (400, "validation_error")


def test_a_domain_is_one_tenants(api: Api) -> None:
    pod = api.good("POST", "/v0/pods", {})["pod_id"]
    theirs = api.good("POST", f"/v0/pods/{pod}/domains", {"domain": "pod.example"})
    assert theirs["pod_id"] == pod
    again = api.ask("POST", "/v0/domains", {"domain": "POD.example"})
    assert (again.status, again.code) == (403, "resource_taken")
    assert api.ask("GET", "/v0/pods/pod_default/domains/pod.example").status == 404
    assert api.good("GET", f"/v0/pods/{pod}/domains")["count"] == 1
    assert api.ask("DELETE", f"/v0/pods/{pod}").code == "cannot_delete"


def test_a_client_id_returns_the_same_domain_and_is_one_tenants(api: Api) -> None:
    first = made(api, "client.example", client_id="c-1")
    assert made(api, "other.example", client_id="c-1") == first
    pod = api.good("POST", "/v0/pods", {})["pod_id"]
    asked = {"domain": "third.example", "client_id": "c-1"}
    assert api.ask("POST", f"/v0/pods/{pod}/domains", asked).code == "resource_taken"


class Silent:
    """DNS that does not answer."""

    def txt(self, name: str) -> Sequence[str]:
        raise RemoteError(f"{name}: no answer")

    def mx(self, name: str) -> Sequence[tuple[int, str]]:
        raise RemoteError(f"{name}: no answer")


def test_silence_changes_nothing(api: Api) -> None:
    found = made(api, "quiet.example")
    good = verify(api, found, published(found))
    api.runner.kit.runtime.resolver = Silent()
    answer = api.ask("POST", "/v0/domains/quiet.example/verify")
    assert (answer.status, answer.code) == (502, "bad_gateway")
    assert api.good("GET", "/v0/domains/quiet.example") == good


def test_no_private_key_is_ever_shown(api: Api) -> None:
    found = made(api, "secret.example")
    assert "PRIVATE" not in repr([found, api.good("GET", "/v0/domains/secret.example")])
