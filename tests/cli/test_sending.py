"""``send``, ``reply`` and ``receive``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .mails import mail

if TYPE_CHECKING:
    from inboxkit.testing import Mailbox

    from .conftest import Command

SEND = ("send", "--from", "shop@inbox.example", "--to", "ann@example.com")


def test_send_says_what_became_of_it(inboxkit: Command) -> None:
    done = inboxkit(*SEND, "-s", "Size?", "--text", "Which size?", "--tag", "size")
    number, state = done.out.split()
    assert (done.code, state) == (0, "accepted")
    (whole,) = inboxkit.rows("show", number)
    assert (whole["subject"], whole["text"], whole["tag"]) == ("Size?", "Which size?", "size")
    assert (whole["direction"], whole["to"]) == ("outbound", ["ann@example.com"])


def test_the_text_comes_from_standard_input_as_utf8(inboxkit: Command) -> None:
    sent = inboxkit(*SEND, stdin="Grüße\n".encode()).out.split()[0]
    assert inboxkit("show", sent, "--text").out == "Grüße\n\n"


def test_html_files_and_recipients(inboxkit: Command) -> None:
    (inboxkit.folder / "größe.txt").write_text("M")
    files = ("--attach", "größe.txt", "--cc", "bob@example.com", "--bcc", "eve@example.com")
    (sent,) = inboxkit.rows(*SEND, "--html", "<p>Hello</p>", *files)
    (whole,) = inboxkit.rows("show", sent["id"])
    assert whole["html"].strip() == "<p>Hello</p>"
    assert [(a["filename"], a["size"]) for a in whole["attachments"]] == [("größe.txt", 1)]
    assert whole["rcpt_to"] == ["ann@example.com", "bob@example.com", "eve@example.com"]
    assert whole["cc"] == ["bob@example.com"]


def test_the_same_key_sends_once(inboxkit: Command) -> None:
    first = inboxkit(*SEND, "--text", "x", "--key", "order-42").out
    assert inboxkit(*SEND, "--text", "x", "--key", "order-42").out == first
    other = inboxkit(*SEND, "--text", "y", "--key", "order-42")
    assert (other.code, other.out) == (1, "")
    assert "order-42" in other.err
    assert len(inboxkit.rows("messages")) == 1


def test_a_send_for_later_waits(inboxkit: Command) -> None:
    done = inboxkit(*SEND, "--text", "x", "--at", "2099-01-31T12:00+01:00")
    assert done.out.endswith(" scheduled\n")


def test_a_refused_send_exits_1(inboxkit: Command, mailbox: Mailbox) -> None:
    mailbox.fail_next(550)
    relay = {"smtp.host": mailbox.host, "smtp.port": str(mailbox.port), "smtp.tls": "none"}
    flags = [flag for key, value in relay.items() for flag in ("--set", f"{key}={value}")]
    settings = ("--domain", "shop.example", "--provider", "smtp", *flags)
    send = ("send", "--from", "shop@shop.example", "--to", "ann@example.com", "--text", "x")
    done = inboxkit(*settings, *send)
    assert done.code == 1
    assert done.out.split()[1] in ("failed", "rejected", "bounced")
    assert "inboxkit events --message msg_" in done.err
    assert inboxkit(*settings, *send).code == 0


def test_reply_goes_into_the_thread(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "shop@inbox.example")
    inboxkit("receive", "--to", "shop@inbox.example", stdin=mail())
    assert inboxkit("wait", "shop@inbox.example").code == 0
    (asked,) = inboxkit.rows("messages")
    (answer,) = inboxkit.rows("reply", asked["id"], "--text", "Here I am.")
    assert (answer["subject"], answer["to"]) == ("Re: Hello", ["ann@example.com"])
    assert answer["thread_id"] == asked["thread_id"]


def test_forward_sends_a_message_on_as_an_attachment(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "shop@inbox.example")
    inboxkit("receive", "--to", "shop@inbox.example", stdin=mail())
    assert inboxkit("wait", "shop@inbox.example").code == 0
    (asked,) = inboxkit.rows("messages")
    (sent,) = inboxkit.rows("forward", asked["id"], "--to", "boss@example.com", "--text", "See.")
    assert (sent["subject"], sent["to"]) == ("Fwd: Hello", ["boss@example.com"])
    raw = inboxkit("show", sent["id"], "--raw").out
    assert "See." in raw and "Content-Type: message/rfc822" in raw
    assert "Is anybody there?" in raw
    assert inboxkit("forward", asked["id"], "--to", "boss").code == 2


def test_receive_stores_before_it_ends(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "a@inbox.example", "--alias", "b@shop.example")
    to = ("--to", "a+tag@inbox.example", "--to", "b@shop.example")
    done = inboxkit("receive", *to, stdin=mail())
    assert (done.code, done.out, done.err) == (0, "", "stored for 1 inbox\n")
    assert [row["state"] for row in inboxkit.rows("messages")] == ["stored"]


@pytest.mark.parametrize(
    ("flags", "raw", "sender"),
    [
        (("--mail-from", "bob@example.com"), mail(), "bob@example.com"),
        (("--mail-from", "<>"), mail(), ""),
        ((), mail(), "ann@example.com"),
        ((), b"Return-Path: <eve@example.com>\n" + mail(), "eve@example.com"),
        ((), b"Return-Path: <>\n" + mail(), ""),
        ((), b"nothing", ""),
    ],
    ids=["given", "null", "from", "return-path", "null-return-path", "nobody"],
)
def test_receive_knows_the_envelope_sender(
    inboxkit: Command, flags: tuple[str, ...], raw: bytes, sender: str
) -> None:
    inboxkit("inbox", "create", "a@inbox.example")
    inboxkit("receive", "--to", "a@inbox.example", *flags, stdin=raw)
    (row,) = inboxkit.rows("messages")
    assert inboxkit.rows("show", row["id"])[0]["mail_from"] == sender


@pytest.mark.parametrize(
    ("before", "code", "says"),
    [
        ((), 67, "no inbox takes mail for nobody@inbox.example"),
        (("--config", "nosuch.toml"), 75, "try again later"),
        (("--database", "sqlite:////proc/nosuch/inboxkit.db"), 75, "try again later"),
    ],
    ids=["unknown", "settings", "database"],
)
def test_receive_tells_a_mail_server_what_to_do(
    inboxkit: Command, before: tuple[str, ...], code: int, says: str
) -> None:
    done = inboxkit(*before, "receive", "--to", "nobody@inbox.example", stdin=mail())
    assert (done.code, done.out) == (code, "")
    assert says in done.err


def test_receive_bounces_nothing_where_there_is_no_database(bare: Command) -> None:
    done = bare("receive", "--to", "ann@inbox.example", stdin=mail())
    assert (done.code, "no database at" in done.err) == (75, True)
    assert list(bare.folder.iterdir()) == []
    anybody = bare("--set", "any_recipient=yes", "receive", "--to", "a@b.example", stdin=mail())
    assert anybody.code == 0
