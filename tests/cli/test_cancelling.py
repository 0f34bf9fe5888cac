"""``inboxkit cancel``: a send that is taken back before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Command

SEND = ("send", "--from=shop@inbox.example", "--to=ann@example.com", "--text=Soon")


def test_what_is_scheduled_is_taken_back(inboxkit: Command) -> None:
    sent = inboxkit(*SEND, "--at", "2099-01-31T12:00Z").out.split()[0]
    done = inboxkit("cancel", sent)
    assert (done.code, done.out, done.err) == (0, "", f"cancelled {sent}\n")
    assert inboxkit.rows("messages") == []
    gone = inboxkit("cancel", sent)
    assert (gone.code, gone.err) == (3, f"error: no message {sent}\n")


def test_what_has_left_stays_and_its_state_is_named(inboxkit: Command) -> None:
    sent = inboxkit(*SEND).out.split()[0]
    done = inboxkit("cancel", sent)
    assert (done.code, f"{sent}: is accepted" in done.err) == (1, True)
    assert [row["id"] for row in inboxkit.rows("messages")] == [sent]
