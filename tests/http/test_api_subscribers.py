"""What an API key may have told, by posts and by polling, and that it ends with the key."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.egress import LOOPBACK
from inboxkit.store.endpoints import KEY_ENDED
from inboxkit.testing import settling

from .api import Answer, Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .receiver import Receiver

ADMIN = "k" * 20
HOOK = "https://example.com/hook"
ALL_OF_WEBHOOKS = [f"webhook_{verb}" for verb in ("read", "create", "update", "delete")]


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(egress_networks=LOOPBACK, api_key=ADMIN) as running:
        yield running.of(ADMIN)


def key(api: Api, *permissions: str, **asked: Any) -> Any:
    """Make a key; without permissions it may do everything."""
    given = {"permissions": dict.fromkeys(permissions, True)} if permissions else {}
    return api.good("POST", "/v0/api-keys", given | asked)


def subscribe(api: Api, kind: str, at: str = "", *types: str, **asked: Any) -> Answer:
    """Ask for a webhook, or one that is polled."""
    wanted = {"event_types": types or ("message.received",)} | asked
    if kind == "posted":
        return api.ask("POST", f"/v0{at}/webhooks", {"url": HOOK} | wanted)
    return api.ask("POST", f"/v0{at}/webhooks/polling", {"client_id": "agent"} | wanted)


KINDS = ["posted", "polled"]


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_not_read_messages_is_told_of_none(api: Api, kind: str) -> None:
    blind = api.of(key(api, *ALL_OF_WEBHOOKS)["api_key"])
    at = f"/inboxes/{api.inbox()}"
    for types in (["message.received"], ["domain.verified", "handler.failed"]):
        refused = subscribe(blind, kind, at, *types)
        assert (refused.status, refused.code) == (403, "missing_permission")
        assert "message_read" in refused.json["message"]
    assert subscribe(blind, kind, at, "domain.verified").status == 200
    reader = api.of(key(api, *ALL_OF_WEBHOOKS, "message_read")["api_key"])
    assert subscribe(reader, kind, at).status == 200


CHANGES: dict[str, Any] = {
    "types": {"event_types": ["message.sent"]},
    "enabled": {"enabled": True},
    "narrowed": {"remove_inbox_ids": ["one@inbox.example"]},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_who_may_not_read_messages_switches_a_webhook_off_alone(api: Api, change: Any) -> None:
    hook = f"/v0/webhooks/{subscribe(api, 'posted').json['webhook_id']}"
    blind = api.of(key(api, *ALL_OF_WEBHOOKS)["api_key"])
    assert blind.ask("PATCH", hook, change).code == "missing_permission"
    assert blind.good("PATCH", hook, {"enabled": False})["enabled"] is False


def test_who_may_not_read_messages_changes_what_tells_of_none(api: Api) -> None:
    blind = api.of(key(api, *ALL_OF_WEBHOOKS)["api_key"])
    hook = subscribe(blind, "posted", "", "domain.verified").json["webhook_id"]
    assert blind.good("PATCH", f"/v0/webhooks/{hook}", {"enabled": True})["enabled"] is True


def test_who_may_not_read_messages_replays_none(api: Api) -> None:
    blind = api.of(key(api, *ALL_OF_WEBHOOKS)["api_key"])
    hook = subscribe(blind, "posted", "", "domain.verified").json["webhook_id"]
    asked = {"event_ids": ["evt_0000000000001"]}
    refused = blind.ask("POST", f"/v0/webhooks/{hook}/replay", asked)
    assert (refused.status, refused.code) == (403, "missing_permission")


def revoke(api: Api, made: Any) -> None:
    api.good("DELETE", f"/v0/api-keys/{made['api_key_id']}")


def outlive(api: Api, made: Any) -> None:
    del made
    api.runner.call(settling.advance, api.runner.kit, timedelta(days=2), timeout=30)


def soon(api: Api) -> str:
    return (api.runner.clock.now() + timedelta(days=1)).isoformat()


ENDS = {"revoked": revoke, "expired": outlive}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_token_polls_no_longer_than_its_key_lasts(api: Api, end: Any) -> None:
    inbox, made = api.inbox(), key(api, expires_at=soon(api))
    token = subscribe(api.of(made["api_key"]), "polled", f"/inboxes/{inbox}").json["token"]
    came = api.arrive(inbox)
    told = api.of(token).good("GET", "/v0/polling?wait=5")["data"]
    assert [one["inboxkit"]["id"] for one in told] == [came.id]
    end(api, made)
    refused = api.of(token).ask("GET", "/v0/polling")
    assert (refused.status, refused.code) == (401, "unknown_api_key")


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_webhook_is_posted_to_no_longer_than_its_key_lasts(
    api: Api, receiver: Receiver, end: Any
) -> None:
    inbox, made = api.inbox(), key(api, expires_at=soon(api))
    at = f"/inboxes/{inbox}"
    hook = subscribe(api.of(made["api_key"]), "posted", at, url=receiver.url).json["webhook_id"]
    api.arrive(inbox, "before")
    assert b"before" in receiver.next().body
    end(api, made)
    api.arrive(inbox, "after")
    api.runner.call(settling.settle, api.runner.kit, timeout=30)
    shown = api.good("GET", f"/v0/webhooks/{hook}")
    assert (shown["enabled"], shown["inboxkit"]["disabled_because"]) == (False, KEY_ENDED)
    assert receiver.posts.empty()


def test_what_was_queued_is_not_posted_once_the_key_is_revoked(
    api: Api, receiver: Receiver
) -> None:
    inbox, made = api.inbox(), key(api)
    subscribe(api.of(made["api_key"]), "posted", f"/inboxes/{inbox}", url=receiver.url)
    receiver.statuses = [500]
    api.arrive(inbox)
    receiver.next()
    revoke(api, made)
    api.runner.call(settling.advance, api.runner.kit, timedelta(minutes=1), timeout=30)
    assert receiver.posts.empty()


def test_who_enables_a_webhook_keeps_it_alive(api: Api, receiver: Receiver) -> None:
    inbox, made = api.inbox(), key(api)
    at = f"/inboxes/{inbox}"
    hook = subscribe(api.of(made["api_key"]), "posted", at, url=receiver.url).json["webhook_id"]
    revoke(api, made)
    assert api.good("GET", f"/v0{at}/webhooks")["webhooks"][0]["enabled"] is False
    assert api.good("PATCH", f"/v0/webhooks/{hook}", {"enabled": True})["enabled"] is True
    api.arrive(inbox, "again")
    assert b"again" in receiver.next().body


def test_a_new_key_gets_a_new_webhook_under_the_same_client_id(api: Api) -> None:
    made = key(api)
    old = subscribe(api.of(made["api_key"]), "posted", "", client_id="shop").json
    again = subscribe(api.of(key(api)["api_key"]), "posted", "", client_id="shop").json
    assert again == old
    revoke(api, made)
    new = subscribe(api.of(key(api)["api_key"]), "posted", "", client_id="shop").json
    assert (new["enabled"], new["webhook_id"] != old["webhook_id"]) == (True, True)
    assert new["secret"] != old["secret"]
    assert api.ask("GET", f"/v0/webhooks/{old['webhook_id']}").status == 404
