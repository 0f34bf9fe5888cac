"""The command ``export``: the bytes as they came, a file a message, our trace fields in front."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection, select

from ..store import inboxes as store_inboxes
from ..store.blobs import Packed
from ..store.tables import message, raw
from ..tokens import public_id
from ..trace import trace_fields
from .opening import opened, run

_PAGE = 200


@click.command()
@click.option("--inbox", metavar="ADDRESS", help="Only this inbox.")
@click.option("--plain", is_flag=True, help="Without trace fields: exactly the bytes as they came.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def export(ctx: click.Context, inbox: str | None, plain: bool, folder: Path) -> None:
    """Write messages to FOLDER, one ID.eml each. Safe while a server runs."""
    folder.mkdir(parents=True, exist_ok=True)
    number = run(_export(ctx, inbox, plain, folder))
    click.echo(f"exported {number}", err=True)


async def _export(ctx: click.Context, inbox: str | None, plain: bool, folder: Path) -> int:
    number, after = 0, 0
    async with opened(ctx) as kit:
        store = kit.runtime.store
        inbox_id = (await store.read(store_inboxes.require, inbox)).id if inbox else None
        while True:
            rows = await store.read(_page, inbox_id, after)
            for row in rows:
                data = store.blobs.unpack(Packed(row.data, row.location))
                head = b"" if plain else trace_fields(row, kit.settings.hostname)
                (folder / f"{public_id('msg', row.id)}.eml").write_bytes(head + data)
            number += len(rows)
            if len(rows) < _PAGE:
                return number
            after = rows[-1].id


def _page(connection: Connection, inbox_id: int | None, after: int) -> list[Any]:
    columns = (
        message.c.id,
        message.c.direction,
        message.c.mail_from,
        message.c.rcpt_to,
        message.c.trace,
        message.c.received_at,
        raw.c.data,
        raw.c.location,
    )
    query = (
        select(*columns)
        .join(raw, raw.c.message_id == message.c.id)
        .where(message.c.id > after)
        .order_by(message.c.id)
        .limit(_PAGE)
    )
    if inbox_id is not None:
        query = query.where(message.c.inbox_id == inbox_id)
    return list(connection.execute(query))
