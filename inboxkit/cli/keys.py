"""Commands on API keys: create, list, revoke."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ..errors import NotFound
from ..http.api.permissions import PERMISSIONS
from ..store import api_keys, inboxes, pods
from ..store.api_keys import KeyRecord
from ..store.pages import Page
from ..store.reach import EVERYTHING
from ..tokens import public_id, row_id
from .looking import looked
from .moments import MOST_DAYS
from .opening import run
from .printing import as_json, moment, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_MOST = 10_000
_json = click.option("--json", "json_", is_flag=True, help="One JSON object a line.")


@click.group()
def key() -> None:
    """Create, list and revoke API keys."""


@key.command()
@click.argument("name")
@click.option("--live", is_flag=True, help="It may send through a provider that reaches people.")
@click.option("--inbox", metavar="ADDRESS", help="Bind it to one inbox.")
@click.option("--pod", metavar="ID", help="Bind it to one pod.")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice(PERMISSIONS),
    metavar="NAME",
    help="Allow only this; repeatable.",
)
@click.option("--days", type=click.IntRange(1, MOST_DAYS), help="Until when it is good.")
@_json
@click.pass_context
def create(
    ctx: click.Context,
    name: str,
    live: bool,
    inbox: str | None,
    pod: str | None,
    permissions: Sequence[str],
    days: int | None,
    json_: bool,
) -> None:
    """Create a key and print it; it is stored as a hash and never shown again."""
    if inbox and pod:
        raise click.UsageError("give --inbox or --pod, not both")
    allowed = dict.fromkeys(permissions, True) or None
    asked = {"name": name, "live": live, "permissions": allowed}
    made, secret = run(_create(ctx, asked, inbox, pod, days))
    if json_:
        as_json(_row(made) | {"key": secret})
    else:
        click.echo(secret)


async def _create(
    ctx: click.Context, asked: dict[str, Any], inbox: str | None, pod: str | None, days: int | None
) -> tuple[KeyRecord, str]:
    async with looked(ctx, makes=not (inbox or pod)) as look:
        store, now = look.store, look.clock.now()
        found = await store.read(inboxes.require, inbox) if inbox else None
        if pod is not None and await store.read(pods.find, pod) is None:
            raise NotFound(f"no pod {pod}")
        record = KeyRecord(
            id=0,
            prefix="",
            pod_id=pod,
            inbox_id=found.id if found else None,
            inbox=found.address if found else None,
            expires_at=now + timedelta(days=days) if days else None,
            created_at=now,
            updated_at=now,
            **asked,
        )
        return await store.write(api_keys.create, record)


@key.command("list")
@_json
@click.pass_context
def list_(ctx: click.Context, json_: bool) -> None:
    """List keys without their secrets, newest first."""
    rows = [_row(record) for record in run(_list(ctx))]
    if json_:
        for row in rows:
            as_json(row)
        return
    columns = ("id", "prefix", "name", "mode", "pod", "inbox", "used_at", "expires_at")
    table(columns, ([row[c] or "" for c in columns] for row in rows))


async def _list(ctx: click.Context) -> list[KeyRecord]:
    async with looked(ctx) as look:
        page: Page[int] = Page(_MOST)
        return await look.store.read(api_keys.listed, EVERYTHING, page)


@key.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_context
def revoke(ctx: click.Context, ids: Sequence[str]) -> None:
    """Revoke keys; they are refused from then on."""
    run(_revoke(ctx, ids))


async def _revoke(ctx: click.Context, ids: Sequence[str]) -> None:
    async with looked(ctx) as look:
        for name in ids:
            try:
                found = await look.store.write(api_keys.remove, row_id("key", name))
            except ValueError:
                found = False
            if not found:
                raise NotFound(f"no key {name}; `inboxkit key list` shows the ids")


def _row(record: KeyRecord) -> dict[str, Any]:
    return {
        "id": public_id("key", record.id),
        "prefix": record.prefix,
        "name": record.name,
        "mode": "live" if record.live else "test",
        "pod": record.pod_id,
        "inbox": record.inbox,
        "permissions": sorted(record.permissions) if record.permissions is not None else None,
        "used_at": moment(record.used_at),
        "expires_at": moment(record.expires_at),
        "created_at": moment(record.created_at),
    }
