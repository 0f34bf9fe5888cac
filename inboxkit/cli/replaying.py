"""The command ``replay``: a Run again, or all handlers of a message again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import InboxKitError, NotFound
from ..store import jobs, messages
from ..store import runs as store_runs
from ..tokens import public_id
from .looking import looked
from .opening import row_number, run

if TYPE_CHECKING:
    from datetime import datetime

    from ..store.store import Store
    from ..store.transactions import Tx

_AT_ONCE = 500
_ALL = 1 << 62


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

    A process that has the handlers loaded (`inboxkit run`) does it. What a Run has sent before
    is not sent again.
    """
    if not ids and not failed:
        raise click.UsageError("name Runs or messages, or give --failed")
    number, busy, living = run(_replay(ctx, ids, failed, handler, read_again, send_again))
    click.echo(f"replayed {number}{f', {busy} under way already' if busy else ''}", err=True)
    if number and not living:
        click.echo("nobody is at work on this database: they wait for inboxkit run", err=True)


async def _replay(
    ctx: click.Context,
    ids: tuple[str, ...],
    failed: bool,
    handler: str,
    read_again: bool,
    send_again: bool,
) -> tuple[int, int, int]:
    """Return how many are done again, how many not, as they are under way, and who else works."""
    named = [row_number("run", i) for i in ids if not i.startswith("msg_")]
    about = [row_number("msg", i) for i in ids if i.startswith("msg_")]
    async with looked(ctx) as look:
        store, now = look.store, look.clock.now()
        await _require(store, named, about)
        if read_again:
            for number in about:
                await store.write(messages.read_again, number, now)
            about, done = [], len(about)
        else:
            done = 0
        busy = 0
        chosen = [*named, *await _of_messages(store, about, handler, now)]
        if failed:
            chosen += await _given_up(store, handler)
        for start in range(0, len(chosen), _AT_ONCE):
            some = chosen[start : start + _AT_ONCE]
            queued = await store.write(store_runs.again, some, now, send_again=send_again)
            done, busy = done + queued, busy + len(some) - queued
        return done, busy, await look.others_at_work()


async def _require(store: Store, named: list[int], about: list[int]) -> None:
    """Raise NotFound for the first Run or message that there is not."""
    for number in named:
        if await store.read(store_runs.by_id, number) is None:
            raise NotFound(f"no Run {public_id('run', number)}")
    for number in about:
        if await store.read(messages.packed, number) is None:
            raise NotFound(f"no message {public_id('msg', number)}")


async def _given_up(store: Store, handler: str) -> list[int]:
    rows = await store.read(store_runs.listed, state="failed", limit=_ALL)
    return [row.id for row in rows if handler in ("", row.handler)]


async def _of_messages(store: Store, about: list[int], handler: str, now: datetime) -> list[int]:
    """Return the Runs of messages; one that has none is planned again."""
    chosen: list[int] = []
    for number in about:
        found = await store.read(store_runs.listed, message_id=number, limit=_ALL)
        chosen += [row.id for row in found if handler in ("", row.handler)]
        if not found:
            await store.write(_plan, number, now)
    return chosen


def _plan(tx: Tx, number: int, now: datetime) -> None:
    """Have a message matched with the handlers anew; one that waits to be read will be by itself.

    That would put the job that is there by then, and could never be stored.
    """
    if messages.waits_to_be_read(tx.connection, number):
        name = public_id("msg", number)
        raise InboxKitError(f"message {name} is not read yet: handlers get it once that is done")
    jobs.cancel(tx, "plan", [str(number)])
    if not jobs.is_known(tx.connection, "plan", str(number)):
        jobs.put(tx, [jobs.new_job("plan", number, inbox_id=0, due_at=now)])
