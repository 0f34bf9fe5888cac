"""Commands on the database's schema."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click
from sqlalchemy.exc import SQLAlchemyError

from ..errors import StoreError
from ..settings import without_password
from ..store import schema
from ..store.database import open_database, sqlite_file
from .opening import settings_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..store.database import Database


@click.group()
def db() -> None:
    """Upgrade or check the database's schema."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Bring the schema up to date; safe to repeat."""
    with _opened(settings_of(ctx).database) as database:
        click.echo(schema.upgrade(database))


@db.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Print the schema's version; exits 1 when it is not current."""
    url = settings_of(ctx).database
    file = sqlite_file(url)
    version = ""
    if file is None or file.is_file():  # a check makes no file
        with _opened(url) as database, database.reader.connect() as connection:
            version = schema.current(connection)
    click.echo(version or "none")
    if version != schema.HEAD:
        click.echo(f"this inboxkit needs {schema.HEAD}; run: inboxkit db upgrade", err=True)
        ctx.exit(1)


@contextlib.contextmanager
def _opened(url: str) -> Generator[Database]:
    database = open_database(url)
    try:
        yield database
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise StoreError(f"database {without_password(url)}: {cause}") from error
    finally:
        database.close()
