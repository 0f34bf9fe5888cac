"""Mail that a vendor's filter calls spam is labelled so: lists leave it out, handlers get it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import EventType
from inboxkit.providers.fakes.agentmail import AgentMailFake
from inboxkit.providers.fakes.ses import SesFake
from inboxkit.store import announcements, events

from . import mailgun
from .sending import SENDER
from .vendor_account import Vendor, account

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .sending import Sending

ANN = "ann@example.com"
MAIL = b"From: Ann <ann@example.com>\r\nSubject: Win\r\nMessage-ID: <1@example.com>\r\n\r\nWin!\r\n"
TOPIC = "arn:aws:sns:us-east-1:123456789012:mail"
SES = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "s", "topic_arns": TOPIC}
AGENTMAIL = {"api_key": "k", "signing_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
VENDORS = [Vendor("ses", SesFake, SES), Vendor("agentmail", AgentMailFake, AGENTMAIL)]


async def told(opened: Sending) -> set[str]:
    """Return the labels that those who listen are told of the mail that came in."""
    read: Any = opened.runner.kit.runtime.store.read
    found: set[str] = await asyncio.to_thread(opened.runner.call, read, _labels_of_received)
    return found


def _labels_of_received(connection: Connection) -> set[str]:
    log = announcements.of(connection, events.after(connection, 0))
    [came] = [one for one in log if one.type == EventType.RECEIVED]
    return set(came.labels)


@pytest.mark.parametrize("spam", [True, False], ids=["spam", "not"])
@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_a_vendors_verdict_becomes_the_label(vendor: Vendor, spam: bool) -> None:
    async with account(vendor) as opened:
        await opened.send(ANN)  # tells SES's Fake where it is
        inbound: Any = opened.fake.inbound  # each vendor's has options of its own
        status = await opened.post(inbound(MAIL, recipient=SENDER, mail_from=ANN, spam=spam))

        inbox = await opened.sandbox.inbox(SENDER)
        shown = [message async for message in inbox.search("is:inbound")]
        [came] = [m async for m in inbox.search("is:inbound label:spam")] if spam else shown

        assert (status, len(shown)) == (200, 0 if spam else 1)
        assert ("spam" in came.labels, "spam" in await told(opened)) == (spam, spam)


@pytest.mark.parametrize(
    ("flags", "trust", "is_spam"),
    [
        (b"X-Mailgun-Sflag: Yes\r\n", "yes", True),
        (b"X-Mailgun-Sflag: No\r\n", "yes", False),
        (b"X-Mailgun-Sflag: Yes\r\nX-Mailgun-Sflag: No\r\n", "yes", False),
        (b"X-Mailgun-Sflag: Yes\r\n", "no", False),
    ],
    ids=["yes", "no", "two that differ", "not trusted"],
)
async def test_mailguns_flag_counts_where_its_headers_are_trusted(
    flags: bytes, trust: str, is_spam: bool
) -> None:
    options = {"mailgun": {**mailgun.OPTIONS, "trust_headers": trust}}
    async with mailgun.account(options=options) as opened:
        await opened.post(opened.fake.inbound(flags + MAIL, recipient=SENDER, mail_from=ANN))
        await opened.sandbox.settle()

        assert ("spam" in await told(opened)) is is_spam
