"""Commands on the database's schema."""

from __future__ import annotations

import click

from ..store import schema
from ..store.database import open_database
from .opening import settings_of


@click.group()
def db() -> None:
    """Upgrade or check the database's schema."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Bring the schema up to date; safe to repeat."""
    database = open_database(settings_of(ctx).database)
    try:
        click.echo(schema.upgrade(database))
    finally:
        database.close()


@db.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Print the schema's version; exits 1 when it is not current."""
    database = open_database(settings_of(ctx).database)
    try:
        with database.reader.connect() as connection:
            version = schema.current(connection)
    finally:
        database.close()
    click.echo(version or "none")
    if version != schema.HEAD:
        click.echo(f"this inboxkit needs {schema.HEAD}; run: inboxkit db upgrade", err=True)
        ctx.exit(1)
