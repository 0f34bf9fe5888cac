"""The command ``cancel``: take back a send whose time has not come."""

from __future__ import annotations

import click

from .opening import run
from .reaching import glimpsed


@click.command()
@click.argument("message_id", metavar="ID")
@click.pass_context
def cancel(ctx: click.Context, message_id: str) -> None:
    """Take back a send that is still scheduled: it is deleted, and nothing leaves.

    `inboxkit messages --query state:scheduled` lists them.
    """
    run(_cancel(ctx, message_id))
    click.echo(f"cancelled {message_id}", err=True)


async def _cancel(ctx: click.Context, message_id: str) -> None:
    async with glimpsed(ctx) as place:
        await (await place.message(message_id)).cancel()
