"""Tags and statistics by the Mailgun facade: counts that agree with the list of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.tokens import row_id

from .api import Api, serving
from .mailgun import DOMAIN, Mailgun, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

TAGS, STATS = f"/v3/{DOMAIN}/tags", f"/v3/{DOMAIN}/stats/total"
TWO = ["ann@example.com", "ben@example.com"]


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as running:
        mailgun = Mailgun(running)
        mailgun.good("POST", f"/v3/{DOMAIN}/bounces", address="dead@example.com")
        mailgun.send(to=TWO, **{"o:tag": ["news", "spring/2026"]})
        mailgun.send(to=["dead@example.com"], **{"o:tag": "news"})
        mailgun.send(**{"o:tag": "orders"})
        running.arrive(f"shop@{DOMAIN}")
        mailgun.settle()
        yield running


@pytest.fixture
def mailgun(api: Api) -> Mailgun:
    return Mailgun(api)


def names(found: Any) -> list[str]:
    return [item["tag"] for item in found["items"]]


def test_tags_are_those_of_what_was_sent(mailgun: Mailgun) -> None:
    found = mailgun.good("GET", TAGS)
    assert names(found) == ["news", "orders", "spring/2026"]
    assert found["items"][0]["first-seen"] <= found["items"][0]["last-seen"]
    assert names(mailgun.good("GET", TAGS, prefix="s")) == ["spring/2026"]


def test_pages_lead_through_tags_and_back(mailgun: Mailgun) -> None:
    def page(url: str) -> tuple[list[str], dict[str, str]]:
        found = mailgun.good("GET", url.removeprefix(mailgun.api.url))
        return names(found), found["paging"]

    first, paging = page(f"{TAGS}?limit=2")
    second, after = page(paging["next"])
    assert (first, second) == (["news", "orders"], ["spring/2026"])
    assert (page(after["previous"])[0], page(after["last"])[0]) == (first, ["orders", *second])


@pytest.mark.parametrize("one", [f"{TAGS}/spring%2F2026", f"/v3/{DOMAIN}/tag?tag=spring/2026"])
def test_a_tag_is_described(mailgun: Mailgun, one: str) -> None:
    assert mailgun.good("PUT", one, description=one)["message"] == "Tag updated"
    assert mailgun.good("GET", one)["description"] == one


def test_a_deleted_tag_comes_back_when_it_is_used(mailgun: Mailgun) -> None:
    mailgun.send(**{"o:tag": "once"})
    mailgun.good("DELETE", f"{TAGS}/once")
    assert mailgun.ask("GET", f"{TAGS}/once").status == 404
    mailgun.send(**{"o:tag": "once"})
    assert mailgun.good("GET", f"{TAGS}/once")["tag"] == "once"


def total(found: Any, name: str) -> int:
    return sum(stretch[name]["total"] for stretch in found["stats"])


def test_a_tag_counts_as_the_list_of_events_does(mailgun: Mailgun) -> None:
    found = mailgun.good("GET", f"{TAGS}/news/stats", event=["accepted", "delivered", "failed"])
    assert (total(found, "accepted"), total(found, "delivered"), found["tag"]) == (3, 2, "news")
    failed = [stretch["failed"]["permanent"] for stretch in found["stats"]]
    assert [sum(f[key] for f in failed) for key in ("suppress-bounce", "bounce", "total")] == [
        1,
        0,
        1,
    ]


@pytest.mark.parametrize("name", ["accepted", "delivered", "failed", "stored", "opened"])
def test_statistics_agree_with_the_list_of_events(mailgun: Mailgun, name: str) -> None:
    mailgun.settle()
    listed = mailgun.good("GET", f"/v3/{DOMAIN}/events", event=name)["items"]
    found = mailgun.good("GET", STATS, event=name)
    everywhere = mailgun.good("GET", "/v3/stats/total", event=name)
    counted = found["stats"][-1][name]
    assert counted.get("total", counted.get("permanent", {}).get("total")) == len(listed)
    assert everywhere["stats"] == found["stats"]


def test_readers_are_counted_once(api: Api, mailgun: Mailgun) -> None:
    sent = mailgun.send(to="eve@example.com")
    inbox = f"shop@{DOMAIN}"
    message = mailgun.message(sent)["inboxkit"]["id"]
    for _ in range(3):
        api.runner.call(opened, api, inbox, row_id("msg", message), "eve@example.com")
    found = mailgun.good("GET", STATS, event="opened")
    assert found["stats"][-1]["opened"] == {"total": 3, "unique": 1}


SPANS: dict[str, tuple[dict[str, Any], str, int]] = {
    "a week": ({}, "day", 8),
    "a day by hours": ({"duration": "24h"}, "hour", 25),
    "two months": ({"duration": "2m"}, "month", 3),
    "by the month": ({"start": "Thu, 01 Jan 2026 00:00:00 UTC", "resolution": "month"}, "month", 0),
    "to the second": (
        {"start": "1700000000", "end": "1700003600", "resolution": "hour"},
        "hour",
        2,
    ),
}


@pytest.mark.parametrize(("asked", "resolution", "count"), SPANS.values(), ids=SPANS)
def test_the_time_that_is_counted(
    mailgun: Mailgun, asked: dict[str, Any], resolution: str, count: int
) -> None:
    found = mailgun.good("GET", STATS, event="accepted", **asked)
    assert found["resolution"] == resolution
    assert not count or len(found["stats"]) == count
    assert found["stats"][0]["time"] == found["start"]


WRONG: dict[str, dict[str, Any]] = {
    "no event": {},
    "an unknown event": {"event": "exploded"},
    "an unknown resolution": {"event": "opened", "resolution": "year"},
    "no duration": {"event": "opened", "duration": "long"},
    "no time at all": {"event": "opened", "duration": "0d"},
    "too many stretches": {"event": "opened", "start": "0", "resolution": "hour"},
    "backwards": {"event": "opened", "start": "1700000000", "end": "1600000000"},
    "a time before time": {"event": "opened", "start": "-62135596800", "resolution": "month"},
    "an end before time": {"event": "opened", "end": "-62135596799"},
    "a duration before time": {"event": "opened", "end": "-62135596799", "duration": "2d"},
    "not a number": {"event": "opened", "start": "nan"},
}


@pytest.mark.parametrize("asked", WRONG.values(), ids=WRONG)
def test_what_cannot_be_counted(mailgun: Mailgun, asked: dict[str, Any]) -> None:
    answer = mailgun.ask("GET", STATS, **asked)
    assert (answer.status, list(answer.json)) == (400, ["message"])
