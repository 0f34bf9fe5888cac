"""``--url``: reading, sending and waiting on a server, and what other commands say to it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.http.api import Api

    from .conftest import Command

ADDRESS = "a@inbox.example"


def test_waits_print_only_the_value(there: Command, api: Api) -> None:
    api.arrive("w@inbox.example", "Your code is 482913.")
    assert there("otp", "w@inbox.example").out == "482913\n"
    late = there("otp", "w@inbox.example", "--timeout", "0.05")
    assert (late.code, late.out) == (4, "") and "arrived: 'Question'" in late.err
    assert not (there.folder / "inboxkit.db").exists()


def test_a_message_is_sent_answered_and_shown(there: Command) -> None:
    (sent,) = there.rows("send", "--from", ADDRESS, "--to", "ann@example.com", "--text", "Size?")
    assert sent["state"] in ("accepted", "sent")
    (answer,) = there.rows("reply", sent["id"], "--text", "Still?", "--key", "k1")
    assert answer["thread_id"] == sent["thread_id"]
    (passed_on,) = there.rows("forward", sent["id"], "--to", "ben@example.com")
    assert passed_on["to"] == ["ben@example.com"]
    assert there("show", sent["id"], "--text").out.strip() == "Size?"
    assert b"Size?" in there("show", sent["id"], "--raw").out.encode()
    (thread,) = there.rows("thread", sent["thread_id"])
    assert [m["id"] for m in thread["messages"]] == [sent["id"], answer["id"]]


def test_a_send_for_later_is_taken_back(there: Command) -> None:
    draft = ("send", "--from", ADDRESS, "--to", "ann@example.com", "--text", "Soon")
    (sent,) = there.rows(*draft, "--at", "2099-01-31T12:00Z")
    assert there("cancel", sent["id"]).code == 0
    assert there("show", sent["id"]).code == there("cancel", sent["id"]).code == 3
    (sent,) = there.rows(*draft)
    left = there("cancel", sent["id"])
    assert (left.code, "only what is still scheduled" in left.err) == (1, True)


@pytest.mark.parametrize(("sender", "to"), [("bad", "b@example.com"), (ADDRESS, "bad")])
def test_what_is_no_address_is_wrong_use(there: Command, sender: str, to: str) -> None:
    done = there("send", "--from", sender, "--to", to, "--text", "x")
    assert done.code == 2 and "'bad'" in done.err


def test_an_address_may_end_with_the_version_of_the_api(there: Command, api: Api) -> None:
    for end in ("/v0", "/v0/"):
        assert there("--url", api.url + end, "messages", "--limit", "1").code == 0


def test_lists_are_as_on_the_database(there: Command, api: Api) -> None:
    came = [api.arrive("l@inbox.example", subject=f"Nr {n}") for n in range(3)]
    listed = there.rows("messages", "--inbox", "l@inbox.example", "--limit", "2")
    assert [row["id"] for row in listed] == [came[2].id, came[1].id]
    assert {"thread_reason", "direction", "kind", "received_at"} <= set(listed[0])
    (event,) = there.rows("events", "--message", came[0].id)
    assert (event["type"], event["subject"]) == ("received", "Nr 0")
    after = there.rows("events", "--after", event["id"], "--limit", "1")
    assert [row["message"] for row in after] == [came[1].id]
    assert [row["message"] for row in there.rows("events", "--limit", "1")] == [came[2].id]


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (("show", "msg_none"), 3, "msg_none"),
        (("thread", "thd_none"), 3, "thd_none"),
        (("messages", "-q", "nonsense:1"), 2, "nonsense"),
        (("purge", "--keep", "1", "--inbox", ADDRESS, "--yes"), 2, "works on a database"),
        (("--database", "sqlite:///x.db", "messages"), 2, "one of them"),
    ],
    ids=["no message", "no thread", "bad query", "a command of the database", "both"],
)
def test_what_fails_exits_as_on_the_database(
    there: Command, command: tuple[str, ...], code: int, words: str
) -> None:
    done = there(*command)
    assert done.code == code and words in done.err


def test_a_wrong_key_is_a_wrong_setting(there: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOXKIT_API_KEY", "guessed" * 3)
    done = there("messages")
    assert done.code == 2 and "key" in done.err


def test_a_host_that_no_link_has_is_refused(there: Command) -> None:
    done = there("link", "w@inbox.example", "--host", "https://shop.example/confirm")
    assert done.code == 2 and 'is no host: write host="shop.example"' in done.err


@pytest.mark.parametrize("command", [("messages",), ("otp", ADDRESS)])
def test_nobody_there_exits_with_5(bare: Command, command: tuple[str, ...]) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))  # bound, and nobody listens
        done = bare("--url", f"http://127.0.0.1:{found.getsockname()[1]}", *command)
    assert done.code == 5 and "nobody answers" in done.err
