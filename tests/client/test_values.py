"""What a client makes of a server's answers is what the server's own process has."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from inboxkit import File, ProviderOptions

if TYPE_CHECKING:
    from inboxkit import Message
    from inboxkit.client import Client
    from tests.http.api import Api

LINK = "https://shop.example/reset?token=a1b2c3d4e5f6"
_POINTERS = {"actions", "message", "attachments", "answers"}


def different(here: Any, there: Any) -> list[str]:
    """Return the names of the fields that differ, but for those that point elsewhere."""
    return [
        field.name
        for field in fields(there)
        if field.name not in _POINTERS
        and (
            type(getattr(here, field.name)) is not type(getattr(there, field.name))
            or getattr(here, field.name) != getattr(there, field.name)
        )
    ]


OPTIONS = ProviderOptions(
    track_opens=False,
    track_clicks=True,
    template="welcome",
    variables={"name": "Ann"},
    recipient_variables={"ben@example.com": {"name": "Ben"}},
)


def inside(api: Api, message: Message) -> Message:
    """Return the message as the server's own process has it."""
    return api.runner.call(api.runner.kit.message, message.id)


def test_a_reply_is_the_same_in_every_field(api: Api, client: Client) -> None:
    inbox = client.inbox("same@inbox.example")
    sent = inbox.send("ann@example.com", "Size?", "Which?", tag="size", metadata={"order": "42"})
    headers = {"In-Reply-To": sent.message_id, "Cc": '"B, C" <b@example.com>'}
    came = client.message(api.arrive(inbox.address, "L\n> Which?", headers=headers).id)
    assert different(came, inside(api, came)) == []
    assert came.answers == sent
    assert {*different(sent, inside(api, sent)), *different(came.answers, sent)} <= {"state"}
    assert (came.reply_text.strip(), came.cc[0].name) == ("L", "B, C")


def test_files_are_the_same_in_every_field(api: Api, client: Client) -> None:
    inbox = client.inbox("files@inbox.example")
    came = api.arrive(inbox.address, files={"../a.txt": b"abc", "b.bin": b"\x00"})
    files = client.message(came.id).attachments
    assert [different(a, b) for a, b in zip(files, came.attachments, strict=True)] == [[], []]
    assert files[0].message.id == came.id


def test_codes_and_links_know_their_message(api: Api, client: Client) -> None:
    code = client.message(api.arrive("a@inbox.example", "Your code is 482913.").id)
    assert code.otp == "482913" and code.otp is not None and code.otp.message is code
    link = client.message(api.arrive("a@inbox.example", f"Reset your password: {LINK}").id)
    assert link.link == LINK and link.link is not None and link.link.message is link


def test_a_send_takes_all_that_it_takes_in_process(api: Api, client: Client) -> None:
    sent = client.inbox("all@inbox.example").send(
        ["ann@example.com", "ben@example.com"],
        "Sübject",
        "text",
        html="<p>html</p>",
        cc="cc@example.com",
        bcc="bcc@example.com",
        reply_to="answers@example.com",
        attachments=[File("ä.pdf", b"%PDF-", "application/pdf")],
        headers={"X-Order": "42"},
        tag="t",
        metadata={"k": "v"},
        options=OPTIONS,
    )
    assert api.asked(sent.id) == OPTIONS.given() != {}
    there = inside(api, sent)
    assert (there.subject, there.text.strip(), there.html.strip()) == (
        "Sübject",
        "text",
        "<p>html</p>",
    )
    assert set(there.envelope.rcpt_to) == {
        f"{name}@example.com" for name in ("ann", "ben", "cc", "bcc")
    }
    assert (there.tag, there.metadata, there.headers["X-Order"]) == ("t", {"k": "v"}, "42")
    assert there.reply_to[0].email == "answers@example.com"
    assert there.attachments[0].filename == "ä.pdf"
