"""Commands that show what happened: events, and runs, the calls of handlers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import NotFound
from ..store import events as store_events
from ..store import records
from ..store import runs as store_runs
from ..tokens import public_id
from .looking import looked
from .opening import opened, row_number, run, url_of
from .printing import as_json, event_row, flat, moment, plain, table
from .reading import json_option, limit_option

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ..models import Event
    from ..store.store import Store
    from .looking import Look

_ALL = 1 << 62
_EVENT_COLUMNS = ("id", "at", "type", "message", "recipient", "reason_class", "reason")
_RUN_COLUMNS = ("id", "state", "handler", "message", "attempts", "error")


@click.command()
@click.option("--after", metavar="ID", help="Only what came after this event.")
@click.option("--message", "message_id", metavar="ID", help="Only of this message.")
@limit_option(100)
@click.option("--follow", is_flag=True, help="Go on with what happens from now on.")
@json_option
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
    start = row_number("evt", after) if after else None
    if url_of(ctx):
        from . import following  # the client, which no database needs

        async with following.log(ctx, message_id) as log:
            _print_events(await log.past(after, limit), json_)
            if follow:
                await _follow(log.coming(), message_id, json_)
        return
    async with looked(ctx) as look:
        about = await _known(look, message_id)
        rows = await _logged(look.store, start, about, limit)
        _print_events(await look.store.read(records.events, rows, look.actions), json_)
    if follow:
        last = rows[-1].seq if rows else start or 0
        async with opened(ctx) as kit:
            await _follow(kit.events(after=store_events.cursor_id(last)), message_id, json_)


async def _follow(coming: AsyncIterator[Event], message_id: str | None, json_: bool) -> None:
    """Print events as they come, each as a line: no table knows how wide the next one is."""
    async for found in coming:
        if message_id in (None, found.message.id):
            row = event_row(found)
            if json_:
                as_json(row)
            else:
                click.echo("\t".join(flat(row[c]) for c in _EVENT_COLUMNS))
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


def _print_events(found: Sequence[Event], json_: bool) -> None:
    rows = [event_row(event) for event in found]
    if json_:
        for row in rows:
            as_json(row)
    else:
        cells = ([row[c] for c in _EVENT_COLUMNS] for row in rows)
        table(_EVENT_COLUMNS, cells, spare=("reason_class", "at"))
    sys.stdout.flush()


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@click.option("--state", type=click.Choice(store_runs.STATES), help="Only in this state.")
@click.option("--message", "message_id", metavar="ID", help="Only of this message.")
@limit_option(50)
@json_option
@click.pass_context
def runs(
    ctx: click.Context,
    run_id: str | None,
    failed: bool,
    state: str | None,
    message_id: str | None,
    limit: int,
    json_: bool,
) -> None:
    """List the calls of handlers, newest first, with what became of them.

    With RUN only that one, with the traceback of what it raised.
    """
    if run_id is None:
        rows = run(_runs(ctx, "failed" if failed else state or "", message_id, limit))
    else:
        rows = [run(_one_run(ctx, run_id))]
    shown = [_run_row(row) for row in rows]
    if json_:
        for row in shown:
            as_json(row)
    elif run_id is not None:
        _print_run(shown[0])
    else:
        cells = ([_run_cell(row, c) for c in _RUN_COLUMNS] for row in shown)
        table(_RUN_COLUMNS, cells, spare=("attempts",))


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
