"""Mails as they come over the wire, made in one line, and taken in by a kit."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from email.utils import make_msgid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxkit import Event, EventType, InboxKit, Message

ANN = "ann@example.com"
DESK = "desk@inbox.example"
BEGINNING = "evt_0000000000000"


def mail(
    text: str = "Hello",
    *,
    to: str = DESK,
    sender: str = ANN,
    subject: str = "Question",
    headers: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return a mail's bytes; each call makes another Message-ID."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, to, subject
    made["Message-ID"] = make_msgid(domain="example.com")
    for name, value in (headers or {}).items():
        made[name] = value
    made.set_content(text)
    for name, data in (files or {}).items():
        made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes().replace(b"\n", b"\r\n")


async def arrive(
    kit: InboxKit,
    text: str = "Hello",
    *,
    to: str = DESK,
    sender: str = ANN,
    subject: str = "Question",
    headers: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Message:
    """Let a mail come in; return it once it is read."""
    raw = mail(text, to=to, sender=sender, subject=subject, headers=headers, files=files)
    return await kit.receive(raw, mail_from=sender, rcpt_to=[to])


async def code(
    kit: InboxKit, value: str, *, to: str = DESK, sender: str = "login@shop.example"
) -> Message:
    """Let a one-time code come in."""
    text = f"Your verification code is {value}."
    return await arrive(kit, text, to=to, sender=sender, subject="Your code")


async def happened(kit: InboxKit, type: EventType, *, times: int = 1) -> Event:
    """Return the event of this type, once so many are in the log."""
    async with asyncio.timeout(30):
        async for event in kit.events(after=BEGINNING):
            times -= event.type == type
            if not times:
                return event
    raise AssertionError("the log has no end")
