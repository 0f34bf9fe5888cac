"""Commands that show what is stored: messages, show, thread, events, runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import NotFound
from ..store import events as store_events
from ..store import records
from ..store import runs as store_runs
from ..tokens import public_id, row_id
from .opening import opened, run
from .printing import (
    as_json,
    event_row,
    message_row,
    message_whole,
    moment,
    table,
    thread_whole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Message

_json = click.option("--json", "json_", is_flag=True, help="One JSON object a line.")


@click.command()
@click.option("--inbox", metavar="ADDRESS", help="Only this inbox.")
@click.option("--query", "-q", default="", help='Such as: from:ann has:attachment "size".')
@click.option("--limit", default=50, show_default=True, help="How many at most; 0 means all.")
@_json
@click.pass_context
def messages(ctx: click.Context, inbox: str | None, query: str, limit: int, json_: bool) -> None:
    """List messages, newest first."""
    run(_messages(ctx, inbox, query, limit or None, json_))


async def _messages(
    ctx: click.Context, inbox: str | None, query: str, limit: int | None, json_: bool
) -> None:
    found: list[Message] = []
    async with opened(ctx) as kit:
        async for message in kit.runtime.actions.search(inbox, query, limit):
            if json_:
                as_json(message_row(message))
            else:
                found.append(message)
    columns = ("id", "inbox", "direction", "state", "kind", "from", "subject", "received_at")
    if not json_:
        rows = [message_row(m) for m in found]
        table(columns, ([row[c] for c in columns] for row in rows))


@click.command()
@click.argument("message_id", metavar="ID")
@click.option("--raw", is_flag=True, help="The bytes as they came.")
@click.option("--headers", is_flag=True, help="Only the header fields.")
@click.option("--text", is_flag=True, help="Only the text.")
@_json
@click.pass_context
def show(
    ctx: click.Context, message_id: str, raw: bool, headers: bool, text: bool, json_: bool
) -> None:
    """Show a message."""
    run(_show(ctx, message_id, raw, headers, text, json_))


async def _show(
    ctx: click.Context, message_id: str, raw: bool, headers: bool, text: bool, json_: bool
) -> None:
    async with opened(ctx) as kit:
        message = await kit.message(message_id)
        if raw:
            click.get_binary_stream("stdout").write(await message.raw())
            return
    if json_:
        as_json(message_whole(message))
    elif text:
        click.echo(message.text)
    elif headers:
        click.echo("\n".join(f"{n}: {v}" for n, v in message.headers.items()))
    else:
        _print_message(message)


def _print_message(message: Message) -> None:
    whole = message_whole(message)
    shown = ("id", "inbox", "from", "to", "cc", "subject", "date", "state", "kind", "thread_id")
    for name in (*shown, "thread_reason", "labels", "defects"):
        value = whole[name]
        if value:
            flat = ", ".join(map(str, value)) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - JSON
            click.echo(f"{name}: {flat}")
    for part in message.attachments:
        click.echo(f"attachment: {part.filename} ({part.content_type}, {part.size} bytes)")
    click.echo(f"\n{message.text}")


@click.command()
@click.argument("thread_id", metavar="ID")
@_json
@click.pass_context
def thread(ctx: click.Context, thread_id: str, json_: bool) -> None:
    """Show a conversation, oldest message first."""
    run(_thread(ctx, thread_id, json_))


async def _thread(ctx: click.Context, thread_id: str, json_: bool) -> None:
    async with opened(ctx) as kit:
        found = await kit.thread(thread_id)
        said = await found.messages()
    if json_:
        as_json(thread_whole(found, said))
        return
    click.echo(f"{found.subject} ({found.id}, {found.inbox})")
    for message in said:
        click.echo(f"\n{moment(message.received_at)} {message.sender} [{message.thread_reason}]")
        click.echo(message.reply_text or message.text)


@click.command()
@click.option("--after", metavar="ID", help="Only what came after this event.")
@click.option("--message", "message_id", metavar="ID", help="Only of this message.")
@click.option("--limit", default=100, show_default=True, help="How many at most.")
@click.option("--follow", is_flag=True, help="Go on with what happens from now on.")
@_json
@click.pass_context
def events(
    ctx: click.Context,
    after: str | None,
    message_id: str | None,
    limit: int,
    follow: bool,
    json_: bool,
) -> None:
    """List what happened to messages, in order."""
    run(_events(ctx, after, message_id, limit, follow, json_))


async def _events(
    ctx: click.Context,
    after: str | None,
    message_id: str | None,
    limit: int,
    follow: bool,
    json_: bool,
) -> None:
    async with opened(ctx) as kit:
        store = kit.runtime.store
        if message_id:
            rows = await store.read(store_events.of_message, _row("msg", message_id))
        else:
            start = _row("evt", after) if after else 0
            rows = await store.read(store_events.after, start, limit=limit)
        for found in await store.read(records.events, rows[:limit], kit.runtime.actions):
            _print_event(event_row(found), json_)
        if follow:
            last = public_id("evt", rows[-1].seq) if rows else after
            async for found in kit.events(after=last):
                _print_event(event_row(found), json_)


def _row(prefix: str, public: str) -> int:
    try:
        return row_id(prefix, public)
    except ValueError as error:
        raise NotFound(str(error)) from None


def _print_event(row: dict[str, Any], json_: bool) -> None:
    if json_:
        as_json(row)
    else:
        columns = ("id", "at", "type", "message", "recipient", "reason_class", "reason")
        table(columns, [[row[c] for c in columns]])


@click.command()
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@click.option("--state", default="", help="Only in this state: pending, retrying, done ...")
@click.option("--message", "message_id", metavar="ID", help="Only of this message.")
@click.option("--limit", default=50, show_default=True, help="How many at most.")
@_json
@click.pass_context
def runs(
    ctx: click.Context, failed: bool, state: str, message_id: str | None, limit: int, json_: bool
) -> None:
    """List the calls of handlers, newest first, with what became of them."""
    wanted = _row("msg", message_id) if message_id else None
    rows = run(_runs(ctx, "failed" if failed else state, wanted, limit))
    columns = ("id", "state", "handler", "message", "attempts", "error")
    shown = [_run_row(row) for row in rows]
    if json_:
        for row in shown:
            as_json(row)
    else:
        table(columns, ([str(row[c])[-200:] for c in columns] for row in shown))


async def _runs(ctx: click.Context, state: str, message: int | None, limit: int) -> Sequence[Any]:
    async with opened(ctx) as kit:
        return await kit.runtime.store.read(
            store_runs.listed, state=state, message_id=message, limit=limit
        )


def _run_row(row: Any) -> dict[str, Any]:
    return {
        "id": public_id("run", row.id),
        "state": row.state,
        "handler": row.handler,
        "router": row.router,
        "kind": row.kind,
        "message": public_id("msg", row.message_id),
        "item": row.item,
        "attempts": row.attempts,
        "error": row.error,
        "created_at": moment(row.created_at),
        "finished_at": moment(row.finished_at),
    }
