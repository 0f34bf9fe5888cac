"""``routes``: which handlers there are, who takes a message, and why not the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .mails import ECHO, mail, write_handler, write_mail

if TYPE_CHECKING:
    from .conftest import Command

CODES = """\
from inboxkit import Attachment, Message, Otp, Router

router = Router()


@router.on_otp()
async def code(otp: Otp) -> None:
    pass


@router.on_reply(tag="size")
async def answered(message: Message) -> None:
    pass


@router.on_attachment("application/pdf")
async def keep(attachment: Attachment) -> None:
    pass


@router.on_message(to="boxes@*", when=lambda m: m.metadata["missing"])
async def picky(message: Message) -> None:
    pass
"""


@pytest.fixture
def routed(bare: Command) -> Command:
    write_handler(bare.folder)
    write_handler(bare.folder, CODES, "codes.py")
    return bare


def names(inboxkit: Command, *address: str) -> list[str]:
    return [row["handler"] for row in inboxkit.rows("routes", *address)]


def test_all_handlers_or_those_of_an_address(routed: Command) -> None:
    everywhere = ["code", "answered", "keep"]
    assert names(routed) == [*everywhere, "picky", "echo"]
    assert names(routed, "nobody@inbox.example") == everywhere
    assert names(routed, "echo+tag@inbox.example") == [*everywhere, "echo"]
    assert routed("routes").out.splitlines()[-1] == "handlers.echo\techo\tmessage\tto=echo@*"
    assert not (routed.folder / "inboxkit.db").exists()


def test_an_alias_is_its_inbox(routed: Command) -> None:
    routed("inbox", "create", "echo@inbox.example", "--alias", "help@shop.example")
    assert "echo" in names(routed, "help@shop.example")
    assert routed("routes", "help@shop.example").err == ""
    assert "inboxkit inbox create nobody@x.org" in routed("routes", "nobody@x.org").err


def test_a_mail_says_who_takes_it_and_why_not_the_others(routed: Command) -> None:
    write_mail(routed.folder / "1.eml", text="Your code is 482913.")
    (placed,) = routed.rows("routes", "--mail", "1.eml")
    assert placed["takers"] == [
        {"handler": "handlers.codes.code", "kind": "otp", "item": "code"},
        {"handler": "handlers.echo.echo", "kind": "message", "item": "message"},
    ]
    assert {other["handler"]: other["why"] for other in placed["others"]} == {
        "handlers.codes.answered": "it answers none of our messages",
        "handlers.codes.picky": "to 'echo@inbox.example' does not match 'boxes@*'",
    }
    assert (placed["thread_id"], placed["thread_reason"]) == (None, "new")
    said = routed("routes", "--mail", "1.eml").out
    assert "handlers.echo.echo takes the message\n" in said
    assert "thread: a new one (new)\n" in said


def test_a_mail_says_its_thread_and_leaves_the_database_as_it_was(routed: Command) -> None:
    send = ("send", "--from", "echo@inbox.example", "--to", "ann@example.com", "--tag", "size")
    (sent,) = routed.rows(*send, "--text", "Which size?")
    answer = write_mail(routed.folder / "1.eml", subject="Re: Which size?", text="Medium.")
    answer.write_bytes(f"In-Reply-To: {sent['message_id']}\n".encode() + answer.read_bytes())
    before = (routed.rows("messages"), routed.rows("events"), routed.rows("inbox", "list"))
    (placed,) = routed.rows("routes", "--mail", "1.eml", "echo@inbox.example")
    assert (placed["answers"], placed["thread_id"]) == (sent["id"], sent["thread_id"])
    assert placed["takers"][0]["handler"] == "handlers.codes.answered"
    assert (routed.rows("messages"), routed.rows("events"), routed.rows("inbox", "list")) == before


def test_a_mail_that_was_taken_but_not_read_yet_is_read_as_new(routed: Command) -> None:
    write_mail(routed.folder / "1.eml")
    routed("inbox", "create", "echo@inbox.example")
    assert routed("receive", "--to", "echo@inbox.example", stdin=mail()).code == 0
    (placed,) = routed.rows("routes", "--mail", "1.eml")
    assert placed["thread_reason"] == "new"
    assert [row["state"] for row in routed.rows("messages")] == ["stored"]


def test_what_is_no_address_is_said(routed: Command) -> None:
    done = routed("routes", "nobody")
    assert (done.code, done.out) == (2, "")
    assert "'nobody' is not an address" in done.err


def test_a_condition_that_fails_is_shown(routed: Command) -> None:
    write_mail(routed.folder / "1.eml")
    (placed,) = routed.rows("routes", "--mail", "1.eml", "boxes@inbox.example")
    whys = {other["handler"]: other["why"] for other in placed["others"]}
    assert whys["handlers.codes.picky"] == "its when= raised KeyError"


def test_a_mail_without_a_recipient_needs_one(routed: Command) -> None:
    (routed.folder / "1.eml").write_bytes(b"Subject: x\n\nx\n")
    done = routed("routes", "--mail", "1.eml")
    assert (done.code, done.out) == (2, "")
    assert "give its address as well" in done.err
    assert routed("routes", "--mail", "1.eml", "echo@inbox.example").code == 0


def test_overlapping_patterns_are_warned_of(routed: Command) -> None:
    write_handler(routed.folder, ECHO.replace("echo@*", "e*"), "wide.py")
    assert "handlers.echo.echo and handlers.wide.echo may both answer" in routed("routes").err


def test_another_folder_of_handlers(inboxkit: Command) -> None:
    write_handler(inboxkit.folder / "elsewhere")
    assert names(inboxkit, "--handlers", "elsewhere/handlers") == ["echo"]
    assert names(inboxkit) == []
