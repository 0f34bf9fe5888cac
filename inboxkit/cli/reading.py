"""Commands that show what is stored: messages, show, thread."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .opening import run
from .printing import as_json, flat, message_row, message_whole, moment, plain, table, thread_whole
from .reaching import glimpsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models import Message

F = TypeVar("F", bound="Callable[..., Any]")
_MOST = 2**62  # more is no number of a database

json_option = click.option("--json", "json_", is_flag=True, help="One JSON object a line.")


def limit_option(default: int) -> Callable[[F], F]:
    """Return the flag ``--limit``."""
    help_ = "How many at most; 0 means all."
    kind = click.IntRange(min=0, max=_MOST)
    return click.option("--limit", type=kind, default=default, show_default=True, help=help_)


@click.command()
@click.option("--inbox", metavar="ADDRESS", help="Only this inbox.")
@click.option("--query", "-q", default="", help='Such as: from:ann has:attachment "size".')
@limit_option(50)
@json_option
@click.pass_context
def messages(ctx: click.Context, inbox: str | None, query: str, limit: int, json_: bool) -> None:
    """List messages, newest first."""
    run(_messages(ctx, inbox, query, limit or None, json_))


async def _messages(
    ctx: click.Context, inbox: str | None, query: str, limit: int | None, json_: bool
) -> None:
    found: list[Message] = []
    async with glimpsed(ctx) as place:
        async for message in place.actions.search(inbox, query, limit):
            if json_:
                as_json(message_row(message))
            else:
                found.append(message)
    columns = ("id", "inbox", "direction", "state", "kind", "from", "subject", "received_at")
    if not json_:
        rows = [message_row(m) for m in found]
        spare = ("kind", "direction", "received_at")
        table(columns, ([row[c] for c in columns] for row in rows), spare=spare)


@click.command()
@click.argument("message_id", metavar="ID")
@click.option("--raw", is_flag=True, help="The bytes as they came.")
@click.option("--headers", is_flag=True, help="Only the header fields.")
@click.option("--text", is_flag=True, help="Only the text.")
@json_option
@click.pass_context
def show(
    ctx: click.Context, message_id: str, raw: bool, headers: bool, text: bool, json_: bool
) -> None:
    """Show a message."""
    run(_show(ctx, message_id, raw, headers, text, json_))


async def _show(
    ctx: click.Context, message_id: str, raw: bool, headers: bool, text: bool, json_: bool
) -> None:
    async with glimpsed(ctx) as place:
        message = await place.message(message_id)
        if raw:
            sys.stdout.buffer.write(await message.raw())
            return
    if json_:
        as_json(message_whole(message))
    elif text:
        click.echo(plain(message.text))
    elif headers:
        click.echo(plain("\n".join(f"{n}: {v}" for n, v in message.headers.items())))
    else:
        _print_message(message)


def _print_message(message: Message) -> None:
    whole = message_whole(message)
    shown = ("id", "inbox", "from", "to", "cc", "subject", "date", "state", "kind", "thread_id")
    for name in (*shown, "thread_reason", "labels", "defects"):
        if whole[name]:
            click.echo(f"{name}: {flat(whole[name])}")
    for part in message.attachments:
        click.echo(flat(f"attachment: {part.filename} ({part.content_type}, {part.size} bytes)"))
    click.echo(f"\n{plain(message.text)}")


@click.command()
@click.argument("thread_id", metavar="ID")
@json_option
@click.pass_context
def thread(ctx: click.Context, thread_id: str, json_: bool) -> None:
    """Show a conversation, oldest message first."""
    run(_thread(ctx, thread_id, json_))


async def _thread(ctx: click.Context, thread_id: str, json_: bool) -> None:
    async with glimpsed(ctx) as place:
        found = await place.thread(thread_id)
        said = await found.messages()
    if json_:
        as_json(thread_whole(found, said))
        return
    click.echo(flat(f"{found.subject} ({found.id}, {found.inbox})"))
    for message in said:
        when, why = moment(message.received_at), message.thread_reason
        click.echo("\n" + flat(f"{when} {message.sender} [{why}]"))
        click.echo(plain(message.reply_text or message.text))
