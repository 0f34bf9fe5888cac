"""Somebody outside, with a mail client that sends by SMTP and threads as real ones do."""

from __future__ import annotations

import mimetypes
import smtplib
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING

import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..models import Message
    from .sandbox import Sandbox


class Person:
    """A correspondent: what the sandbox sends to ``address`` is what they see."""

    def __init__(self, sandbox: Sandbox, address: str) -> None:
        self._sandbox = sandbox
        self._seen: set[str] = set()
        self.address = address

    async def send(
        self,
        to: str,
        subject: str = "",
        text: str = "",
        *,
        attach: Mapping[str, bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Message:
        """Send a mail by SMTP; return it as it arrived in the inbox.

        ``headers`` come in place of those that a mail client would write. The files of ``attach``
        have the type that goes with their names.
        """
        mail = self._mail(to, subject, text, headers or {})
        _attach(mail, attach or {})
        return await self._deliver(mail, to)

    async def next_message(self, *, timeout: float = 10) -> Message:
        """Return the next message that was sent to this person.

        Raise WaitTimeout after ``timeout`` s; it says which handlers have failed.
        """
        found = await self._sandbox.next_sent(self.address, self._seen, timeout=timeout)
        self._seen.add(found.id)
        return found

    async def reply(
        self,
        message: Message,
        text: str,
        *,
        attach: Mapping[str, bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Message:
        """Answer a message that this person got, quoting it, to its Reply-To.

        ``attach`` and ``headers`` are as in ``send``.
        """
        to = (message.reply_to or (message.sender,))[0].email
        chain = [*message.references, message.message_id]
        quoted = "\n".join(f"> {line}" for line in message.text.splitlines())
        when = message.received_at.strftime("%a, %d %b %Y at %H:%M")
        body = f"{text}\n\nOn {when}, {message.sender} wrote:\n{quoted}\n"
        subject = message.subject
        if not subject.lower().startswith("re:"):
            subject = f"Re: {subject}"
        threading = {"In-Reply-To": message.message_id, "References": " ".join(chain)}
        mail = self._mail(to, subject, body, {**threading, **(headers or {})})
        _attach(mail, attach or {})
        return await self._deliver(mail, to)

    def _mail(self, to: str, subject: str, text: str, headers: Mapping[str, str]) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.address, to, subject
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(domain=self.address.rpartition("@")[2])
        for name, value in headers.items():
            del mail[name]
            mail[name] = value
        mail.set_content(text)
        return mail

    async def _deliver(self, mail: EmailMessage, to: str) -> Message:
        await anyio.to_thread.run_sync(self._smtp, mail, to)
        return await self._sandbox.arrived(str(mail["Message-ID"]), to)

    def _smtp(self, mail: EmailMessage, to: str) -> None:
        with smtplib.SMTP(self._sandbox.smtp_host, self._sandbox.smtp_port) as smtp:
            smtp.send_message(mail, self.address, [to])


def _attach(mail: EmailMessage, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        guessed, encoding = mimetypes.guess_type(name)
        kind = guessed if guessed and not encoding else "application/octet-stream"
        main, _, sub = kind.partition("/")
        mail.add_attachment(data, maintype=main, subtype=sub, filename=name)
