"""The command ``routes``: which handlers there are, and which would take a message."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import discovery, matching
from ..errors import ConfigurationError
from ..router import HandlerKind, Router
from ..store.database import sqlite_file
from . import files
from .looking import look
from .opening import handlers_folder, is_app, run, settings_of
from .printing import as_json, flat, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Message
    from ..router import Handler
    from ..settings import Settings

_MESSAGES = (HandlerKind.MESSAGE, HandlerKind.REPLY)


@click.command()
@click.argument("address", required=False)
@click.option(
    "--mail",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A mail: say which handlers would take it and which thread it joins, and why.",
)
@click.option("--handlers", metavar="FOLDER", help="Folder of handlers.")
@click.option("--json", "json_", is_flag=True, help="One JSON object a line.")
@click.pass_context
def routes(
    ctx: click.Context, address: str | None, mail: Path | None, handlers: str | None, json_: bool
) -> None:
    """Say which handlers would take a message to ADDRESS, or list all. Nothing is stored."""
    settings = settings_of(ctx, handlers=handlers)
    is_folder = not is_app(settings.handlers)
    routers = discovery.load(handlers_folder(settings)) if is_folder else []
    if mail is not None:
        from .trying import tried  # reads the mail, which takes a whole runtime

        placed = _placed(run(tried(settings, address, files.mail(mail, settings))), routers)
        as_json(placed) if json_ else _print(placed)
    else:
        wanted = None if address is None else run(_inbox_of(settings, address))
        _list(routers, wanted, json_)
    for first, second in matching.overlapping(routers):
        click.echo(f"warning: {first.id} and {second.id} may both answer", err=True)


def _list(routers: list[Router[...]], address: str | None, json_: bool) -> None:
    rows = [
        {
            "router": router.name,
            "handler": handler.id.rpartition(".")[2],
            "kind": str(handler.kind),
            "filters": str(handler.filters),
        }
        for router in routers
        for handler in router.handlers
        if address is None or matching.matches(handler.filters.to, address)
    ]
    if json_:
        for row in rows:
            as_json(row)
    else:
        table(("router", "handler", "kind", "filters"), (list(row.values()) for row in rows))


async def _inbox_of(settings: Settings, address: str) -> str:
    """Return the inbox that takes mail for an address, which may be an alias or have a plus-tag."""
    file = sqlite_file(settings.database)
    if file is None or file.is_file():  # do not make a database just to look
        async with look(settings) as found:
            target = await found.addresses.resolve(address, make=False)
        if target is not None:
            return target.address
    local, _, domain = address.rpartition("@")
    if not (local and domain):
        raise ConfigurationError(f"routes: {address!r} is not an address")
    bare = f"{local.partition('+')[0]}@{domain}"
    click.echo(f"there is no such inbox yet: inboxkit inbox create {bare}", err=True)
    return bare


def _placed(message: Message, routers: list[Router[...]]) -> dict[str, Any]:
    """Return where a message goes and why."""
    handlers = [(handler, router) for router in routers for handler in router.handlers]
    refused = {h.id: _refusal(h, message) for h, _ in handlers if h.kind in _MESSAGES}
    return {
        "inbox": message.inbox,
        "kind": str(message.kind),
        "thread_id": None if message.thread_reason == "new" else message.thread_id,
        "thread_reason": message.thread_reason,
        "answers": None if message.answers is None else message.answers.id,
        "takers": [_taker(handler, item) for handler, item in takers(routers, message)],
        "others": [{"handler": name, "why": why} for name, why in refused.items() if why],
    }


def _taker(handler: Handler, item: str) -> dict[str, str]:
    return {"handler": handler.id, "kind": str(handler.kind), "item": item}


def takers(routers: Sequence[Router[...]], message: Message) -> list[tuple[Handler, str]]:
    """Return who takes the message, its code and its attachments, each with what it takes."""
    found: list[tuple[Handler, str]] = []
    for router in routers:
        first = _first_taker(router, message)
        found += [(first, "message")] if first else []
        code = matching.match_otp(router, message) if message.otp else None
        found += [(code, "code")] if code else []
        files = matching.match_attachments(router, message)
        found += [(handler, attachment.filename) for handler, attachment in files]
    return found


def _first_taker(router: Router[...], message: Message) -> Handler | None:
    try:
        return matching.match_message(router, message)
    except Exception as error:  # noqa: BLE001 - ``when=`` is foreign code; ``others`` shows it
        click.echo(f"{router.name}: {type(error).__name__}: {error}", err=True)
        return None


def _refusal(handler: Handler, message: Message) -> str | None:
    try:
        return matching.why_not(handler, message)
    except Exception as error:  # noqa: BLE001 - ``when=`` is foreign code
        return f"its when= raised {type(error).__name__}"


def _print(placed: dict[str, Any]) -> None:
    click.echo(f"inbox: {placed['inbox']}")
    click.echo(f"kind: {placed['kind']}")
    click.echo(f"thread: {placed['thread_id'] or 'a new one'} ({placed['thread_reason']})")
    if placed["answers"]:
        click.echo(f"answers: {placed['answers']}")
    for taker in placed["takers"]:
        click.echo(flat(f"{taker['handler']} takes the {taker['item']}"))
    if not placed["takers"]:
        click.echo("no handler takes it")
    for other in placed["others"]:
        click.echo(flat(f"not {other['handler']}: {other['why']}"))
