"""The command ``receive``: a mail from standard input, for a pipe of Postfix or fetchmail."""

from __future__ import annotations

import sys

import click

from ..errors import InboxKitError
from ..parsing.mime import decode_headers
from ..pipeline.accept import UnknownRecipient
from .envelopes import sender_of
from .opening import opened, require_database, run, settings_of

EX_NOUSER, EX_TEMPFAIL = 67, 75  # sysexits.h, which Postfix's pipe(8) understands


@click.command()
@click.option("--to", "rcpt_to", required=True, multiple=True, help="Recipient; repeatable.")
@click.option(
    "--mail-from",
    help="Envelope sender; <> for none. Return-Path or From of the mail when it is not given.",
)
@click.pass_context
def receive(ctx: click.Context, rcpt_to: tuple[str, ...], mail_from: str | None) -> None:
    """Take a mail in from standard input; exits 0 once it is on the disk.

    Exits 67 when no such inbox is known. Whatever else goes wrong, wrong settings too, exits 75:
    try again later, so that a mail server keeps the mail.
    """
    raw = sys.stdin.buffer.read()
    if not raw.strip():
        raise click.UsageError("standard input is empty: there is no mail to take in")
    sender = sender_of(decode_headers(raw)) if mail_from is None else mail_from.strip("<> ")
    try:
        number = run(_receive(ctx, raw, sender, rcpt_to))
    except UnknownRecipient as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(EX_NOUSER) from None
    except (InboxKitError, OSError) as error:
        click.echo(f"error: {error}; try again later", err=True)
        raise click.exceptions.Exit(EX_TEMPFAIL) from None
    click.echo(f"stored for {number} inbox{'' if number == 1 else 'es'}", err=True)


async def _receive(ctx: click.Context, raw: bytes, sender: str, rcpt_to: tuple[str, ...]) -> int:
    settings = settings_of(ctx)
    if not (settings.any_recipient or settings.catch_all):
        require_database(settings)  # an empty one knows nobody, and the mail would bounce
    async with opened(ctx) as kit:
        return len(await kit.runtime.accept.mail(raw, mail_from=sender, rcpt_to=rcpt_to))
