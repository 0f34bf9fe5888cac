"""What is counted, listed and changed for one tenant is nothing of another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit import Message

ADMIN = "k" * 20
COUNTED = ("inbox_count", "domain_count", "message_count", "thread_count", "pod_count")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A pod with a domain, an inbox, a mail in it and another one that is spam."""

    api: Api  # asked with the pod's key
    pod: str
    inbox: str
    came: Message
    spam: Message


@pytest.fixture(scope="module")
def admin() -> Iterator[Api]:
    with serving(api_key=ADMIN) as server:
        yield server.of(ADMIN)


def made(admin: Api, where: str, **asked: Any) -> Api:
    return admin.of(admin.good("POST", f"/v0{where}/api-keys", asked)["api_key"])


def tenant(admin: Api, name: str) -> Tenant:
    pod = admin.good("POST", "/v0/pods", {"name": name})["pod_id"]
    admin.good("POST", f"/v0/pods/{pod}/domains", {"domain": f"{name}.example"})
    inbox = admin.good("POST", f"/v0/pods/{pod}/inboxes", {"username": name})["inbox_id"]
    came, spam = admin.arrive(inbox), admin.arrive(inbox, subject="Win")
    admin.good("PATCH", path(inbox, spam), {"add_labels": "spam"})
    return Tenant(made(admin, f"/pods/{pod}"), pod, inbox, came, spam)


@pytest.fixture(scope="module")
def ours(admin: Api) -> Tenant:
    return tenant(admin, "ours")


@pytest.fixture(scope="module")
def theirs(admin: Api) -> Tenant:
    return tenant(admin, "theirs")


def events(api: Api) -> dict[str, int]:
    counted = api.good("GET", "/v0/metrics/events?period=86400")
    return {name: sum(one["count"] for one in found) for name, found in counted.items()}


def amounts(api: Api, *names: str) -> list[int]:
    found = api.good("GET", "/v0/metrics/usage?descending=true")
    return [found[name][0]["value"] for name in names]


def test_what_is_counted_is_ones_own(admin: Api, ours: Tenant, theirs: Tenant) -> None:
    one = {"message.received": 1, "message.received.spam": 1}
    sizes = ours.came.size + ours.spam.size
    bound = made(admin, f"/inboxes/{ours.inbox}")
    for api in (ours.api, bound):
        assert events(api) == one
        assert amounts(api, "storage_bytes", *COUNTED[2:4]) == [sizes, 2, 2]
    assert amounts(ours.api, *COUNTED) == [1, 1, 2, 2, 1]
    assert events(admin) == dict.fromkeys(one, 2)
    assert amounts(admin, *COUNTED) == [2, 2, 4, 4, 3]  # with the pod that there always is
    assert [api.good("GET", "/v0/organizations")["domain_count"] for api in (ours.api, admin)] == [
        1,
        2,
    ]


def test_a_message_is_named_in_its_own_inbox_only(ours: Tenant, theirs: Tenant) -> None:
    assert ours.api.ask("GET", path(ours.inbox, ours.came.id)).status == 200
    for suffix in ("", "/raw"):
        assert ours.api.ask("GET", path(ours.inbox, theirs.came.id, suffix)).status == 404
    marked = path(ours.inbox, theirs.came.id)
    assert ours.api.ask("PATCH", marked, {"add_labels": "taken"}).status == 404


def test_an_inbox_is_named_in_its_own_pod_only(admin: Api, ours: Tenant, theirs: Tenant) -> None:
    for inbox, status in ((ours.inbox, 200), (theirs.inbox, 404)):
        assert admin.ask("GET", f"/v0/pods/{ours.pod}/inboxes/{inbox}").status == status


def test_a_key_of_an_inbox_opens_no_other_by_its_client_id(admin: Api) -> None:
    inbox, other = (admin.inbox(client_id=name) for name in ("bots", "others"))
    bound = made(admin, f"/inboxes/{inbox}")
    asked = {"client_id": "bots"}
    assert bound.good("POST", "/v0/inboxes/open", asked)["address"] == inbox
    refused = bound.ask("POST", "/v0/inboxes/open", {"client_id": "others"})
    assert (refused.status >= 400, other in str(refused.json)) == (True, False)


def test_a_key_of_an_inbox_lists_the_keys_of_that_inbox(admin: Api, ours: Tenant) -> None:
    bound = made(admin, f"/inboxes/{ours.inbox}")
    listed = bound.good("GET", f"/v0/inboxes/{ours.inbox}/api-keys")["api_keys"]
    known = {key["api_key_id"] for key in listed}
    pods, own = (api.good("GET", "/v0/auth/me")["api_key_id"] for api in (ours.api, bound))
    assert (own in known, pods in known) == (True, False)
