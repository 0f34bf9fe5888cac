"""The command ``replay``: a Run again, or all handlers of a message again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import NotFound
from ..store import jobs, messages
from ..store import runs as store_runs
from ..tokens import row_id
from .opening import opened, run

if TYPE_CHECKING:
    from datetime import datetime

    from ..store.writer import Tx


@click.command()
@click.argument("ids", nargs=-1, metavar="RUN|MESSAGE...")
@click.option("--failed", is_flag=True, help="All Runs that were given up.")
@click.option("--handler", default="", help="Only Runs of this handler.")
@click.option("--read", "read_again", is_flag=True, help="Messages: read the bytes anew as well.")
@click.option("--send-again", is_flag=True, help="Send again what was sent before.")
@click.pass_context
def replay(
    ctx: click.Context,
    ids: tuple[str, ...],
    failed: bool,
    handler: str,
    read_again: bool,
    send_again: bool,
) -> None:
    """Run handlers again: of Runs, of messages, or of all that failed.

    A process that has the handlers loaded (``inboxkit run``) does it. What a Run has sent before
    is not sent again.
    """
    if not ids and not failed:
        raise click.UsageError("name Runs or messages, or give --failed")
    number = run(_replay(ctx, ids, failed, handler, read_again, send_again))
    click.echo(f"replayed {number}", err=True)


async def _replay(
    ctx: click.Context,
    ids: tuple[str, ...],
    failed: bool,
    handler: str,
    read_again: bool,
    send_again: bool,
) -> int:
    async with opened(ctx) as kit:
        store = kit.runtime.store
        wanted = [i for i in ids if i.startswith("msg_")]
        rows = list(await store.read(store_runs.listed, state="failed", limit=10_000))
        chosen = [row.id for row in rows if failed and handler in ("", row.handler)]
        chosen += [_row("run", i) for i in ids if not i.startswith("msg_")]
        for message_id in wanted:
            number = _row("msg", message_id)
            if read_again:
                await store.write(messages.read_again, number, kit.clock.now())
                continue
            found = await store.read(store_runs.listed, message_id=number, limit=1_000)
            chosen += [row.id for row in found if handler in ("", row.handler)]
            if not found:
                await store.write(_plan, number, kit.clock.now())
        again = await store.write(store_runs.again, chosen, kit.clock.now(), send_again=send_again)
        return again + (len(wanted) if read_again else 0)


def _plan(tx: Tx, number: int, now: datetime) -> None:
    jobs.cancel(tx, "plan", [str(number)])
    jobs.put(tx, [jobs.new_job("plan", number, inbox_id=0, due_at=now)])


def _row(prefix: str, public: str) -> int:
    try:
        return row_id(prefix, public)
    except ValueError as error:
        raise NotFound(str(error)) from None
