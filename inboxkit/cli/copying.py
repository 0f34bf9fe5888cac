"""The command ``backup``: the whole state of an SQLite database, from which a start goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError
from ..store import backups
from ..store.database import sqlite_file
from .opening import require_database, settings_of, work_on_a_database

if TYPE_CHECKING:
    from ..store.backups import Backup


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_context
def backup(ctx: click.Context, folder: Path) -> None:
    """Copy the database and its files into FOLDER, a new one. Safe while a server runs.

    Prints the copy's path. Exits 1 when it could not be made, and also when files of messages are
    lost or damaged: then the copy holds all the others.
    """
    work_on_a_database(ctx)
    settings = settings_of(ctx)
    source = sqlite_file(settings.database)
    if source is None:
        raise ConfigurationError("database: backup copies SQLite; use pg_dump for PostgreSQL")
    if folder.exists():
        raise ConfigurationError(f"{folder} is there already; name a new folder")
    require_database(settings)
    done = backups.make(source, folder)
    click.echo(done.file)
    _tell(done)
    ctx.exit(1 if done.damaged else 0)


def _tell(done: Backup) -> None:
    size = done.file.stat().st_size / 1_000_000
    click.echo(f"database: {size:.1f} MB, files of large messages: {done.files}", err=True)
    if done.deleted:
        click.echo(f"messages deleted meanwhile, without their files: {done.deleted}", err=True)
    if done.objects:
        click.echo(f"left in the object_store: {done.objects}", err=True)
    for message, what in sorted(done.damaged.items()):
        click.echo(f"{message}: its file is {what}, also in the original", err=True)
