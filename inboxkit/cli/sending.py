"""Commands that send: send, reply, forward."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from ..errors import ConfigurationError, SendError
from ..sending import people
from .opening import run
from .printing import as_json, message_row
from .reaching import reached

if TYPE_CHECKING:
    from ..models import Message
    from .reaching import Reached

SETTLED_SECONDS = 20.0
UNDER_WAY = ("queued", "sending")
_NOT_SENT = ("failed", "rejected", "bounced", "unknown")
_json = click.option("--json", "json_", is_flag=True, help="The message as JSON.")
_html = click.option("--html", default="", help="HTML body.")
_attach = click.option(
    "--attach",
    "attachments",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file; repeatable.",
)
_key = click.option("--key", help="The same key sends once.")
_tag = click.option("--tag", default="", help="What on_reply and on_no_reply look for.")
_text = click.option(
    "--text", help="Text body; standard input when neither --text nor --html is given."
)


def _moment(_ctx: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Read a moment in ISO 8601, which must have its zone."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise click.BadParameter(f"{value!r} is no moment with a zone, such as 2026-01-31T12:00Z")
    return moment


def _recipients(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse what is no address before anything is opened: that is wrong use, not a lost send."""
    try:
        people(given)
    except SendError as error:
        raise ConfigurationError(str(error)) from None
    return given


@click.command()
@click.option("--from", "sender", required=True, metavar="ADDRESS", help="The inbox it is from.")
@click.option(
    "--to", required=True, multiple=True, callback=_recipients, help="Recipient; repeatable."
)
@click.option("--cc", multiple=True, callback=_recipients, help="In copy; repeatable.")
@click.option(
    "--bcc", multiple=True, callback=_recipients, help="In copy, unseen by others; repeatable."
)
@click.option("--subject", "-s", default="", help="None when left out.")
@_text
@_html
@_attach
@_tag
@_key
@click.option(
    "--at", callback=_moment, metavar="TIME", help="When to send it, such as 2026-01-31T12:00Z."
)
@_json
@click.pass_context
def send(ctx: click.Context, /, sender: str, json_: bool, **draft: Any) -> None:
    """Send a message from an inbox; it is made if it is new."""
    print_sent(run(_send(ctx, sender, **draft)), json_)


async def _send(
    ctx: click.Context,
    sender: str,
    to: tuple[str, ...],
    subject: str,
    text: str | None,
    html: str,
    **draft: Any,
) -> Message:
    body = _body(text, html)
    async with reached(ctx) as place:
        inbox = await place.inbox(sender)
        return await _settled(place, await inbox.send(to, subject, body, html=html, **draft))


@click.command()
@click.argument("message_id", metavar="ID")
@_text
@_html
@click.option("--all", "everyone", is_flag=True, help="Answer everybody it was to.")
@_attach
@_tag
@_key
@_json
@click.pass_context
def reply(
    ctx: click.Context, /, message_id: str, everyone: bool, json_: bool, **draft: Any
) -> None:
    """Answer a message in its thread."""
    print_sent(run(_reply(ctx, message_id, everyone, **draft)), json_)


async def _reply(
    ctx: click.Context, message_id: str, everyone: bool, text: str | None, html: str, **draft: Any
) -> Message:
    body = _body(text, html)
    async with reached(ctx, makes=False) as place:
        asked = await place.message(message_id)
        return await _settled(place, await asked.reply(body, html=html, all=everyone, **draft))


@click.command()
@click.argument("message_id", metavar="ID")
@click.option(
    "--to", required=True, multiple=True, callback=_recipients, help="Recipient; repeatable."
)
@click.option("--text", default="", help="Words of your own before it.")
@_html
@_attach
@_tag
@_key
@_json
@click.pass_context
def forward(ctx: click.Context, /, message_id: str, json_: bool, **draft: Any) -> None:
    """Send a message on, as an attachment."""
    print_sent(run(_forward(ctx, message_id, **draft)), json_)


async def _forward(
    ctx: click.Context, message_id: str, to: tuple[str, ...], text: str, **draft: Any
) -> Message:
    async with reached(ctx, makes=False) as place:
        message = await place.message(message_id)
        return await _settled(place, await message.forward(to, text, **draft))


def _body(text: str | None, html: str) -> str:
    """Return the text body; standard input is UTF-8, whatever the terminal is set to."""
    if text is None and not html:
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    return text or ""


async def _settled(place: Reached, sent: Message) -> Message:
    """Return the send once a provider took or refused it; what takes longer goes on later."""
    with anyio.move_on_after(SETTLED_SECONDS):
        while sent.state in UNDER_WAY:
            seen = place.count()
            sent = await place.message(sent.id)
            if sent.state in UNDER_WAY:
                await place.happens(seen)
    return sent


def print_sent(message: Message, json_: bool) -> None:
    """Print the message; exit 1 when it was not sent."""
    if json_:
        as_json(message_row(message))
    else:
        click.echo(f"{message.id} {message.state}")
    if message.state in _NOT_SENT:
        click.echo(f"error: not sent; why: inboxkit events --message {message.id}", err=True)
        raise click.exceptions.Exit(1)
