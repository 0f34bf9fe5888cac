"""Commands that show what is stored: messages, show, thread, events, runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import NotFound
from ..store import events as store_events
from ..store import records
from ..store import runs as store_runs
from ..tokens import public_id
from .looking import looked
from .opening import opened, row_number, run, url_of
from .printing import (
    as_json,
    event_row,
    flat,
    message_row,
    message_whole,
    moment,
    plain,
    table,
    thread_whole,
)
from .reaching import glimpsed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..models import Message
    from ..store.store import Store
    from .looking import Look

F = TypeVar("F", bound="Callable[..., Any]")

_ALL = 1 << 62
_RUN_COLUMNS = ("id", "state", "handler", "message", "attempts", "error")
_json = click.option("--json", "json_", is_flag=True, help="One JSON object a line.")


def _limit(default: int) -> Callable[[F], F]:
    help_ = "How many at most; 0 means all."
    kind = click.IntRange(min=0)
    return click.option("--limit", type=kind, default=default, show_default=True, help=help_)


@click.command()
@click.option("--inbox", metavar="ADDRESS", help="Only this inbox.")
@click.option("--query", "-q", default="", help='Such as: from:ann has:attachment "size".')
@_limit(50)
@_json
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
@_json
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


@click.command()
@click.option("--after", metavar="ID", help="Only what came after this event.")
@click.option("--message", "message_id", metavar="ID", help="Only of this message.")
@_limit(100)
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
    if url_of(ctx):
        from . import following  # the client, which no database needs

        async for found in following.events(ctx, after, message_id, limit, follow=follow):
            _print_event(event_row(found), json_)
            sys.stdout.flush()
        return
    start = row_number("evt", after) if after else None
    async with looked(ctx) as look:
        about = await _known(look, message_id)
        rows = await _logged(look.store, start, about, limit)
        for found in await look.store.read(records.events, rows, look.actions):
            _print_event(event_row(found), json_)
    if follow:
        await _follow(ctx, rows[-1].seq if rows else start or 0, message_id, json_)


async def _follow(ctx: click.Context, last: int, message_id: str | None, json_: bool) -> None:
    async with opened(ctx) as kit:
        async for found in kit.events(after=store_events.cursor_id(last)):
            if message_id in (None, found.message.id):
                _print_event(event_row(found), json_)
                sys.stdout.flush()


async def _logged(store: Store, start: int | None, about: int | None, limit: int) -> Sequence[Any]:
    """Return log entries: the first ``limit`` after ``start``, or the last ones without it."""
    if about is not None:
        rows = await store.read(store_events.of_message, about)
        later = [row for row in rows if row.seq > (start or 0)]
        return later[: limit or _ALL] if start else later[-limit:]
    if start is None:
        start = max(0, await store.read(store_events.last) - limit) if limit else 0
    return await store.read(store_events.after, start, limit=limit or _ALL)


def _print_event(row: dict[str, Any], json_: bool) -> None:
    if json_:
        as_json(row)
    else:
        columns = ("id", "at", "type", "message", "recipient", "reason_class", "reason")
        table(columns, [[row[c] for c in columns]])


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@click.option("--state", default="", help="Only in this state: pending, retrying, done ...")
@click.option("--message", "message_id", metavar="ID", help="Only of this message.")
@_limit(50)
@_json
@click.pass_context
def runs(
    ctx: click.Context,
    run_id: str | None,
    failed: bool,
    state: str,
    message_id: str | None,
    limit: int,
    json_: bool,
) -> None:
    """List the calls of handlers, newest first, with what became of them.

    With RUN only that one, with the traceback of what it raised.
    """
    if run_id is not None:
        rows = [run(_one_run(ctx, run_id))]
    else:
        rows = run(_runs(ctx, "failed" if failed else state, message_id, limit))
    shown = [_run_row(row) for row in rows]
    if json_:
        for row in shown:
            as_json(row)
    elif run_id is not None:
        _print_run(shown[0])
    else:
        table(_RUN_COLUMNS, ([_run_cell(row, c) for c in _RUN_COLUMNS] for row in shown))


def _run_cell(row: dict[str, Any], column: str) -> str:
    """Return a cell; of a traceback its last line, which says what was raised."""
    lines = str(row[column]).strip().splitlines() or [""]
    return lines[-1][:200]


def _print_run(row: dict[str, Any]) -> None:
    for name, value in row.items():
        if value and name != "error":
            click.echo(f"{name}: {flat(value)}")
    if row["error"]:
        click.echo(f"\n{plain(row['error'].rstrip())}")


async def _one_run(ctx: click.Context, run_id: str) -> Any:
    number = row_number("run", run_id)
    async with looked(ctx) as look:
        found = await look.store.read(store_runs.by_id, number)
    if found is None:
        raise NotFound(f"no Run {run_id}")
    return found


async def _runs(
    ctx: click.Context, state: str, message_id: str | None, limit: int
) -> Sequence[Any]:
    async with looked(ctx) as look:
        about = await _known(look, message_id)
        return await look.store.read(
            store_runs.listed, state=state, message_id=about, limit=limit or _ALL
        )


async def _known(look: Look, message_id: str | None) -> int | None:
    """Return the row id of a message that there is; raise NotFound."""
    return row_number("msg", (await look.message(message_id)).id) if message_id else None


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
