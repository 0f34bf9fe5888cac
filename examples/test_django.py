"""pytest without asyncio, for any app that sends mail: give it ``mailbox.env``.

In tests Django keeps mail in memory: docs/testing.md says how to have it sent.
"""

import smtplib
from email.message import EmailMessage

from inboxkit.testing import Mailbox


def test_sign_up(mailbox: Mailbox) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@shop.example", "user@example.com", "Welcome"
    mail.set_content("Your code is 123456.")
    with smtplib.SMTP(mailbox.host, mailbox.port) as smtp:
        smtp.send_message(mail)
    assert mailbox.wait_for_otp(to="user@example.com") == "123456"
