"""Outgoing webhooks over HTTP: made, told, signed, tried again, switched off, asked for again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import signatures
from inboxkit.egress import LOOPBACK
from inboxkit.testing import settling
from inboxkit.webhooks import WebhookEvent, verify

from .api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .receiver import Post, Receiver

RECEIVED = ["message.received"]


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(egress_networks=LOOPBACK, api_key="k" * 20) as api:
        yield api.of("k" * 20)


def made(api: Api, receiver: Receiver, at: str = "", **asked: Any) -> Any:
    wanted = {"url": receiver.url, "event_types": RECEIVED} | asked
    return api.good("POST", f"/v0{at}/webhooks", wanted)


def verified(api: Api, post: Post, hook: Any) -> WebhookEvent:
    return verify(post.body, post.headers, hook["secret"], now=api.runner.clock.now())


def test_a_message_is_posted_signed_with_both_headers(api: Api, receiver: Receiver) -> None:
    inbox = api.inbox()
    hook = made(api, receiver, f"/inboxes/{inbox}", headers={"X-Api-Key": "s3cret"})
    came = api.arrive(inbox, "The words")

    post = receiver.next()

    event = verified(api, post, hook)
    assert (event.type, event.data["message"]["inboxkit"]["id"]) == ("message.received", came.id)
    assert event.data["message"]["text"].strip() == "The words"
    assert event.data["thread"]["thread_id"] == came.thread_id
    assert event.id == event.data["event_id"] == post.headers["svix-id"]
    assert post.headers["svix-signature"] == post.headers["webhook-signature"]
    assert post.headers["X-Api-Key"] == "s3cret"


def elapse(api: Api, by: timedelta) -> None:
    api.runner.call(settling.advance, api.runner.kit, by, timeout=30)


def attempts(api: Api, hook: Any, query: str = "") -> Any:
    return api.good("GET", f"/v0/webhooks/{hook['webhook_id']}/attempts{query}")["attempts"]


def test_a_failed_post_is_tried_again_and_signed_anew(api: Api, receiver: Receiver) -> None:
    inbox = api.inbox()
    hook = made(api, receiver, f"/inboxes/{inbox}")
    receiver.statuses = [500, 302]
    api.arrive(inbox)
    elapse(api, timedelta(minutes=6))

    first, second, third = receiver.next(), receiver.next(), receiver.next()

    assert first.body == third.body and first.headers["webhook-id"] == third.headers["webhook-id"]
    stamps = [int(post.headers["webhook-timestamp"]) for post in (first, second, third)]
    assert 5 <= stamps[1] - stamps[0] < 30 and 300 <= stamps[2] - stamps[1] < 330
    log = attempts(api, hook)
    assert [(a["number"], a["status"], a["good"]) for a in log] == [
        (3, 200, True),
        (2, 302, False),
        (1, 500, False),
    ]
    assert "redirects are not followed" in log[1]["error"]


def test_events_of_an_inbox_are_posted_in_order(api: Api, receiver: Receiver) -> None:
    inbox = api.inbox()
    made(api, receiver, f"/inboxes/{inbox}")
    receiver.statuses = [503]
    came = [api.arrive(inbox, f"number {n}").id for n in range(4)]
    elapse(api, timedelta(seconds=6))

    posts = [json.loads(receiver.next().body)["message"]["inboxkit"]["id"] for _ in range(5)]

    assert posts == [came[0], *came]


def test_one_event_that_is_always_refused_does_not_hold_up_the_others(
    api: Api, receiver: Receiver
) -> None:
    inbox = api.inbox()
    made(api, receiver, f"/inboxes/{inbox}")
    receiver.statuses = [400] * 3
    api.arrive(inbox, "poison")
    second = api.arrive(inbox, "good")
    elapse(api, timedelta(minutes=6))

    posts = [json.loads(receiver.next().body)["message"]["inboxkit"]["id"] for _ in range(4)]

    assert posts[3] == second.id


def test_after_five_days_an_endpoint_is_disabled_and_said_so(api: Api, receiver: Receiver) -> None:
    inbox = api.inbox()
    hook = made(api, receiver, f"/inboxes/{inbox}")
    path = f"/v0/webhooks/{hook['webhook_id']}"
    receiver.statuses = [500] * 20
    api.arrive(inbox)
    elapse(api, timedelta(days=4))
    assert api.good("GET", path)["enabled"] is True
    at = [datetime.fromisoformat(one["at"]) for one in attempts(api, hook)[::-1]]
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(at)]
    expected = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]
    assert [expected[i] <= pause < expected[i] + 60 for i, pause in enumerate(pauses)] == [True] * 7
    elapse(api, timedelta(days=1))
    api.arrive(inbox)
    elapse(api, timedelta(seconds=1))

    found = api.good("GET", path)
    assert (found["enabled"], len(attempts(api, hook))) == (False, 9)
    assert "5 days" in found["inboxkit"]["disabled_because"]
    (said,) = api.good(
        "GET",
        f"/v0/events?after=start&event_types=webhook.disabled&inbox_ids={inbox}&wait=5",
    )["events"]
    assert said["inboxkit"]["data"] == {"webhook_id": hook["webhook_id"]}


def test_a_disabled_endpoint_gets_what_it_missed_only_when_asked(
    api: Api, receiver: Receiver
) -> None:
    inbox = api.inbox()
    hook = made(api, receiver, f"/inboxes/{inbox}")
    path = f"/v0/webhooks/{hook['webhook_id']}"
    receiver.statuses = [410]
    missed = api.arrive(inbox)
    receiver.next()
    elapse(api, timedelta(seconds=1))
    assert api.good("GET", path)["enabled"] is False
    assert api.ask("POST", f"{path}/replay", {"event_ids": ["evt_1"]}).code == "unprocessable"

    assert api.good("PATCH", path, {"enabled": True})["inboxkit"] == {}
    asked = api.good("POST", f"{path}/replay", {"failed_since": "2026-01-01T00:00:00Z"})

    assert asked == {"replayed": 1, "under_way": 0}
    assert json.loads(receiver.next().body)["message"]["inboxkit"]["id"] == missed.id
    elapse(api, timedelta(seconds=1))
    again = api.good("POST", f"{path}/replay", {"failed_since": "2026-01-01T00:00:00Z"})
    assert again == {"replayed": 0, "under_way": 0}


def test_a_long_message_says_what_was_left_out(api: Api, receiver: Receiver) -> None:
    inbox = api.inbox()
    hook = made(api, receiver, f"/inboxes/{inbox}")
    came = api.arrive(inbox, "word " * 300_000)

    post = receiver.next()

    event = verified(api, post, hook)
    assert len(post.body) < 1024 * 1024
    assert "text" in event.truncated and "text" not in event.data["message"]
    whole = api.good("GET", event.data["inboxkit"]["url"])
    assert whole["text"] == came.text


@pytest.mark.parametrize(
    ("types", "posted"),
    [
        (["message.received"], []),
        (["message.received.blocked"], ["message.received.blocked"]),
        (["message.sent", "message.queued"], []),
    ],
    ids=["plain", "named", "others"],
)
def test_what_lists_hide_is_told_only_to_who_named_it(
    api: Api, receiver: Receiver, types: list[str], posted: list[str]
) -> None:
    inbox = api.inbox()
    api.good("POST", f"/v0/inboxes/{inbox}/lists/receive/block", {"entry": "ann@example.com"})
    made(api, receiver, f"/inboxes/{inbox}", event_types=types)
    api.arrive(inbox)
    elapse(api, timedelta(seconds=1))
    assert [json.loads(p.body)["event_type"] for p in receiver.posts.queue] == posted


def test_settings_of_an_endpoint(api: Api, receiver: Receiver) -> None:
    one, two = api.inbox(), api.inbox()
    hook = made(api, receiver, client_id="c-1", inbox_ids=[one], headers={"X-A": "1"})
    path = f"/v0/webhooks/{hook['webhook_id']}"

    assert made(api, receiver, client_id="c-1")["webhook_id"] == hook["webhook_id"]
    changed = api.good("PATCH", path, {"add_inbox_ids": [two], "remove_inbox_ids": [one]})
    assert (changed["inbox_ids"], changed["event_types"]) == ([two], RECEIVED)
    nothing = dict.fromkeys(("event_types", "add_inbox_ids", "remove_pod_ids", "enabled"))
    assert api.good("PATCH", path, nothing)["event_types"] == RECEIVED
    replaced = api.good("PATCH", path, {"event_types": ["message.sent"], "enabled": False})
    assert (replaced["event_types"], replaced["enabled"]) == (["message.sent"], False)
    api.good("PATCH", f"{path}/headers", {"headers": {"x-a": "2", "X-B": "3"}})
    assert api.good("GET", f"{path}/headers") == {"header_names": ["X-B", "x-a"]}
    assert "s3cret" not in json.dumps(api.good("GET", "/v0/webhooks"))
    api.good("DELETE", path)
    assert api.ask("GET", path).status == 404


def test_a_receiver_that_asks_for_a_pause_gets_it(api: Api, receiver: Receiver) -> None:
    inbox = api.inbox()
    made(api, receiver, f"/inboxes/{inbox}")
    receiver.statuses, receiver.retry_after = [429, 500], "3600"
    api.arrive(inbox)
    elapse(api, timedelta(hours=2))

    stamps = [int(receiver.next().headers["webhook-timestamp"]) for _ in range(3)]

    assert 3600 <= stamps[1] - stamps[0] < 3660
    assert 300 <= stamps[2] - stamps[1] < 360  # a 500 means no pause


def test_an_old_secret_signs_for_a_day(api: Api, receiver: Receiver) -> None:
    inbox = api.inbox()
    old = made(api, receiver, f"/inboxes/{inbox}")
    path = f"/v0/webhooks/{old['webhook_id']}"
    new = api.good("POST", f"{path}/secret/rotate", {})
    api.arrive(inbox)
    both = receiver.next()
    elapse(api, timedelta(hours=25))
    api.arrive(inbox)
    after = receiver.next()

    assert new["secret"] != old["secret"] == made_before(both, api, old)
    assert verified(api, after, new).type == "message.received"
    assert len(both.headers["svix-signature"].split()) == 2
    assert len(after.headers["svix-signature"].split()) == 1


def made_before(post: Post, api: Api, hook: Any) -> str:
    """Return the secret that a post of a day ago was signed with."""
    at = api.runner.clock.now() - timedelta(hours=25)
    verify(post.body, post.headers, hook["secret"], now=at)
    return str(hook["secret"])


def test_a_secret_that_leaked_signs_no_more(api: Api, receiver: Receiver) -> None:
    inbox = api.inbox()
    hook = made(api, receiver, f"/inboxes/{inbox}")
    path = f"/v0/webhooks/{hook['webhook_id']}/secret/rotate"
    chosen = signatures.Key(b"c" * 24).secret

    api.good("POST", path, {"overlap_hours": 48, "secret": chosen})
    new = api.good("POST", path, {"overlap_hours": 0, "secret": chosen})
    api.arrive(inbox)

    assert (new["secret"], "old_secret_until" in new["inboxkit"]) == (chosen, False)
    assert len(receiver.next().headers["webhook-signature"].split()) == 1


@pytest.mark.parametrize(
    "asked", [{"secret": "whsec_short"}, {"secret": "***"}, {"overlap_hours": 169}], ids=str
)
def test_a_bad_secret_changes_nothing(api: Api, receiver: Receiver, asked: dict[str, Any]) -> None:
    hook = made(api, receiver)
    path = f"/v0/webhooks/{hook['webhook_id']}"
    assert api.ask("POST", f"{path}/secret/rotate", asked).code == "validation_error"
    assert api.good("GET", path)["secret"] == hook["secret"]


BAD: dict[str, Any] = {
    "scheme": {"url": "ftp://example.com/"},
    "metadata": {"url": "http://169.254.169.254/latest"},
    "hexadecimal": {"url": "http://0xa9fea9fe/"},
    "mapped": {"url": "http://[::ffff:10.0.0.1]/"},
    "user": {"url": "https://ann:secret@example.com/"},
    "no type": {"event_types": []},
    "unknown type": {"event_types": ["message.exploded"]},
    "own header": {"headers": {"Webhook-Id": "1"}},
    "header injection": {"headers": {"X-A": "1\r\nX-B: 2"}},
    "two spellings": {"headers": {"X-A": "1", "x-a": "2"}},
    "foreign inbox": {"inbox_ids": ["nobody@inbox.example"]},
}


@pytest.mark.parametrize("asked", BAD.values(), ids=BAD)
def test_bad_endpoints_are_refused(api: Api, asked: dict[str, Any]) -> None:
    wanted = {"url": "https://example.com/hook", "event_types": RECEIVED} | asked
    answer = api.ask("POST", "/v0/webhooks", wanted)
    assert answer.status in (400, 404)
    assert answer.code in ("validation_error", "not_found")


def test_loopback_is_refused_unless_it_is_allowed() -> None:
    with serving() as api:
        wanted = {"url": "http://localhost:9/hook", "event_types": RECEIVED}
        answer = api.ask("POST", "/v0/webhooks", wanted)
        assert (answer.status, "egress_networks" in answer.json["fix"]) == (400, True)
