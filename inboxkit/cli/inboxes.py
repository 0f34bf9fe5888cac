"""Commands on inboxes: create, list, show, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..pipeline.deletion import delete_inbox
from ..store import inboxes as store_inboxes
from .looking import looked
from .opening import opened, run
from .printing import as_json, flat, moment, table

if TYPE_CHECKING:
    from ..store.inboxes import InboxRecord

_json = click.option("--json", "json_", is_flag=True, help="One JSON object a line.")


@click.group()
def inbox() -> None:
    """Create, list, show and delete inboxes."""


@inbox.command()
@click.argument("address", required=False)
@click.option("--name", default="", help="Display name of what it sends.")
@click.option("--alias", "aliases", multiple=True, help="Another address of it; repeatable.")
@click.option("--client-id", help="The same id returns the same inbox.")
@_json
@click.pass_context
def create(
    ctx: click.Context,
    address: str | None,
    name: str,
    aliases: tuple[str, ...],
    client_id: str | None,
    json_: bool,
) -> None:
    """Create an inbox, or print the one that is there; without ADDRESS a new one."""
    record = run(_create(ctx, address, name, aliases, client_id))
    if json_:
        as_json(inbox_row(record))
    else:
        click.echo(record.address)


async def _create(
    ctx: click.Context,
    address: str | None,
    name: str,
    aliases: tuple[str, ...],
    client_id: str | None,
) -> InboxRecord:
    async with opened(ctx) as kit:
        made = await kit.inbox(address, display_name=name, aliases=aliases, client_id=client_id)
        return await kit.runtime.store.read(store_inboxes.require, made.address)


@inbox.command("list")
@_json
@click.pass_context
def list_(ctx: click.Context, json_: bool) -> None:
    """List inboxes, oldest first."""
    rows = [inbox_row(record) for record in run(_list(ctx))]
    if json_:
        for row in rows:
            as_json(row)
        return
    columns = ("address", "display_name", "status", "aliases", "created_at")
    table(columns, ([row[c] or "" for c in columns] for row in rows))


async def _list(ctx: click.Context) -> list[InboxRecord]:
    async with looked(ctx) as look:
        return await look.store.read(store_inboxes.everything)


@inbox.command()
@click.argument("address")
@_json
@click.pass_context
def show(ctx: click.Context, address: str, json_: bool) -> None:
    """Show an inbox."""
    row = inbox_row(run(_show(ctx, address)))
    if json_:
        as_json(row)
    else:
        click.echo("\n".join(f"{name}: {flat(value)}" for name, value in row.items() if value))


async def _show(ctx: click.Context, address: str) -> InboxRecord:
    async with looked(ctx) as look:
        return await look.store.read(store_inboxes.require, address)


@inbox.command()
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def delete(ctx: click.Context, address: str, yes: bool) -> None:
    """Delete an inbox with everything in it."""
    if not yes:
        click.confirm(f"Delete {address} and all its messages?", abort=True, err=True)
    run(_delete(ctx, address))


async def _delete(ctx: click.Context, address: str) -> None:
    async with looked(ctx) as look:
        store = look.store
        record = await store.read(store_inboxes.require, address)
        await delete_inbox(store, record.id)


def inbox_row(record: InboxRecord) -> dict[str, Any]:
    """Return what is known of an inbox."""
    return {
        "address": record.address,
        "display_name": record.display_name,
        "aliases": list(record.aliases),
        "client_id": record.client_id,
        "status": record.status,
        "metadata": dict(record.metadata),
        "expires_at": moment(record.expires_at),
        "created_at": moment(record.created_at),
    }
