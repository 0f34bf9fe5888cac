"""Runs, explanations, suppressions and metrics over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import Message, Router
from inboxkit.testing import settling

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "k" * 20


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    router = Router()

    @router.on_message(to="bot@*")
    async def answer(message: Message) -> None:
        await message.reply("Thanks", key=f"thanks-{message.id}")

    @router.on_message(to="broken@*")
    async def broken(message: Message) -> None:
        raise ValueError(message.id)

    with serving(api_key=KEY) as server:
        server.runner.call(server.runner.kit.runtime.include, router)
        yield server.of(KEY)


def handled(api: Api, name: str, **given: Any) -> tuple[str, Message]:
    inbox = api.ask("POST", "/v0/inboxes", {"username": name, "client_id": name}).json["inbox_id"]
    came = api.arrive(inbox, **given)
    settle(api)
    return inbox, came


def settle(api: Api) -> None:
    api.runner.call(settling.settle, api.runner.kit, timeout=30)


def test_runs_tell_what_became_of_handlers(api: Api) -> None:
    inbox, came = handled(api, "bot")
    _, failing = handled(api, "broken")

    (run,) = api.good("GET", f"/v0/inboxes/{inbox}/runs?message_id={came.id}")["runs"]
    assert (run["state"], run["attempts"], run["message_id"]) == ("done", 1, came.id)
    assert run["handler"].endswith("answer") and run["inbox_id"] == inbox
    assert api.good("GET", f"/v0/runs/{run['run_id']}") == run
    (retrying,) = api.good("GET", f"/v0/runs?message_id={failing.id}")["runs"]
    assert retrying["state"] == "retrying" and "ValueError" in retrying["error"]
    assert came.id not in str(api.good("GET", "/v0/runs?state=failed"))


def test_a_replay_sends_nothing_twice(api: Api) -> None:
    inbox, came = handled(api, "bot")
    (run,) = api.good("GET", f"/v0/runs?message_id={came.id}")["runs"]
    sent = f"/v0/inboxes/{inbox}/messages?labels=sent"
    before = api.good("GET", sent)["count"]

    assert api.good("POST", f"/v0/runs/{run['run_id']}/replay", {}) == {
        "replayed": 1,
        "under_way": 0,
    }
    settle(api)

    assert api.good("GET", f"/v0/runs/{run['run_id']}")["state"] == "done"
    assert api.good("GET", sent)["count"] == before
    assert api.good("POST", "/v0/runs/replay", {"handler": "none"}) == {
        "replayed": 0,
        "under_way": 0,
    }


def test_an_explanation_names_thread_handlers_and_what_was_withheld(api: Api) -> None:
    inbox, came = handled(api, "bot")
    headers = {"Auto-Submitted": "auto-replied", "In-Reply-To": came.message_id}
    _, automatic = handled(api, "bot", headers=headers)

    first = api.good("GET", path(inbox, came, "/explain"))
    second = api.good("GET", path(inbox, automatic, "/explain"))

    assert [run["state"] for run in first["handlers"]] == ["done"]
    assert (first["thread"]["thread_id"], first["planned"]) == (came.thread_id, True)
    assert [step["event_type"] for step in first["events"]] == ["message.received"]
    assert second["kind"] == "auto_reply" and second["handlers"] == []
    assert "auto" in str(second["withheld"]).lower()
    assert second["thread"]["thread_id"] == came.thread_id and second["thread"]["reason"]


def test_suppressions_are_added_listed_and_lifted(api: Api) -> None:
    for name in ("a@example.net", "b@example.net"):
        api.good("POST", "/v0/suppressions", {"address": name.upper(), "detail": "by phone"})
    api.good("POST", "/v0/suppressions", {"address": "a@example.net", "domain": "shop.example"})

    first = api.good("GET", "/v0/suppressions?limit=2")
    rest = api.good("GET", f"/v0/suppressions?limit=2&page_token={first['next_page_token']}")

    named = [(s["address"], s.get("domain")) for s in first["suppressions"] + rest["suppressions"]]
    assert named == [
        ("a@example.net", None),
        ("a@example.net", "shop.example"),
        ("b@example.net", None),
    ]
    assert api.good("GET", "/v0/suppressions/a@example.net")["count"] == 2
    api.good("DELETE", "/v0/suppressions/a@example.net")
    assert api.ask("GET", "/v0/suppressions/a@example.net").status == 404
    assert api.ask("POST", "/v0/suppressions", {"address": "no address"}).status == 400


def test_a_key_of_a_pod_sees_no_suppressions(api: Api) -> None:
    pod = api.good("POST", "/v0/pods", {})["pod_id"]
    bound = api.of(api.good("POST", f"/v0/pods/{pod}/api-keys", {})["api_key"])
    api.good("POST", "/v0/suppressions", {"address": "c@example.net"})
    assert bound.ask("GET", "/v0/suppressions").code == "forbidden"
    assert bound.ask("POST", "/v0/suppressions", {"address": "d@example.net"}).code == "forbidden"
    assert bound.ask("DELETE", "/v0/suppressions/c@example.net").status == 404


def test_events_and_amounts_are_counted(api: Api) -> None:
    inbox = api.inbox()
    for number in range(3):
        api.arrive(inbox, f"number {number}")
    api.send(inbox)
    settle(api)

    counts = api.good("GET", f"/v0/inboxes/{inbox}/metrics/events?period=86400")
    assert {name: [b["count"] for b in found] for name, found in counts.items()} == {
        "message.received": [3],
        "message.queued": [1],
        "message.sent": [1],
    }
    named = api.good("GET", f"/v0/inboxes/{inbox}/metrics/events?event_types=message.bounced")
    assert named == {"message.bounced": []}
    amounts = api.good("GET", f"/v0/inboxes/{inbox}/metrics/usage?period=43200&descending=true")
    assert amounts["message_count"][0]["value"] == 4 and amounts["inbox_count"][0]["value"] == 1
    assert amounts["message_count"][-1]["value"] == 0
    rates = api.good("GET", f"/v0/inboxes/{inbox}/metrics/rates?rate_types=bounce&descending=true")
    assert (rates["bounce"][0]["rate"], rates["bounce"][0]["sent"], len(rates)) == (0.0, 1, 1)


BAD = [
    "start=2020-01-01T00:00:00Z",
    "start=2999-01-01T00:00:00Z",
    "end=0001-01-01T00:00:01Z",
    "period=1",
    "limit=0",
]


@pytest.mark.parametrize("query", BAD)
@pytest.mark.parametrize("kind", ["events", "usage", "rates"])
def test_metrics_that_cannot_be_are_refused(api: Api, kind: str, query: str) -> None:
    assert api.ask("GET", f"/v0/metrics/{kind}?{query}").code == "validation_error"


def test_a_monitoring_system_reads_gauges(api: Api) -> None:
    api.arrive(api.inbox())
    lines = api.ask("GET", "/metrics").body.decode().splitlines()
    gauges = dict(line.rsplit(" ", 1) for line in lines)
    assert int(gauges["inboxkit_workers"]) == 1 and int(gauges["inboxkit_events_total"]) > 0
    assert api.of("").ask("GET", "/metrics").status == 401
