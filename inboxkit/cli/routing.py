"""The command ``routes``: which handlers there are, and which would take a message."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import discovery, matching
from ..router import HandlerKind, Router
from .opening import run, settings_of
from .printing import table
from .trying import tried

if TYPE_CHECKING:
    from ..models import Message

_MESSAGES = (HandlerKind.MESSAGE, HandlerKind.REPLY)


@click.command()
@click.argument("address", required=False)
@click.option(
    "--mail",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A mail: say which handler would take it and which thread it joins, and why.",
)
@click.option("--handlers", help="Folder of handlers.")
@click.pass_context
def routes(
    ctx: click.Context, address: str | None, mail: Path | None, handlers: str | None
) -> None:
    """Say which handlers would take a message to ADDRESS, or list all."""
    settings = settings_of(ctx, handlers=handlers)
    routers = discovery.load(Path(settings.handlers))
    if mail is not None:
        _explain(run(_place(ctx, address, mail)), routers)
    else:
        table(("router", "handler", "kind", "filters"), _rows(routers, address))
    for first, second in matching.overlapping(routers):
        click.echo(f"warning: {first.id} and {second.id} may both answer", err=True)


def _rows(routers: list[Router[...]], address: str | None) -> list[list[Any]]:
    return [
        [router.name, handler.id.rpartition(".")[2], handler.kind, handler.filters]
        for router in routers
        for handler in router.handlers
        if address is None or matching.matches(handler.filters.to, address)
    ]


async def _place(ctx: click.Context, address: str | None, mail: Path) -> Message:
    """Read a mail in a copy of the world that is thrown away: nothing is stored or sent."""
    return await tried(settings_of(ctx), address, mail.read_bytes())


def _explain(message: Message, routers: list[Router[...]]) -> None:
    click.echo(f"inbox: {message.inbox}")
    click.echo(f"kind: {message.kind}")
    click.echo(f"thread: {message.thread_id} ({message.thread_reason})")
    if message.answers is not None:
        click.echo(f"answers: {message.answers.id} {message.answers.subject!r}")
    for router in routers:
        taker = matching.match_message(router, message)
        click.echo(f"{router.name}: {taker.id if taker else 'nobody'}")
        for handler in router.handlers:
            why = matching.why_not(handler, message) if handler.kind in _MESSAGES else None
            if why is not None:
                click.echo(f"  not {handler.id.rpartition('.')[2]}: {why}")
