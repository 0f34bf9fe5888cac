"""The command ``resolve``: say what became of a send whose outcome is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from ..store import resolutions
from .looking import looked
from .opening import row_number, run

if TYPE_CHECKING:
    from ..store.resolutions import Resolution


@click.command()
@click.argument("message_id", metavar="ID")
@click.argument("how", metavar="sent|retry", type=click.Choice(["sent", "retry"]))
@click.pass_context
def resolve(ctx: click.Context, message_id: str, how: str) -> None:
    """Settle a send that may have gone out: count it as sent, or send it once more.

    `inboxkit messages --query state:unknown` lists them.
    """
    done = run(_resolve(ctx, message_id, cast("Resolution", how)))
    click.echo(f"{how}: {', '.join(done)}", err=True)


async def _resolve(ctx: click.Context, message_id: str, how: Resolution) -> list[str]:
    number = row_number("msg", message_id)
    async with looked(ctx) as look:
        store, now = look.store, look.clock.now()
        return await store.write(resolutions.by_hand, number, how, now=now)
