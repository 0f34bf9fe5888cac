"""``try``: handlers are called for a mail on a copy, and what they would send is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .mails import mail, write_handler, write_mail

if TYPE_CHECKING:
    from .conftest import Command

DESK = """\
from inboxkit import Message, Router

router = Router()


@router.on_reply(tag="size")
async def answered(message: Message) -> None:
    thread = await message.thread()
    await thread.update(size=message.reply_text)
    await message.reply(f"Thanks, {message.reply_text} it is.")


@router.on_message(to="broken@*")
async def broken(message: Message) -> None:
    await message.reply("This is not sent.")
    raise ValueError("no such order")


@router.on_message()
async def echo(message: Message) -> None:
    await message.reply("You wrote: " + message.text)
"""


@pytest.fixture
def desk(inboxkit: Command) -> Command:
    write_handler(inboxkit.folder, DESK, "desk.py")
    write_mail(inboxkit.folder / "1.eml")
    return inboxkit


def test_what_handlers_would_send_is_shown_and_nothing_stays(desk: Command) -> None:
    done = desk("try", "1.eml")
    assert done.code == 0, done.err
    assert "handlers.desk.echo: done\n" in done.out
    assert "echo@inbox.example -> ann@example.com: Re: Hello\nYou wrote: Is anybody" in done.out
    assert desk.rows("messages") == desk.rows("inbox", "list") == desk.rows("runs") == []


def test_a_mail_that_was_here_before_counts_as_new(desk: Command) -> None:
    desk("inbox", "create", "echo@inbox.example")
    assert desk("receive", "--to", "echo@inbox.example", stdin=mail()).code == 0
    write_mail(desk.folder / "2.eml", 2)
    desk("import", "--inbox", "echo@inbox.example", "2.eml")  # reads all that waits
    before = desk.rows("messages")
    assert [row["state"] for row in before] == ["parsed", "parsed"]
    (shown,) = desk.rows("try", "1.eml")
    assert [sent["text"] for sent in shown["sends"]] == ["You wrote: Is anybody there?\n"]
    assert desk.rows("messages") == before


def test_an_answer_is_handled_in_its_thread(desk: Command) -> None:
    send = ("send", "--from", "echo@inbox.example", "--to", "ann@example.com", "--tag", "size")
    (sent,) = desk.rows(*send, "--text", "Which size?")
    raw = f"In-Reply-To: {sent['message_id']}\n".encode() + mail(text="Medium.")
    (desk.folder / "1.eml").write_bytes(raw)
    (shown,) = desk.rows("try", "1.eml")
    assert (shown["thread_id"], shown["thread_state"]) == (sent["thread_id"], {"size": "Medium."})
    assert [one["handler"] for one in shown["runs"]] == ["handlers.desk.answered"]
    assert [one["text"] for one in shown["sends"]] == ["Thanks, Medium. it is."]


def test_a_handler_that_fails_is_shown_with_its_traceback(desk: Command) -> None:
    done = desk("try", "1.eml", "broken@inbox.example")
    assert done.code == 1
    assert "handlers.desk.broken: retrying\n" in done.out
    assert "ValueError: no such order\n" in done.out
    assert "not sent" not in done.out


def test_it_works_without_a_database_and_makes_none(bare: Command) -> None:
    write_mail(bare.folder / "1.eml")
    assert "no handler takes it" in bare("try", "1.eml").out
    assert not (bare.folder / "inboxkit.db").exists()


def test_a_mail_without_a_recipient_needs_an_address(desk: Command) -> None:
    (desk.folder / "1.eml").write_bytes(b"Subject: x\n\nx\n")
    done = desk("try", "1.eml")
    assert done.code == 2 and "give its address as well" in done.err


@pytest.mark.parametrize("command", [["try"], ["routes", "--mail"]], ids=" ".join)
def test_a_file_that_does_not_end_is_refused(desk: Command, command: list[str]) -> None:
    done = desk("--set", "max_message_bytes=3000000", *command, "/dev/zero", "echo@inbox.example")
    assert (done.code, done.out) == (2, "")
    assert "error: /dev/zero: larger than max_message_bytes (3000000)" in done.err
