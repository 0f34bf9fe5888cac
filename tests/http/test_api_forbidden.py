"""A key that may not see messages with a label sees nothing of them in what is told of others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from inboxkit import Message, Router
from inboxkit.testing.settling import settle

from .api import Api, path, serving
from .mailgun import DOMAIN, Mailgun

if TYPE_CHECKING:
    from collections.abc import Iterator

ADMIN = "k" * 20
READS = {"message_read": True, "metrics_read": True, "run_read": True}
# What only the hidden message says.
SECRETS = ("eve@evil.example", "Confidential", "words of eve", "plan.txt")


@dataclass(frozen=True, slots=True)
class Partly:
    """A thread of a mail that everybody may see, and a later one that only ``admin`` may."""

    admin: Api
    key: str
    reader: Api
    inbox: str
    seen: Message
    hidden: Message


@pytest.fixture(scope="module")
def partly() -> Iterator[Partly]:
    router = Router()

    @router.on_message(to="*")
    async def keep(message: Message) -> None:
        """Make a Run for every mail."""

    with serving(api_key=ADMIN) as api:
        api.runner.call(api.runner.kit.runtime.include, router)
        admin = api.of(ADMIN)
        inbox = admin.inbox()
        seen = admin.arrive(inbox, "words of ann", subject="Lids")
        answers = {"In-Reply-To": seen.message_id}
        hidden = admin.arrive(
            inbox,
            "words of eve",
            subject="Confidential",
            sender="eve@evil.example",
            headers=answers,
            files={"plan.txt": b"plan"},
        )
        assert hidden.thread_id == seen.thread_id
        admin.good("PATCH", path(inbox, hidden), {"add_labels": ["spam"]})
        key = admin.good("POST", "/v0/api-keys", {"permissions": READS})["api_key"]
        api.runner.call(settle, api.runner.kit, timeout=30.0)
        yield Partly(admin, key, api.of(key), inbox, seen, hidden)


def told(text: str, partly: Partly) -> list[str]:
    """Return what of the hidden message is in an answer."""
    return [word for word in (*SECRETS, partly.hidden.message_id.strip("<>")) if word in text]


@pytest.mark.parametrize(
    "target",
    [
        "/v0/threads",
        "/v0/threads/search?q=lids",
        "/v0/threads/{thread}",
        "/v0/inboxes/{inbox}/threads/{thread}",
        "/v0/events?after=start",
    ],
)
def test_of_a_thread_only_what_may_be_seen_is_told(partly: Partly, target: str) -> None:
    where = target.format(thread=partly.seen.thread_id, inbox=partly.inbox)
    answer = partly.reader.ask("GET", where)
    assert (answer.status, "words of ann" in answer.body.decode()) == (200, True)
    assert told(answer.body.decode(), partly) == []
    # The other one is told of it, where it does not ask for the words of an event.
    assert "events" in target or told(partly.admin.ask("GET", where).body.decode(), partly)


def test_a_thread_is_counted_by_what_may_be_seen(partly: Partly) -> None:
    where = f"/v0/threads/{partly.seen.thread_id}"
    for api, count in ((partly.admin, 2), (partly.reader, 1)):
        found = api.good("GET", where)
        assert (found["message_count"], len(found["messages"])) == (count, count)
    assert found["last_message_id"] == found["messages"][0]["message_id"]
    assert found["size"] == partly.seen.size
    assert (found.get("attachments"), "spam" in found["labels"]) == (None, False)


@pytest.mark.parametrize("query", ["senders=eve", "subject=confidential", "labels=spam"])
def test_no_thread_is_found_by_what_is_hidden(partly: Partly, query: str) -> None:
    assert partly.admin.good("GET", f"/v0/threads?{query}")["count"] == 1
    assert partly.reader.good("GET", f"/v0/threads?{query}")["count"] == 0


def test_what_handlers_did_with_a_hidden_message_is_not_told(partly: Partly) -> None:
    runs = {run["message_id"]: run for run in partly.admin.good("GET", "/v0/runs")["runs"]}
    seen = partly.reader.good("GET", "/v0/runs")["runs"]
    assert [run["message_id"] for run in seen] == [partly.seen.id]
    target = f"/v0/runs/{runs[partly.hidden.id]['run_id']}"
    assert (partly.admin.ask("GET", target).status, partly.reader.ask("GET", target).status) == (
        200,
        404,
    )


def test_mailguns_stored_message_is_not_there_when_it_is_hidden(partly: Partly) -> None:
    items = Mailgun(partly.admin, ADMIN).good("GET", f"/v3/{DOMAIN}/events")["items"]
    keys = {item["message"]["headers"]["subject"]: item["storage"]["key"] for item in items}
    reader = Mailgun(partly.reader, partly.key)
    for subject, status in (("Lids", 200), ("Confidential", 404)):
        target = f"/v3/domains/{DOMAIN}/messages/{keys[subject]}"
        assert reader.ask("GET", target).status == status


def test_labels_that_came_to_a_hidden_message_are_not_told(partly: Partly) -> None:
    where = f"/v0/inboxes/{partly.inbox}/events"
    assert [e["label"] for e in partly.admin.good("GET", where)["events"]] == ["spam"]
    assert partly.reader.good("GET", where)["events"] == []


def counted(api: Api) -> dict[str, int]:
    """Return how many events of each type a key is told of."""
    found = api.good("GET", "/v0/metrics/events?period=86400")
    return {name: sum(one["count"] for one in series) for name, series in found.items()}


def amounts(api: Api) -> tuple[int, int, int]:
    """Return how many messages, threads and bytes a key is told of."""
    found = api.good("GET", "/v0/metrics/usage?period=86400&descending=true")
    names = ("message_count", "thread_count", "storage_bytes")
    messages, threads, size = (found[name][0]["value"] for name in names)
    return messages, threads, size


def test_a_message_that_is_hidden_is_not_counted_among_the_others(partly: Partly) -> None:
    assert counted(partly.admin) == {"message.received": 1, "message.received.spam": 1}
    assert counted(partly.reader) == {"message.received": 1}


def test_amounts_are_of_what_may_be_seen(partly: Partly) -> None:
    size = partly.seen.size
    assert amounts(partly.admin) == (2, 1, size + partly.hidden.size)
    assert amounts(partly.reader) == (1, 1, size)


@pytest.mark.parametrize("label", ["spam", "blocked", "unauthenticated", "trash"])
def test_a_thread_of_which_nothing_may_be_seen_is_not_counted(label: str) -> None:
    with serving(api_key=ADMIN) as api:
        admin = api.of(ADMIN)
        inbox = admin.inbox()
        came, seen = admin.arrive(inbox), admin.arrive(inbox)
        sent = admin.send(inbox)["message_id"]
        for one in (came, sent):
            admin.good("PATCH", path(inbox, one), {"add_labels": [label]})
        key = admin.good("POST", "/v0/api-keys", {"permissions": READS})["api_key"]
        reader = api.of(key)
        assert amounts(admin)[:2] == (3, 3)
        assert amounts(reader) == (1, 1, seen.size)
        assert counted(reader) == {"message.received": 1}
        assert "message.queued" in counted(admin)


def test_a_hidden_message_is_told_with_its_thread_to_who_may_see_it(partly: Partly) -> None:
    events = partly.admin.good("GET", "/v0/events?after=start&event_types=message.received.spam")
    [event] = events["events"]
    assert event["thread"]["preview"] == "words of eve"


def test_mailguns_log_leaves_out_what_is_hidden(partly: Partly) -> None:
    def asked(api: Api) -> str:
        log = api.ask("GET", "/v3/inbox.example/events")
        logs = api.ask("POST", "/v1/analytics/logs", {})
        assert (log.status, logs.status) == (200, 200)
        assert "Lids" in json.dumps(log.json) and "Lids" in json.dumps(logs.json)
        return f"{log.json}{logs.json}"

    assert told(asked(partly.admin), partly)
    assert told(asked(partly.reader), partly) == []
