"""Bounces that say so in words only, of many mail systems and in many languages."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest

from inboxkit.parsing import parse
from inboxkit.values import Kind


class Returned(NamedTuple):
    """A bounce by text, in our own words, and what a reader takes from it."""

    system: str
    sender: str
    subject: str
    text: str
    recipient: str
    hard: bool
    reason: str


_LINES = (Path(__file__).parent / "mail_systems.jsonl").read_text("utf-8").splitlines()
RETURNED = [Returned(**json.loads(line)) for line in _LINES]
PEOPLE = [
    (
        "Ann <ann@x.example>",
        "Re: Undelivered Mail Returned to Sender",
        "I got this back, what do I do?\n\n> <lost@shop.example>: User unknown",
    ),
    (
        "postmaster@x.example",
        "Maintenance tonight",
        "The mail system will be down from 22:00. Delivery may be delayed.",
    ),
    (
        "Jo <jo@x.example>",
        "Delivery of your parcel",
        "Your parcel could not be delivered. Please rebook.",
    ),
    ("admin@x.example", "Welcome", "Your mailbox is ready."),
    (
        "Kim <kim@x.example>",
        "mail failed",
        "Hi, my mail to lost@shop.example failed yesterday, can you check? Thanks",
    ),
]


def _raw(sender: str, subject: str, text: str) -> bytes:
    made = EmailMessage()
    made["Subject"], made["To"] = subject, "desk@inbox.example"
    made.set_content(text)
    return b"From: " + sender.encode() + b"\r\n" + made.as_bytes()


@pytest.mark.parametrize("mail_from", ["", None], ids=["null sender", "sender unknown"])
@pytest.mark.parametrize("case", RETURNED, ids=[case.system for case in RETURNED])
def test_a_bounce_by_text_is_read(case: Returned, mail_from: str | None) -> None:
    parsed = parse(_raw(case.sender, case.subject, case.text), mail_from=mail_from)

    assert parsed.kind == Kind.BOUNCE
    (bounce,) = parsed.report.bounces
    assert (bounce.recipient, bounce.hard) == (case.recipient, case.hard)
    assert case.reason in ("", bounce.reason)


def test_what_a_bounce_returns_gives_no_code_and_no_link() -> None:
    case = RETURNED[0]
    ours = "Your login code is 482913, or sign in: https://x.example/login?token=aa11bb22cc33dd44"

    assert parse(_raw("Ann <a@b.example>", "Your login code", ours)).code
    parsed = parse(_raw(case.sender, case.subject, f"{case.text}\n\n{ours}"))
    assert (parsed.kind, parsed.code, parsed.links) == (Kind.BOUNCE, None, ())


@pytest.mark.parametrize(("sender", "subject", "text"), PEOPLE)
def test_a_person_who_writes_of_delivery_is_a_person(sender: str, subject: str, text: str) -> None:
    assert parse(_raw(sender, subject, text), mail_from="x@x.example").kind == Kind.HUMAN
