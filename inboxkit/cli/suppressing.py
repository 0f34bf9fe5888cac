"""Commands on suppressions: who is not written to any more, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..store import suppressions as store_suppressions
from .opening import opened, run
from .printing import as_json, moment, table

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group()
def suppressions() -> None:
    """List and change who is not written to."""


@suppressions.command("list")
@click.option("--json", "json_", is_flag=True, help="One JSON object a line.")
@click.pass_context
def list_(ctx: click.Context, json_: bool) -> None:
    """List suppressed addresses."""
    rows = [_row(row) for row in run(_list(ctx))]
    if json_:
        for row in rows:
            as_json(row)
    else:
        columns = ("address", "domain", "reason", "detail", "created_at")
        table(columns, ([row[c] for c in columns] for row in rows))


async def _list(ctx: click.Context) -> Sequence[Any]:
    async with opened(ctx) as kit:
        return await kit.runtime.store.read(store_suppressions.everything)


def _row(row: Any) -> dict[str, Any]:
    return {
        "address": row.address,
        "domain": row.domain,
        "reason": row.reason,
        "detail": row.detail,
        "created_at": moment(row.created_at),
    }


@suppressions.command()
@click.argument("addresses", nargs=-1, required=True)
@click.option("--reason", default="manual", show_default=True)
@click.pass_context
def add(ctx: click.Context, addresses: tuple[str, ...], reason: str) -> None:
    """Write no more to these addresses."""
    click.echo(f"added {run(_add(ctx, addresses, reason))}", err=True)


async def _add(ctx: click.Context, addresses: tuple[str, ...], reason: str) -> int:
    async with opened(ctx) as kit:
        store, now = kit.runtime.store, kit.clock.now()
        added = [
            await store.write(store_suppressions.add, address, reason=reason, now=now)
            for address in addresses
        ]
        return sum(added)


@suppressions.command()
@click.argument("addresses", nargs=-1, required=True)
@click.pass_context
def remove(ctx: click.Context, addresses: tuple[str, ...]) -> None:
    """Write to these addresses again."""
    click.echo(f"removed {run(_remove(ctx, addresses))}", err=True)


async def _remove(ctx: click.Context, addresses: tuple[str, ...]) -> int:
    async with opened(ctx) as kit:
        removed = [
            await kit.runtime.store.write(store_suppressions.remove, address)
            for address in addresses
        ]
        return sum(removed)
