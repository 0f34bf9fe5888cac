"""Small mails that the tests of commands send, import and parse."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ECHO = """\
from inboxkit import Message, Router

router = Router()


@router.on_message(to="echo@*")
async def echo(message: Message) -> None:
    await message.reply("You wrote: " + message.text)
"""


def mail(
    number: int = 1,
    *,
    subject: str = "Hello",
    text: str = "Is anybody there?",
    sender: str = "ann@example.com",
) -> bytes:
    """Return a mail as a file holds it, with line feeds."""
    return (
        f"From: {sender}\nTo: echo@inbox.example\nSubject: {subject}\n"
        f"Message-ID: <{number}@example.com>\nDate: Mon, 02 Mar 2026 10:00:{number:02} +0000\n"
        f"Content-Type: text/plain; charset=utf-8\n\n{text}\n"
    ).encode()


def write_mail(path: Path, number: int = 1, **fields: str) -> Path:
    """Write a mail to a file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mail(number, **fields))
    return path


def write_handler(folder: Path, source: str = ECHO, name: str = "echo.py") -> Path:
    """Write a handler module into ``folder/handlers``; nobody who watches it sees half of it."""
    path = folder / "handlers" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(source)
    return half.replace(path)
