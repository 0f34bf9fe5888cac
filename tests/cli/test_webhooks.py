"""``inboxkit webhook``: endpoints listed, made, shown, deleted, tried, and given events again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.egress import LOOPBACK
from inboxkit.testing import settling
from inboxkit.webhooks import verify
from tests.http.api import serving

from .conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.http.api import Api
    from tests.http.receiver import Receiver

    from .conftest import Command

HERE = ("--set", f"egress_networks={LOOPBACK[0]}")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY, any_recipient=True, egress_networks=LOOPBACK) as api:
        yield api.of(KEY)


def made(command: Command, receiver: Receiver, *flags: str) -> tuple[str, str]:
    done = command(*HERE, "webhook", "create", receiver.url, *flags)
    assert done.code == 0, done.err
    id, secret = done.out.split()
    return id, secret


def settled(api: Api, by: timedelta = timedelta(seconds=1)) -> None:
    api.runner.call(settling.advance, api.runner.kit, by, timeout=30)


@pytest.mark.parametrize("where", ["inboxkit", "there"])
def test_a_webhook_is_made_listed_shown_and_deleted(
    request: pytest.FixtureRequest, receiver: Receiver, where: str
) -> None:
    command: Command = request.getfixturevalue(where)
    id, secret = made(command, receiver, "--event", "message.bounced", "--header", "X-A: s3cret")
    row = next(row for row in command.rows("webhook", "list") if row["id"] == id)
    assert (row["url"], row["event_types"]) == (receiver.url, ["message.bounced"])
    assert (row["state"], row["last_attempt"]) == ("enabled", None)
    shown = command("webhook", "show", id).out
    assert "headers: X-A\n" in shown and "state: enabled\n" in shown
    for said in (shown, json.dumps(row), command("webhook", "show", id, "--json").out):
        assert "whsec_" not in said and "s3cret" not in said
    assert command("webhook", "show", id, "--secret").out == f"{secret}\n"
    assert command("webhook", "delete", id).code == 0
    gone = command("webhook", "show", id)
    assert (gone.code, gone.out) == (3, "") and id in gone.err


@pytest.mark.parametrize("where", ["inboxkit", "there"])
def test_an_example_is_posted_and_its_answer_printed(
    request: pytest.FixtureRequest, receiver: Receiver, where: str
) -> None:
    command: Command = request.getfixturevalue(where)
    id, secret = made(command, receiver)
    done = command(*HERE, "webhook", "test", id)
    post = receiver.next()
    event = verify(post.body, post.headers, secret)
    assert (done.code, done.out.split("\t")[:3]) == (0, [event.id, event.type, "200"])
    receiver.statuses = [500]
    refused = command(*HERE, "webhook", "test", id, "--event", "message.sent", "--json")
    assert (refused.code, refused.rows[0]["status"]) == (1, 500)
    assert "not taken: answered 500" in refused.err


def test_only_public_addresses_are_posted_to(inboxkit: Command, receiver: Receiver) -> None:
    id, _ = made(inboxkit, receiver)
    refused = inboxkit("webhook", "create", receiver.url)
    assert refused.code == 2 and "egress_networks" in refused.err
    blocked = inboxkit("webhook", "test", id)
    assert blocked.code == 1 and "not a public address" in blocked.err
    assert receiver.posts.empty()


def test_what_was_not_taken_is_posted_again(there: Command, api: Api, receiver: Receiver) -> None:
    id, _ = made(there, receiver, "--inbox", api.inbox(username="again"))
    receiver.statuses = [410]
    api.arrive("again@inbox.example")
    first = json.loads(receiver.next().body)
    settled(api)
    row = next(row for row in there.rows("webhook", "list") if row["id"] == id)
    assert (row["state"], row["last_attempt"]["status"]) == ("disabled", 410)
    off = there("webhook", "resend", id, first["event_id"])
    assert off.code == 1 and "enable it first" in off.err
    assert there("webhook", "enable", id).code == 0
    again = there("webhook", "resend", id, "--failed-since", "1h")
    assert (again.code, again.err) == (0, "queued 1\n")
    assert json.loads(receiver.next().body) == first
    settled(api)
    shown = there("webhook", "show", id).out.splitlines()
    assert [line.split("\t")[4] for line in shown if "\t" in line] == ["200", "410"]
    (failed,) = there.rows("webhook", "show", id, "--failed")[0]["attempts"]
    assert failed["status"] == 410
    assert there("webhook", "resend", id, "--failed-since", "1h").err == "queued 0\n"
    assert there("webhook", "resend", id, first["event_id"]).err == "queued 1\n"


def test_on_a_database_a_process_at_work_posts(inboxkit: Command, receiver: Receiver) -> None:
    id, _ = made(inboxkit, receiver, "--event", "message.sent")
    inboxkit("send", "--from", "a@inbox.example", "--to", "b@x.org", "--text", "x")
    (event,) = [e for e in inboxkit.rows("events") if e["type"] == "accepted"]
    done = inboxkit("webhook", "resend", id, event["id"])
    assert done.code == 0 and "queued 1" in done.err and "wait for inboxkit run" in done.err


def test_all_pages_of_attempts_are_shown(there: Command, api: Api, receiver: Receiver) -> None:
    inbox = api.inbox(username="many")
    id, _ = made(there, receiver, "--inbox", inbox)
    for _ in range(12):
        api.arrive(inbox)
    for _ in range(12):
        receiver.next()
    settled(api)
    shown = [
        len(there.rows("webhook", "show", id, "--limit", str(n))[0]["attempts"])
        for n in (0, 3, 100)
    ]
    assert shown == [12, 3, 12]


def test_those_of_an_inbox_or_a_pod_are_told_of_it_alone(
    there: Command, api: Api, receiver: Receiver
) -> None:
    inbox, pod = api.inbox(username="own"), api.good("POST", "/v0/pods", {"name": "own"})["pod_id"]
    of_inbox, of_pod = made(there, receiver, "--inbox", inbox), made(there, receiver, "--pod", pod)
    (row,) = there.rows("webhook", "list", "--inbox", inbox)
    assert (row["id"], row["inbox"]) == (of_inbox[0], inbox)
    lines = [line.split("\t") for line in there("webhook", "list").out.splitlines()]
    assert {line[0]: line[3] for line in lines}.items() >= {(of_inbox[0], inbox), (of_pod[0], pod)}


def test_a_repeated_create_makes_one(there: Command, receiver: Receiver) -> None:
    assert made(there, receiver, "--client-id", "c1") == made(there, receiver, "--client-id", "c1")


@pytest.mark.parametrize("where", ["inboxkit", "there"])
def test_webhooks_are_switched_off_and_on(
    request: pytest.FixtureRequest, receiver: Receiver, where: str
) -> None:
    command: Command = request.getfixturevalue(where)
    ids = [made(command, receiver)[0] for _ in range(2)]

    def states() -> list[str]:
        return [row["state"] for row in command.rows("webhook", "list") if row["id"] in ids]

    assert command("webhook", "disable", *ids, "ep_0000000000001").code == 3
    assert states() == ["enabled", "enabled"]
    assert command("webhook", "disable", *ids).code == 0
    assert states() == ["disabled", "disabled"]
    assert command("webhook", "enable", *ids).code == 0
    assert states() == ["enabled", "enabled"]


UNKNOWN = "ep_0000000000001"
WRONG: dict[str, Any] = {
    "unknown event type": (
        ("create", "https://example.com/", "--event", "sent"),
        2,
        "message.sent",
    ),
    "no header": (("create", "https://example.com/", "--header", "X-A"), 2, "NAME: VALUE"),
    "no URL": (("create", "ftp://example.com/"), 2, "http://"),
    "inbox and pod": (
        ("create", "https://e.com/", "--inbox", "a@b.c", "--pod", "p"),
        2,
        "not both",
    ),
    "no inbox": (("create", "https://example.com/", "--inbox", "no@inbox.example"), 3, "Inbox"),
    "nothing to resend": (("resend", UNKNOWN), 2, "--failed-since"),
    "no time": (("resend", UNKNOWN, "--failed-since", "soon"), 2, "2h"),
    "unknown": (("show", UNKNOWN), 3, UNKNOWN),
    "unknown to test": (("test", UNKNOWN), 3, UNKNOWN),
    "unknown to delete": (("delete", UNKNOWN), 3, UNKNOWN),
}


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(
    inboxkit: Command, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = inboxkit("webhook", *arguments)
    assert (done.code, done.out) == (code, "") and words in done.err


def test_an_event_that_is_not_there_is_said(there: Command, receiver: Receiver) -> None:
    id, _ = made(there, receiver)
    done = there("webhook", "resend", id, "evt_0zzzzzzzzzzzz")
    assert done.code == 3 and "1 of these events" in done.err


def test_without_a_database_only_create_makes_one(bare: Command) -> None:
    assert bare("webhook", "list").code == 3
    assert not (bare.folder / "inboxkit.db").exists()
    assert bare("webhook", "create", "https://example.com/hook").code == 0
    assert [row["url"] for row in bare.rows("webhook", "list")] == ["https://example.com/hook"]
