"""One tenant takes no address, reply address or domain of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .api import Api, serving
from .mailgun import BASE, Mailgun

if TYPE_CHECKING:
    from collections.abc import Iterator

ADMIN = "k" * 20


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=ADMIN) as running:
        yield running.of(ADMIN)


def key_of(api: Api, name: str) -> str:
    """Make a pod; return a key of it."""
    pod = api.good("POST", "/v0/pods", {"name": name})["pod_id"]
    return str(api.good("POST", f"/v0/pods/{pod}/api-keys", {})["api_key"])


@pytest.fixture(scope="module")
def mine(api: Api) -> Api:
    return api.of(key_of(api, "mine"))


@pytest.fixture(scope="module")
def theirs(api: Api) -> Api:
    other = api.of(key_of(api, "theirs"))
    other.good("POST", "/v0/domains", {"domain": "shop.example"})
    other.inbox(username="support")
    return other


@pytest.mark.parametrize(
    ("username", "domain"),
    [("ceo", "shop.example"), ("ceo", "mail.shop.example"), ("support+billing", "inbox.example")],
)
def test_an_inbox_of_another_tenants_is_refused(
    mine: Api, theirs: Api, username: str, domain: str
) -> None:
    asked = {"username": username, "domain": domain}
    address = {"address": f"{username}@{domain}"}
    for path, body in (("/v0/inboxes", asked), ("/v0/inboxes/open", address)):
        refused = mine.ask("POST", path, body)
        assert (refused.status, refused.code) == (403, "resource_taken")
        assert "is not open to this key" in refused.json["message"]
    assert theirs.inbox(**asked) == f"{username}@{domain}"


def test_who_is_bound_to_no_pod_may_have_any_address(api: Api, theirs: Api) -> None:
    theirs.inbox(username="desk")
    assert api.inbox(username="root", domain="shop.example") == "root@shop.example"
    assert api.inbox(username="desk+root") == "desk+root@inbox.example"


def test_a_domain_below_another_tenants_is_refused(mine: Api, theirs: Api) -> None:
    theirs.good("POST", "/v0/domains", {"domain": "eu.shop.example"})
    refused = mine.ask("POST", "/v0/domains", {"domain": "us.shop.example"})
    assert (refused.status, refused.code) == (403, "resource_taken")


def test_mailgun_makes_no_inbox_of_another_tenants_tag(api: Api, theirs: Api) -> None:
    theirs.inbox(username="orders")
    mailgun = Mailgun(api, key_of(api, "by mailgun"))
    asked = BASE | {"from": "orders+new@inbox.example"}
    refused = mailgun.ask("POST", "/v3/inbox.example/messages", **asked)
    assert (refused.status, "not open to this key" in refused.json["message"]) == (400, True)


def test_an_answer_goes_to_who_sent_even_when_its_address_is_an_inbox(
    api: Api, mine: Api, theirs: Api
) -> None:
    inbox = theirs.inbox(username="contracts")
    sent = theirs.send(inbox)
    place = f"/v0/messages?ids={sent['inboxkit']['id']}"
    (reply_to,) = theirs.good("GET", place)["messages"][0]["reply_to"]
    name = reply_to["email"].partition("@")[0]
    assert mine.ask("POST", "/v0/inboxes", {"username": name}).status == 403
    assert api.inbox(username=name) == reply_to["email"]
    assert api.arrive(reply_to["email"]).inbox == inbox
