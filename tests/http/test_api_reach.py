"""What a subscriber is told is bound by its key: its pod, its inbox, the labels it may see."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.egress import LOOPBACK
from inboxkit.testing import settling

from .api import Api, serving
from .test_api_subscribers import ADMIN, ALL_OF_WEBHOOKS, KINDS, key, subscribe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .receiver import Receiver

ALSO_BLOCKED = ("message.received", "message.received.blocked")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(egress_networks=LOOPBACK, api_key=ADMIN) as running:
        yield running.of(ADMIN)


def pod(api: Api) -> tuple[str, Api]:
    made = api.good("POST", "/v0/pods", {})["pod_id"]
    return made, api.of(api.good("POST", f"/v0/pods/{made}/api-keys", {})["api_key"])


def inbox_with_blocked(api: Api) -> str:
    inbox = api.inbox()
    api.good("POST", f"/v0/inboxes/{inbox}/lists/receive/block", {"entry": "eve@example.com"})
    return inbox


def come(api: Api, inbox: str) -> list[str]:
    """Let a mail come in that is blocked, and one that is not; return their ids."""
    senders = ("eve@example.com", "ann@example.com")
    return [api.arrive(inbox, sender=sender).id for sender in senders]


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_subscribes_to_another_pods_events(api: Api, kind: str) -> None:
    (_, ours), (theirs, their_api) = pod(api), pod(api)
    inbox = their_api.inbox()
    named: dict[str, Any] = {"pod": {"pod_ids": [theirs]}, "inbox": {"inbox_ids": [inbox]}}
    for name, asked in named.items():
        assert subscribe(ours, kind, **asked).status == 404
        assert subscribe(their_api, kind, **asked, client_id=name).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_subscription_of_an_inbox_is_of_that_inbox_alone(api: Api, kind: str) -> None:
    inbox = api.inbox()
    bound = api.of(api.good("POST", f"/v0/inboxes/{inbox}/api-keys", {})["api_key"])
    assert subscribe(bound, kind, inbox_ids=[inbox]).code == "validation_error"
    made = subscribe(bound, kind).json
    assert made["pod_id"] == api.good("GET", f"/v0/inboxes/{inbox}")["pod_id"]


def test_who_may_not_see_blocked_mail_polls_none(api: Api) -> None:
    inbox = inbox_with_blocked(api)
    reader = api.of(key(api, *ALL_OF_WEBHOOKS, "message_read")["api_key"])
    tokens = [
        subscribe(one, "polled", f"/inboxes/{inbox}", *ALSO_BLOCKED, client_id=name).json["token"]
        for one, name in ((api, "all"), (reader, "some"))
    ]
    came = come(api, inbox)
    told = [api.of(token).good("GET", "/v0/polling")["data"] for token in tokens]
    assert [[one["inboxkit"]["id"] for one in data] for data in told] == [came, came[1:]]


@pytest.mark.parametrize("enables", [False, True], ids=["makes", "enables"])
def test_who_may_not_see_blocked_mail_is_posted_none(
    api: Api, receiver: Receiver, enables: bool
) -> None:
    inbox = inbox_with_blocked(api)
    reader = api.of(key(api, *ALL_OF_WEBHOOKS, "message_read")["api_key"])
    made = subscribe(
        api if enables else reader, "posted", f"/inboxes/{inbox}", *ALSO_BLOCKED, url=receiver.url
    )
    if enables:
        reader.good("PATCH", f"/v0/webhooks/{made.json['webhook_id']}", {"enabled": True})
    come(api, inbox)
    api.runner.call(settling.advance, api.runner.kit, timedelta(seconds=1), timeout=30)
    posted = [json.loads(post.body)["event_type"] for post in receiver.posts.queue]
    assert posted == ["message.received"]


def test_each_pod_has_its_own_ten_subscriptions(api: Api) -> None:
    (_, ours), (_, theirs) = pod(api), pod(api)
    for number in range(10):
        assert subscribe(ours, "polled", client_id=f"n{number}").status == 200
    assert subscribe(ours, "polled", client_id="n10").code == "limit_exceeded"
    assert subscribe(theirs, "polled").status == 200
    assert theirs.good("GET", "/v0/webhooks/polling")["count"] == 1
