"""``inboxkit inbox`` and ``inboxkit suppressions``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit import Message, Router
from inboxkit.cli.serving import without_inbox

from .mails import mail

if TYPE_CHECKING:
    from .conftest import Command


def test_create_prints_the_address(inboxkit: Command) -> None:
    assert inboxkit("inbox", "create", "Support@Inbox.Example").out == "support@inbox.example\n"
    assert inboxkit("inbox", "create").out.endswith("@inbox.example\n")


def test_create_twice_is_one_inbox(inboxkit: Command) -> None:
    (first,) = inboxkit.rows(
        "inbox", "create", "a@inbox.example", "--name", "Ä", "--alias", "b@x.org"
    )
    (again,) = inboxkit.rows("inbox", "create", "a@inbox.example")
    assert first == again
    assert (first["display_name"], first["aliases"]) == ("Ä", ["b@x.org"])
    assert [row["address"] for row in inboxkit.rows("inbox", "list")] == ["a@inbox.example"]


def test_a_client_id_finds_its_inbox(inboxkit: Command) -> None:
    made = inboxkit("inbox", "create", "--client-id", "order-42").out
    assert inboxkit("inbox", "create", "--client-id", "order-42").out == made


def test_an_alias_belongs_to_one_inbox(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "a@inbox.example", "--alias", "b@x.org")
    done = inboxkit("inbox", "create", "c@inbox.example", "--alias", "b@x.org")
    assert (done.code, done.out) == (2, "")
    assert "a@inbox.example" in done.err


def test_show_and_list_for_people(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "a@inbox.example", "--alias", "b@x.org", "--alias", "c@x.org")
    assert "aliases: b@x.org, c@x.org\n" in inboxkit("inbox", "show", "a@inbox.example").out
    assert "\tb@x.org, c@x.org\t" in inboxkit("inbox", "list").out


def test_delete_takes_the_messages_with_it_when_asked_to(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "a@inbox.example")
    inboxkit("receive", "--to", "a@inbox.example", stdin=mail())
    assert inboxkit("inbox", "delete", "a@inbox.example", stdin=b"n\n").code == 1
    assert len(inboxkit.rows("messages")) == 1
    assert inboxkit("inbox", "delete", "a@inbox.example", "--yes").code == 0
    assert inboxkit.rows("messages") == inboxkit.rows("inbox", "list") == []


def test_an_answer_that_is_no_text_is_asked_for_again(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "desk@inbox.example")
    done = inboxkit("inbox", "delete", "desk@inbox.example", stdin=b"\xff\nn\n")
    assert (done.code, "invalid input" in done.err + done.out) == (1, True)


def test_suppressions_are_listed_added_and_removed(inboxkit: Command) -> None:
    assert inboxkit("suppressions", "add", "A@x.org", "b@x.org").err == "added 2\n"
    assert inboxkit("suppressions", "add", "a@x.org", "--reason", "complaint").err == "added 0\n"
    rows = inboxkit.rows("suppressions", "list")
    assert [(row["address"], row["reason"]) for row in rows] == [
        ("a@x.org", "manual"),
        ("b@x.org", "manual"),
    ]
    assert inboxkit("suppressions", "remove", "a@x.org", "c@x.org").err == "removed 1\n"
    assert inboxkit("suppressions", "list").out.startswith("b@x.org\t")


def test_nobody_suppressed_is_written_to(inboxkit: Command) -> None:
    inboxkit("suppressions", "add", "b@x.org")
    done = inboxkit("send", "--from", "a@inbox.example", "--to", "b@x.org", "--text", "x")
    assert (done.code, done.out) == (1, "")
    assert "b@x.org (manual)" in done.err
    assert inboxkit.rows("messages") == []


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("desk@*", "desk@inbox.example"),
        ("desk@shop.example", "desk@shop.example"),
        ("box*@*", "box@inbox.example"),
        ("*@shop.example", "mail@shop.example"),
        ("box-?@*", "box-1@inbox.example"),
        ("box[ab]@*", "boxa@inbox.example"),
        ("box[!ab]@*", "ADDRESS"),
        ("desk@*.example", "desk@mail.example"),
        ("desk*", "ADDRESS"),
    ],
)
def test_of_a_pattern_without_an_inbox_an_address_is_told_that_it_takes(
    pattern: str, address: str
) -> None:
    router = Router()
    router.on_message(to=pattern)(nothing)
    told = without_inbox([router], ["help@inbox.example"], "inbox.example")
    assert list(told) == [(router, pattern, address)]


async def nothing(message: Message) -> None:
    """Take a message."""
