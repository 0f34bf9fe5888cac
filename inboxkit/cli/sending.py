"""Commands that send or take in: send, reply, receive."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from ..errors import StoreError
from ..pipeline.accept import UnknownRecipient
from .opening import opened, run
from .printing import as_json, message_row

if TYPE_CHECKING:
    from datetime import datetime

    from ..kit import InboxKit
    from ..models import Message
    from ..values import Files

_SENT_WITHIN_SECONDS = 20.0
_WAITING = ("queued", "sending")
EX_TEMPFAIL, EX_NOUSER = 75, 67  # sysexits.h, which Postfix's pipe(8) understands
_json = click.option("--json", "json_", is_flag=True, help="The message as JSON.")
_html = click.option("--html", default="", help="HTML body.")
_attach = click.option(
    "--attach",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file; repeatable.",
)
_key = click.option("--key", help="The same key sends once.")
_tag = click.option("--tag", default="", help="What on_reply and on_no_reply look for.")


@click.command()
@click.option("--from", "sender", required=True, metavar="ADDRESS", help="The inbox it is from.")
@click.option("--to", required=True, multiple=True, help="Recipient; repeatable.")
@click.option("--cc", multiple=True)
@click.option("--bcc", multiple=True)
@click.option("--subject", "-s", default="")
@click.option("--text", help="Text body; standard input when neither --text nor --html is given.")
@_html
@_attach
@_tag
@_key
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="When to send it.")
@_json
@click.pass_context
def send(ctx: click.Context, sender: str, json_: bool, **draft: object) -> None:
    """Send a message from an inbox; it is made if it is new."""
    message = run(_send(ctx, sender, **draft))  # type: ignore[arg-type]
    _print(message, json_)


async def _send(
    ctx: click.Context,
    sender: str,
    *,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    subject: str,
    text: str | None,
    html: str,
    attach: Files,
    tag: str,
    key: str | None,
    at: datetime | None,
) -> Message:
    body = sys.stdin.read() if text is None and not html else text or ""
    async with opened(ctx, works=True) as kit:
        inbox = await kit.inbox(sender)
        sent = await inbox.send(
            to,
            subject,
            body,
            html=html,
            cc=cc,
            bcc=bcc,
            attachments=attach,
            tag=tag,
            key=key,
            at=at,
        )
        return await _settled(kit, sent)


@click.command()
@click.argument("message_id", metavar="ID")
@click.option("--text", help="Text body; standard input when neither --text nor --html is given.")
@_html
@click.option("--all", "everyone", is_flag=True, help="Answer everybody it was to.")
@_attach
@_tag
@_key
@_json
@click.pass_context
def reply(
    ctx: click.Context,
    message_id: str,
    text: str | None,
    html: str,
    everyone: bool,
    attach: tuple[Path, ...],
    tag: str,
    key: str | None,
    json_: bool,
) -> None:
    """Answer a message in its thread."""
    body = sys.stdin.read() if text is None and not html else text or ""

    async def work() -> Message:
        async with opened(ctx, works=True) as kit:
            asked = await kit.message(message_id)
            sent = await asked.reply(
                body, html=html, all=everyone, attachments=attach, tag=tag, key=key
            )
            return await _settled(kit, sent)

    _print(run(work()), json_)


async def _settled(kit: InboxKit, sent: Message) -> Message:
    """Return the send once a provider took or refused it; what takes longer goes on later."""
    with anyio.move_on_after(_SENT_WITHIN_SECONDS):
        while sent.state in _WAITING:
            seen = kit.runtime.notify.bell.count("any")
            sent = await kit.message(sent.id)
            if sent.state in _WAITING:
                await kit.runtime.notify.bell.wait("any", seen)
    return sent


def _print(message: Message, json_: bool) -> None:
    if json_:
        as_json(message_row(message))
    else:
        click.echo(f"{message.id} {message.state}")


@click.command()
@click.option("--to", "rcpt_to", required=True, multiple=True, help="Recipient; repeatable.")
@click.option("--mail-from", default="", help="Envelope sender.")
@click.pass_context
def receive(ctx: click.Context, rcpt_to: tuple[str, ...], mail_from: str) -> None:
    """Take a mail in from standard input; exits 0 once it is on the disk.

    Exits 75 when it should be tried again later and 67 when no such inbox is known, as a pipe of
    Postfix or fetchmail expects.
    """
    raw = sys.stdin.buffer.read()
    try:
        run(_receive(ctx, raw, mail_from, rcpt_to))
    except UnknownRecipient as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EX_NOUSER)
    except (StoreError, OSError) as error:
        click.echo(f"error: {error}; try again later", err=True)
        sys.exit(EX_TEMPFAIL)


async def _receive(
    ctx: click.Context, raw: bytes, mail_from: str, rcpt_to: tuple[str, ...]
) -> None:
    async with opened(ctx) as kit:
        pairs = await kit.runtime.accept.mail(raw, mail_from=mail_from, rcpt_to=rcpt_to)
    click.echo(f"stored for {len(pairs)} inboxes", err=True)
