"""Polling webhooks: events kept for who has no URL, read by a token from where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .api import Answer, Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "k" * 20


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY) as server:
        yield server.of(KEY)


@pytest.fixture
def inbox(api: Api) -> str:
    return api.inbox()


def made(api: Api, inbox: str, name: str = "agent", **asked: Any) -> Any:
    body = {"client_id": name, "event_types": ["message.received"]} | asked
    return api.good("POST", f"/v0/inboxes/{inbox}/webhooks/polling", body)


def poll(api: Api, token: str, query: str = "") -> Answer:
    return api.of(token).ask("GET", f"/v0/polling?{query}")


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [event["inboxkit"]["id"] for event in answer.json["data"]]


def test_what_was_not_acknowledged_comes_once_more(api: Api, inbox: str) -> None:
    token = made(api, inbox)["token"]
    came = [api.arrive(inbox, f"number {n}").id for n in range(3)]
    first = poll(api, token, "limit=2&wait=5")
    assert ids(first) == ids(poll(api, token, "limit=2")) == came[:2]
    assert first.json["done"] is False

    rest = poll(api, token, f"limit=2&iterator={first.json['iterator']}")
    assert (ids(rest), rest.json["done"]) == (came[2:], True)
    assert ids(poll(api, token)) == came[2:]
    poll(api, token, f"iterator={rest.json['iterator']}")
    assert ids(poll(api, token)) == []


def test_an_agent_that_starts_again_goes_on_with_a_new_token(api: Api, inbox: str) -> None:
    first = made(api, inbox)
    came = api.arrive(inbox).id
    again = made(api, inbox)
    assert again["webhook_id"] == first["webhook_id"]
    assert poll(api, first["token"]).code == "unknown_api_key"
    assert ids(poll(api, again["token"], "wait=5")) == [came]


def test_a_wait_ends_when_something_comes_and_other_types_are_not_told(
    api: Api, inbox: str
) -> None:
    token = made(api, inbox, event_types=["message.sent"])["token"]
    api.arrive(inbox)
    sent = api.send(inbox)
    assert ids(poll(api, token, "wait=5")) == [sent["inboxkit"]["id"]]


def test_it_is_found_where_it_was_made_by_both_names(api: Api, inbox: str) -> None:
    found = made(api, inbox)
    token = found.pop("token")
    where = f"/v0/inboxes/{inbox}/webhooks/polling"
    assert api.good("GET", f"{where}/agent") == api.good("GET", f"{where}/{found['webhook_id']}")
    assert api.good("GET", where)["polling_webhooks"] == [found]
    assert api.ask("GET", f"/v0/webhooks/polling/{found['webhook_id']}").status == 404
    api.good("DELETE", f"{where}/agent")
    assert api.ask("GET", f"{where}/agent").status == 404
    assert poll(api, token).status == 401


def test_a_pods_subscription_is_told_of_its_pod_alone(api: Api) -> None:
    pods = [api.good("POST", "/v0/pods", {})["pod_id"] for _ in range(2)]
    inboxes = [api.good("POST", f"/v0/pods/{pod}/inboxes", {})["inbox_id"] for pod in pods]
    body = {"client_id": "pod", "event_types": ["message.received"]}
    token = api.good("POST", f"/v0/pods/{pods[0]}/webhooks/polling", body)["token"]
    mine, _ = [api.arrive(inbox).id for inbox in inboxes]
    assert ids(poll(api, token, "wait=5")) == [mine]
    other = body | {"inbox_ids": [inboxes[1]]}
    assert api.ask("POST", f"/v0/pods/{pods[0]}/webhooks/polling", other).status == 404


def test_an_inbox_takes_its_subscriptions_with_it_and_holds_ten(api: Api) -> None:
    inbox = api.inbox()
    tokens = [made(api, inbox, f"agent-{n}")["token"] for n in range(10)]
    more = {"client_id": "agent-10", "event_types": ["message.sent"]}
    refused = api.ask("POST", f"/v0/inboxes/{inbox}/webhooks/polling", more)
    assert (refused.status, refused.code) == (403, "limit_exceeded")
    made(api, inbox, "agent-9")
    api.good("DELETE", f"/v0/inboxes/{inbox}")
    assert poll(api, tokens[0]).code == "unknown_api_key"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "wait=61", "iterator=msg_0000000000001", "iterator=x"]
)
def test_bad_questions_are_refused(api: Api, inbox: str, query: str) -> None:
    assert poll(api, made(api, inbox)["token"], query).code == "validation_error"


def test_a_token_reads_and_does_nothing_else(api: Api, inbox: str) -> None:
    token = made(api, inbox)["token"]
    assert api.of(token).ask("GET", "/v0/inboxes").code == "unknown_api_key"
    for key in ("", KEY, "guessed"):
        assert poll(api, key).code == "unknown_api_key"
    stored = api.runner.kit.runtime.store

    def dump(connection: Any) -> str:
        return str(connection.exec_driver_sql("SELECT * FROM inboxkit_subscription").all())

    assert token not in str(api.runner.call(stored.read, dump))
