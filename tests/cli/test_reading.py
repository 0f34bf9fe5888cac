"""``messages``, ``show``, ``thread``, ``events``, ``runs``: for people and for programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from .mails import ECHO, mail, write_handler, write_mail
from .processes import Process

if TYPE_CHECKING:
    from .conftest import Command

FIELDS = {
    "id",
    "message_id",
    "thread_id",
    "thread_reason",
    "subject",
    "from",
    "direction",
    "state",
    "kind",
    "received_at",
}


@pytest.fixture
def filled(inboxkit: Command) -> Command:
    """Three mails in one inbox, the last one with everything that is hard to print."""
    write_mail(inboxkit.folder / "in" / "1.eml", 1, subject="First")
    write_mail(inboxkit.folder / "in" / "2.eml", 2, subject="Code", text="Your code is 482913.")
    hard = {"subject": "Grüße\u2028\x1b[2J", "text": "one\u2028two\x85 \x1b]0;title\x07"}
    write_mail(inboxkit.folder / "in" / "3.eml", 3, **hard)
    assert inboxkit("import", "--inbox", "a@inbox.example", "in").code == 0
    return inboxkit


def newest(inboxkit: Command) -> dict[str, Any]:
    return inboxkit.rows("messages", "--limit", "1")[0]


def test_messages_are_listed_newest_first_with_the_fixed_fields(filled: Command) -> None:
    rows = filled.rows("messages", "--limit", "0")
    assert [row["message_id"] for row in rows] == [f"<{n}@example.com>" for n in (3, 2, 1)]
    assert all(row.keys() >= FIELDS for row in rows)
    assert rows[2]["received_at"] == "2026-03-02T10:00:01.000Z"
    assert {row["state"] for row in rows} == {"parsed"}
    assert {row["kind"] for row in rows} == {"human"}


def test_a_limit_that_is_no_number_of_a_database_is_refused(filled: Command) -> None:
    assert [filled(what, "--limit", "9" * 20).code for what in ("messages", "events")] == [2, 2]


def test_messages_can_be_limited_and_searched(filled: Command) -> None:
    assert len(filled.rows("messages", "--limit", "2")) == 2
    assert [r["subject"] for r in filled.rows("messages", "-q", "subject:first")] == ["First"]
    assert len(filled.rows("messages", "--inbox", "a@inbox.example", "-q", "-has:otp")) == 2


def test_lists_for_people_hold_no_control_characters(filled: Command) -> None:
    out = filled("messages").out
    assert out.count("\n") == len(out.splitlines()) == 3
    assert "\x1b" not in out + filled("show", newest(filled)["id"]).out


def test_show_says_all_or_a_part(filled: Command) -> None:
    wanted = filled.rows("messages", "-q", "has:otp")[0]["id"]
    (whole,) = filled.rows("show", wanted)
    assert (whole["otp"], whole["mail_from"]) == ("482913", "ann@example.com")
    assert filled("show", wanted, "--text").out == "Your code is 482913.\n\n"
    assert "Subject: Code\n" in filled("show", wanted, "--headers").out
    assert "from: ann@example.com\n" in filled("show", wanted).out
    assert (
        filled("show", wanted, "--raw").out
        == mail(2, subject="Code", text="Your code is 482913.").decode()
    )


def test_a_thread_shows_both_sides(filled: Command) -> None:
    message = newest(filled)
    filled("reply", message["id"], "--text", "We have it.")
    (thread,) = filled.rows("thread", message["thread_id"])
    assert [m["direction"] for m in thread["messages"]] == ["inbound", "outbound"]
    assert "We have it." in filled("thread", message["thread_id"]).out


def test_events_are_the_last_ones_or_those_after_a_cursor(filled: Command) -> None:
    everything = filled.rows("events")
    assert [row["type"] for row in everything] == ["received"] * 3
    assert filled.rows("events", "--limit", "1") == everything[-1:]
    assert filled.rows("events", "--after", everything[0]["id"], "--limit", "1") == everything[1:2]
    of_last = filled.rows("events", "--message", everything[2]["message"], "--limit", "0")
    assert of_last == everything[2:]
    assert filled("events").out.count("\treceived\t") == 3


def test_events_follow_what_another_process_does(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "a@inbox.example")
    with Process(inboxkit.folder, "events", "--follow", "--json") as following:
        inboxkit("send", "--from", "a@inbox.example", "--to", "b@x.org", "--text", "x")
        following.line('"type": "queued"')
        following.line('"type": "accepted"')


def test_runs_are_listed_with_what_became_of_them(inboxkit: Command) -> None:
    write_handler(inboxkit.folder)
    write_mail(inboxkit.folder / "1.eml")
    inboxkit("import", "--inbox", "echo@inbox.example", "--dispatch", "1.eml")
    (row,) = inboxkit.rows("runs")
    assert (row["handler"], row["state"], row["attempts"]) == ("handlers.echo.echo", "done", 1)
    assert inboxkit.rows("runs", "--message", row["message"]) == [row]
    assert inboxkit.rows("runs", "--failed") == inboxkit.rows("runs", "--state", "pending") == []
    assert inboxkit("runs").out.startswith(f"{row['id']}\tdone\t")


def test_a_run_that_failed_says_why(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, ECHO.replace('"You wrote: " + ', "message.nothing + "))
    write_mail(inboxkit.folder / "1.eml")
    inboxkit("import", "--inbox", "echo@inbox.example", "--dispatch", "1.eml")
    (row,) = inboxkit.rows("runs")
    raised = "AttributeError: 'Message' object has no attribute 'nothing'"
    assert inboxkit("runs").out.endswith(f"\t{raised}\n")
    whole = inboxkit("runs", row["id"]).out
    assert f"id: {row['id']}\nstate: {row['state']}\n" in whole
    assert "message.nothing + message.text" in whole
    assert whole.endswith(f"{raised}\n")
    assert inboxkit.rows("runs", row["id"]) == [row]


@pytest.mark.parametrize("unknown", ["run_0000000000001", "x"])
def test_a_run_that_there_is_not(inboxkit: Command, unknown: str) -> None:
    done = inboxkit("runs", unknown)
    assert (done.code, done.out, done.err) == (3, "", f"error: no Run {unknown}\n")


def test_events_on_a_terminal_are_one_table(
    filled: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [row["id"] for row in filled.rows("events")]
    monkeypatch.setenv("TERM", "dumb")  # no bold letters
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert [line.split()[0] for line in filled("events").out.splitlines()] == ["id", *ids]
