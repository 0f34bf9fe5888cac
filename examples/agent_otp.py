"""An agent signs up somewhere and reads the code that comes by mail."""

import asyncio
import secrets
import smtplib
from email.message import EmailMessage

from anyio import to_thread

from inboxkit import InboxKit


class Shop:
    """Stands for the site that the agent signs up at: it mails a code and asks for it."""

    def __init__(self, smtp: str) -> None:
        self.host, _, self.port = smtp.partition(":")
        self.code = f"{secrets.randbelow(900_000) + 100_000}"

    def sign_up(self, email: str) -> None:
        """Mail the code; a real site would find our SMTP port by the MX of the domain."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "shop@shop.example", email, "Welcome"
        mail.set_content(f"Your verification code is {self.code}. It expires in 10 minutes.")
        with smtplib.SMTP(self.host, int(self.port)) as client:
            client.send_message(mail)

    def enter(self, code: str) -> bool:
        """Return whether the code opens the account."""
        return code == self.code


async def main(smtp: str = "127.0.0.1:1025") -> bool:
    """Sign up with a new address, wait for the code, enter it."""
    shop = Shop(smtp)
    async with InboxKit(smtp=smtp) as kit:
        inbox = await kit.inbox()
        await to_thread.run_sync(shop.sign_up, inbox.address)
        code = await inbox.wait_for_otp(timeout=30, sender="*@shop.example")
        return shop.enter(code)


if __name__ == "__main__":
    entered = asyncio.run(main())
    print("the account is open" if entered else "the code was refused")  # noqa: T201 - a program
