"""A sender that only looks at the code it is answered with."""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

from tests.mails import ANN, DESK

if TYPE_CHECKING:
    from inboxkit import InboxKit


def send(kit: InboxKit, raw: bytes) -> int:
    """Hand a mail in by SMTP; return the code of the last answer."""
    with smtplib.SMTP(*kit.smtp_address, timeout=30) as client:
        client.ehlo()
        client.mail(ANN)
        code = client.rcpt(DESK)[0]
        return client.data(raw)[0] if code == 250 else code
