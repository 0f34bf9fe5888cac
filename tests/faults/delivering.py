"""A sender that only looks at the code it is answered with."""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

from tests.mails import ANN, DESK

if TYPE_CHECKING:
    from inboxkit import InboxKit


def send(kit: InboxKit, raw: bytes) -> int:
    """Hand a mail in by SMTP; return the code of the answer."""
    with smtplib.SMTP(*kit.smtp_address, timeout=30) as client:
        client.ehlo()
        client.mail(ANN)
        client.rcpt(DESK)
        return client.data(raw)[0]
