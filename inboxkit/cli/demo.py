"""The command ``demo``: the whole two-way story on free loopback ports and a temporary database."""

from __future__ import annotations

import smtplib
import tempfile
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click
from anyio import to_thread

from ..errors import Suppressed
from ..kit import InboxKit
from ..router import Router
from ..settings import Settings
from ..testing.reports import bounce
from ..values import EventType
from .opening import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models import Attachment, Message

_SECONDS = 10.0
_BEGINNING = "evt_0000000000000"


@click.command()
def demo() -> None:
    """Run the whole two-way story and end: send, reply, handler, code, attachment, bounce."""
    run(_demo())


async def _demo() -> None:
    with tempfile.TemporaryDirectory(prefix="inboxkit-demo-") as name:
        folder = Path(name)
        settings = Settings(
            database=f"sqlite:///{folder / 'demo.db'}",
            smtp="127.0.0.1:0",
            any_recipient=True,
            provider=("memory",),
        )
        kit = InboxKit(settings=settings)
        kit.include(_handlers(folder / "files"))
        async with kit:
            await kit.runtime.edges.open(smtp="127.0.0.1:0", http="")
            host, port = kit.smtp_address
            _say(f"listening on smtp://{host}:{port}, database {folder / 'demo.db'}")
            await Story(kit).tell()
    _say("done: nothing was sent to the outside, nothing is left behind")


def _handlers(folder: Path) -> Router[[]]:
    """Return the handlers that the story meets."""
    router = Router()
    router.name = "demo"

    @router.on_reply(tag="size")
    async def answered(message: Message) -> None:
        await message.reply(f"Thank you, {message.reply_text.rstrip('.')} it is.")

    @router.on_attachment("application/pdf", to="files@*")
    async def keep(attachment: Attachment) -> None:
        path = await attachment.save(folder)
        await attachment.message.reply(f"We keep your {attachment.filename} as {path.name}.")

    return router


class Story:
    """A shop and Ann, who is outside and writes by SMTP."""

    def __init__(self, kit: InboxKit) -> None:
        self._kit = kit

    async def tell(self) -> None:
        """Tell it step by step; each step shows what it proves."""
        await self._conversation()
        await self._code()
        await self._attachment()
        await self._bounce()

    async def _conversation(self) -> None:
        shop = await self._kit.inbox("shop@inbox.example", display_name="The Shop")
        sent = await shop.send(
            "ann@example.com", "Which size?", "Small, medium or large?", tag="size"
        )
        _say(f"1. sent       {sent.subject!r} to {sent.to[0].email} as {sent.id}")
        answer = _mail("ann@example.com", sent.reply_to[0].email, "Re: Which size?", "Medium.")
        answer["In-Reply-To"] = sent.message_id
        await self._deliver(answer)
        reply = await sent.wait_for_reply(timeout=_SECONDS)
        _say(f"2. reply      {reply.reply_text!r} joined to the send by {reply.thread_reason}")
        thanks = await self._next("ann@example.com", lambda m: "it is" in m.text)
        _say(f"3. handler    answered {thanks.reply_text!r}")

    async def _code(self) -> None:
        agent = await self._kit.inbox("agent@inbox.example")
        text = "Your verification code is 482913.\nIt expires in 10 minutes.\n"
        mail = _mail("no-reply@shop.example", agent.address, "Your code", text)
        mail["Auto-Submitted"] = "auto-generated"
        await self._deliver(mail)
        code = await agent.wait_for_otp(timeout=_SECONDS, sender="*@shop.example")
        _say(f"4. code       {code} read from a mail that came by SMTP")

    async def _attachment(self) -> None:
        mail = _mail("bob@example.com", "files@inbox.example", "Invoice", "Here it is.")
        mail.add_attachment(
            b"%PDF-1.4\n%demo\n", maintype="application", subtype="pdf", filename="invoice.pdf"
        )
        await self._deliver(mail)
        kept = await self._next("bob@example.com", lambda m: "We keep" in m.text)
        _say(f"5. attachment {kept.text.strip()}")

    async def _bounce(self) -> None:
        news = await self._kit.inbox("news@inbox.example")
        sent = await news.send("gone@example.com", "Hello", "Are you there?")
        report = bounce(await sent.raw(), sender=news.address, recipient="gone@example.com")
        await to_thread.run_sync(self._smtp, report, "", news.address)
        async for event in self._kit.events(after=_BEGINNING):
            if event.type == "bounced":
                _say(f"6. bounce     {event.recipient} ({event.reason_class}, hard={event.hard})")
                break
        try:
            await news.send("gone@example.com", "Hello again", "Are you there now?")
        except Suppressed as error:
            _say(f"7. suppressed {error}")
        else:
            raise AssertionError("a dead address was written to again")

    async def _next(self, address: str, wanted: Callable[[Message], bool]) -> Message:
        """Return what somebody outside gets: the provider ``memory`` has captured it."""
        with anyio.fail_after(_SECONDS):
            async for event in self._kit.events(after=_BEGINNING):
                sent = event.message
                if event.type == EventType.ACCEPTED and event.recipient == address and wanted(sent):
                    return sent
        raise AssertionError("the event log has no end")

    async def _deliver(self, mail: EmailMessage) -> None:
        raw = mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        await to_thread.run_sync(self._smtp, raw, str(mail["From"]), str(mail["To"]))

    def _smtp(self, raw: bytes, sender: str, to: str) -> None:
        with smtplib.SMTP(*self._kit.smtp_address) as smtp:
            smtp.sendmail(sender, [to], raw)


def _mail(sender: str, to: str, subject: str, text: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    mail.set_content(text)
    return mail


def _say(text: str) -> None:
    click.echo(text)
