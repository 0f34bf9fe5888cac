"""A composition to change, and the standard library's reading of what is composed."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inboxkit.compose import Composition, compose
from inboxkit.values import Address, Draft

if TYPE_CHECKING:
    from email.message import EmailMessage, MIMEPart

AT = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)
ANN = Address("ann@home.example", "Ann Gärtner")
DESK = Address("desk@shop.example", "The Desk")
OWN = "<1.2@shop.example>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
ATTACK = "=?utf-8?q?=0ABcc:_eve@far.example?="


def made(
    draft: Draft | None = None, *, to: tuple[Address, ...] = (ANN,), subject: str = "The pump"
) -> Composition:
    return Composition(
        draft=draft or Draft(text="Hello"),
        sender=DESK,
        message_id=OWN,
        date=AT,
        to=to,
        subject=subject,
    )


def read(composition: Composition) -> EmailMessage:
    return email.message_from_bytes(compose(composition), policy=email.policy.default)


def body(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def tree(message: MIMEPart) -> list[object]:
    """Return the content types as nested lists."""
    if not message.is_multipart() or message.get_content_type() == "message/rfc822":
        return [message.get_content_type()]
    return [message.get_content_type(), *(tree(p) for p in message.iter_parts())]
