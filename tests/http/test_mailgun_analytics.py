"""Mailgun's newer statistics: metrics, logs and tags of the account, asked for in JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .api import Answer, serving
from .mailgun import DOMAIN, Mailgun

if TYPE_CHECKING:
    from collections.abc import Iterator

METRICS, LOGS, TAGS = "/v1/analytics/metrics", "/v1/analytics/logs", "/v1/analytics/tags"
OTHER = "other.example"


@pytest.fixture(scope="module")
def mailgun() -> Iterator[Mailgun]:
    with serving(domain=DOMAIN) as api:
        found = Mailgun(api)
        api.inbox(username="shop", domain=OTHER)
        found.good("POST", f"/v3/{DOMAIN}/bounces", address="dead@example.com")
        found.send(to=["ann@example.com", "ben@example.com"], **{"o:tag": ["a", "b"]})
        found.send(to="dead@example.com", **{"o:tag": "a", "v:order": "7"})
        found.good("POST", f"/v3/{OTHER}/messages", **OTHERS)
        found.settle()
        yield found


OTHERS = {"from": f"shop@{OTHER}", "to": "eve@example.com", "text": "Hi", "subject": "Other"}


def only(attribute: str, *values: str) -> dict[str, Any]:
    named = [{"label": value, "value": value} for value in values]
    return {"AND": [{"attribute": attribute, "comparator": "=", "values": named}]}


def asked(mailgun: Mailgun, path: str, **query: Any) -> Any:
    answer = mailgun.post_json(path, query)
    assert answer.status == 200, answer.body
    return answer.json


def measured(found: Any, *names: str) -> dict[str, list[Any]]:
    """Return the metrics by the values of the dimensions."""
    return {
        "/".join(d["value"] for d in item["dimensions"]): [item["metrics"][n] for n in names]
        for item in found["items"]
    }


def test_metrics_by_domain(mailgun: Mailgun) -> None:
    names = ("accepted_count", "delivered_count", "suppressed_bounces_count")
    found = asked(
        mailgun, METRICS, dimensions=["domain"], metrics=list(names), include_aggregates=True
    )
    assert measured(found, *names) == {DOMAIN: [3, 2, 1], OTHER: [1, 1, 0]}
    assert found["aggregates"]["metrics"] == dict(zip(names, (4, 3, 1), strict=True))


def test_metrics_by_tag_count_a_message_for_each_of_its_tags(mailgun: Mailgun) -> None:
    found = asked(mailgun, METRICS, dimensions=["tag"], metrics=["accepted_count"])
    assert measured(found, "accepted_count") == {"a": [3], "b": [2]}
    only_b = {"dimensions": ["tag"], "metrics": ["accepted_count"], "filter": only("tag", "b")}
    assert measured(asked(mailgun, METRICS, **only_b), "accepted_count") == {"b": [2]}


def test_metrics_by_time_show_every_stretch(mailgun: Mailgun) -> None:
    found = asked(mailgun, METRICS, dimensions=["time"], metrics=["sent_count"], duration="2d")
    counts = [item["metrics"]["sent_count"] for item in found["items"]]
    assert (counts, found["resolution"]) == ([0, 0, 3], "day")
    assert found["items"][0]["dimensions"][0]["value"] == found["start"]


@pytest.mark.parametrize("path", [METRICS, LOGS])
def test_an_end_that_leaves_no_room_for_a_start_is_refused(mailgun: Mailgun, path: str) -> None:
    answer = mailgun.post_json(path, {"end": "-62135596799"})
    assert answer.status == 400 and "end parameter is too long ago" in answer.body.decode()


def test_rates_are_parts_of_one(mailgun: Mailgun) -> None:
    names = ["delivered_rate", "opened_rate", "permanent_fail_rate"]
    query = {"metrics": names, "filter": only("domain", DOMAIN), "dimensions": []}
    found = asked(mailgun, METRICS, **query)
    assert found["items"][0]["metrics"] == dict(
        zip(names, ("1.0000", "0.0000", "0.5000"), strict=True)
    )


def test_logs_are_of_all_domains_and_filtered(mailgun: Mailgun) -> None:
    everything = asked(mailgun, LOGS, events=["accepted"])["items"]
    found = asked(mailgun, LOGS, events=["accepted"], filter=only("tag", "a"))["items"]
    assert {item["domain"]["name"] for item in everything} == {DOMAIN, OTHER}
    assert [item["recipient"][:4] for item in found] == ["dead", "ben@", "ann@"]
    assert json.loads(found[0]["user-variables"]) == {"order": "7"}
    assert found[0]["@timestamp"].endswith("Z")


@pytest.mark.parametrize("text", ["a\0", "\ud800", "%", '"', "x" * 5_000])
@pytest.mark.parametrize("attribute", ["domain", "event", "from", "recipient", "subject", "tag"])
def test_no_text_that_is_looked_for_is_too_odd(mailgun: Mailgun, attribute: str, text: str) -> None:
    answer = mailgun.post_json(LOGS, {"filter": only(attribute, text)})
    assert answer.status == (400 if attribute == "event" else 200)


def test_tokens_lead_through_the_log(mailgun: Mailgun) -> None:
    def page(token: str = "") -> tuple[list[str], dict[str, str]]:
        paging = {"sort": "timestamp:asc", "limit": 4, "token": token}
        found = asked(mailgun, LOGS, pagination=paging)
        return [item["id"] for item in found["items"]], found["pagination"]

    everything = [item["id"] for item in asked(mailgun, LOGS)["items"]][::-1]
    first, tokens = page()
    second, after = page(tokens["next"])
    assert [*first, *second] == everything[:8]
    assert (page(after["previous"])[0], page(after["last"])[0]) == (first, everything[-4:])


def test_tags_of_the_account(mailgun: Mailgun) -> None:
    found = asked(mailgun, TAGS, pagination={"sort": "tag:asc", "limit": 1})
    assert (found["items"][0]["tag"], found["pagination"]["total"]) == ("a", 2)
    mailgun.good("PUT", TAGS, tag="b", description="second")
    assert mailgun.good("GET", f"/v3/{DOMAIN}/tags/b")["description"] == "second"
    mailgun.good("DELETE", f"{TAGS}?tag=b")
    assert [item["tag"] for item in asked(mailgun, TAGS)["items"]] == ["a"]
    assert mailgun.ask("DELETE", f"{TAGS}?tag=b").status == 404


WRONG: dict[str, tuple[str, Any]] = {
    "no object": (METRICS, []),
    "an unknown dimension": (METRICS, {"dimensions": ["country"]}),
    "a dimension twice": (METRICS, {"dimensions": ["tag", "tag"]}),
    "an unknown metric": (METRICS, {"metrics": ["seed_test_count"]}),
    "metrics of a wrong type": (METRICS, {"metrics": [7]}),
    "an unknown attribute": (METRICS, {"filter": only("country", "DE")}),
    "no comparator": (METRICS, {"filter": {"AND": [{"attribute": "tag", "values": ["a"]}]}}),
    "no values": (METRICS, {"filter": only("domain")}),
    "no conditions": (METRICS, {"filter": {"AND": "x"}}),
    "no filter": (LOGS, {"filter": ["x"]}),
    "an unknown event": (LOGS, {"events": ["exploded"]}),
    "a wrong order": (LOGS, {"pagination": {"sort": "event:asc"}}),
    "a foreign token": (LOGS, {"pagination": {"token": "abc"}}),
    "a page of no kind": (LOGS, {"pagination": "x"}),
    "a negative page": (TAGS, {"pagination": {"skip": -1}}),
    "no order": (TAGS, {"pagination": {"sort": "size:asc"}}),
}


@pytest.mark.parametrize(("path", "query"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_asked(mailgun: Mailgun, path: str, query: Any) -> None:
    answer: Answer = mailgun.post_json(path, query)
    assert (answer.status, list(answer.json)) == (400, ["message"])
