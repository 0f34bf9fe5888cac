"""The command ``export``: the bytes as they came, a file a message, our trace fields in front."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from anyio import to_thread

from ..store import exports
from ..store import inboxes as store_inboxes
from ..store.blobs import Packed, Unreadable
from ..tokens import public_id
from ..trace import trace_fields
from .looking import looked
from .opening import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..store.blobs import Blobs

_PAGE = 200
_BINARY: int = getattr(os, "O_BINARY", 0)  # of Windows, which would write another line end


@click.command()
@click.option("--inbox", metavar="ADDRESS", help="Only this inbox.")
@click.option("--plain", is_flag=True, help="Without trace fields: exactly the bytes as they came.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def export(ctx: click.Context, inbox: str | None, plain: bool, folder: Path) -> None:
    """Write messages to FOLDER, one ID.eml each. Safe while a server runs."""
    number = run(_export(ctx, inbox, plain, folder))
    click.echo(f"exported {number}", err=True)


async def _export(ctx: click.Context, inbox: str | None, plain: bool, folder: Path) -> int:
    number, after = 0, 0
    async with looked(ctx) as look:
        store, hostname = look.store, "" if plain else look.settings.hostname
        inbox_id = (await store.read(store_inboxes.require, inbox)).id if inbox else None
        while rows := await store.read(exports.page, inbox_id, after=after, limit=_PAGE):
            number += await to_thread.run_sync(_write, store.blobs, rows, hostname, folder)
            after = rows[-1].id
    return number


def _write(blobs: Blobs, rows: Sequence[Any], hostname: str, folder: Path) -> int:
    """Write a file for each message, with trace fields when there is a ``hostname`` for them.

    Return how many; what was deleted since the rows were read is left out.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 0
    for row in rows:
        head = trace_fields(row, hostname) if hostname else b""
        try:
            data = blobs.unpack(Packed(row.data, row.location))
        except Unreadable as error:
            click.echo(f"{public_id('msg', row.id)}: left out: {error}", err=True)
            continue
        number += 1
        _write_file(folder / f"{public_id('msg', row.id)}.eml", head + data)
    return number


def _write_file(path: Path, data: bytes) -> None:
    """Write a file that its owner alone can read, as the database is; one that is there stays.

    None is left that is cut off: it would pass for the whole message.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
