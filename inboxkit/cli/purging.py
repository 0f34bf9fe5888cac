"""The command ``purge``: old messages, with their files and all that hangs on them."""

from __future__ import annotations

from datetime import timedelta

import click

from ..pipeline.deletion import delete_portion
from ..store import inboxes as store_inboxes
from ..store import purge as store_purge
from .looking import looked
from .moments import age
from .opening import run


@click.command()
@click.option("--older-than", metavar="AGE", help="Such as 30d, 12h or 2w.")
@click.option(
    "--keep", type=click.IntRange(min=0), metavar="N", help="Keep the newest N of the inbox."
)
@click.option("--inbox", metavar="ADDRESS", help="Only this inbox; --keep needs it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def purge(
    ctx: click.Context, older_than: str | None, keep: int | None, inbox: str | None, yes: bool
) -> None:
    """Delete old messages, inbound and outbound; what is not done with yet stays."""
    if (older_than is None) == (keep is None):
        raise click.UsageError("give either --older-than AGE or --keep N")
    if keep is not None and inbox is None:
        raise click.UsageError("--keep needs --inbox")
    old = _age(older_than) if older_than else None
    if not yes:
        click.confirm(f"Delete messages of {inbox or 'all inboxes'}?", abort=True, err=True)
    click.echo(f"deleted {run(_purge(ctx, old, keep, inbox))}", err=True)


def _age(text: str) -> timedelta:
    found = age(text)
    if found is None:
        raise click.UsageError(f"--older-than {text}: write a number and m, h, d or w")
    return found


async def _purge(
    ctx: click.Context, old: timedelta | None, keep: int | None, inbox: str | None
) -> int:
    number = 0
    async with looked(ctx) as look:
        store = look.store
        inbox_id = (await store.read(store_inboxes.require, inbox)).id if inbox else None

        async def some() -> list[int]:
            now = look.clock.now()
            if inbox_id is not None and keep is not None:
                return await store.read(store_purge.beyond, inbox_id, keep, now=now)
            before = now - (old or timedelta(0))
            return await store.read(store_purge.older_than, before, now=now, inbox_id=inbox_id)

        while ids := await some():
            await delete_portion(store, ids)
            number += len(ids)
    return number
