"""Commands on the database itself: its schema, and the secret that signs addresses."""

from __future__ import annotations

import contextlib
from dataclasses import astuple
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from sqlalchemy.exc import SQLAlchemyError

from ..errors import StoreError
from ..settings import without_secrets
from ..store import holds, schema, token_keys
from ..store.database import open_database, sqlite_file
from .looking import looked
from .moments import MOST_DAYS
from .opening import opened, require_database, run, settings_of
from .printing import moment

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime

    from ..store.database import Database
    from ..store.holds import Held

_NO_RIGHT = "permission denied for database"  # PostgreSQL's words where no schema may be made


@click.group()
def db() -> None:
    """Upgrade or check the schema, rotate the secret, hold back what waits in a copy."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Bring the schema up to date; safe to repeat."""
    with _opened(settings_of(ctx).database) as database:
        click.echo(schema.upgrade(database))


@db.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Print the schema's version; exits 1 when this inboxkit cannot work with it."""
    url = settings_of(ctx).database
    file = sqlite_file(url)
    version, works = "", False
    if file is None or file.is_file():  # a check makes no file
        with _opened(url) as database, database.reader.connect() as connection:
            version = schema.current(connection)
            works = schema.works_with(connection, version)
    click.echo(version or "none")
    if not works:
        todo = "upgrade inboxkit" if version > schema.HEAD else "run: inboxkit db upgrade"
        click.echo(f"this inboxkit needs {schema.HEAD}; {todo}", err=True)
        ctx.exit(1)


@db.command("rotate-secret")
@click.option(
    "--keep-days",
    type=click.IntRange(0, MOST_DAYS),
    default=180,
    show_default=True,
    help="How long reply addresses that are out there go on to work.",
)
@click.pass_context
def rotate_secret(ctx: click.Context, keep_days: int) -> None:
    """Sign addresses, ids and links with a new secret; no process needs to be restarted."""
    until = run(_rotate_secret(ctx, timedelta(days=keep_days)))
    click.echo(f"a new secret signs in 10 s; the ones before it are good until {moment(until)}")


async def _rotate_secret(ctx: click.Context, keep: timedelta) -> datetime:
    require_database(settings_of(ctx))
    async with opened(ctx) as kit:
        store, now = kit.runtime.store, kit.clock.now()
        await store.write(token_keys.rotate, store.identity, now, keep)
        return now + keep


@db.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def hold(ctx: click.Context, yes: bool) -> None:
    """Hold back what a restored copy would send and handle again, before its first start.

    What was due becomes `unknown` (sends) or `failed` (Runs, drafts), and mail that no handler
    has had is labelled `held`. What is scheduled for later stays.
    """
    if not yes:
        click.confirm("Send and handle nothing that waits in this database?", abort=True, err=True)
    held = run(_hold(ctx))
    if not any(astuple(held)):
        click.echo("nothing that is due waits in this database", err=True)
    for number, what, todo in (
        (held.sends, "sends", "inboxkit messages -q state:unknown; inboxkit resolve ID sent|retry"),
        (held.runs, "Runs", "inboxkit runs --failed; inboxkit replay RUN"),
        (
            held.messages,
            "messages",
            f"inboxkit messages -q label:{holds.LABEL}; inboxkit replay ID",
        ),
        (held.drafts, "drafts", "inboxkit draft list; inboxkit draft send ID"),
        (held.reminders, "reminders", "they are gone: their handlers are not called"),
    ):
        if number:
            click.echo(f"held back {number} {what}: {todo}", err=True)


async def _hold(ctx: click.Context) -> Held:
    async with looked(ctx) as look:
        if await look.others_at_work():
            raise StoreError(
                "processes are at work on this database, or were ten seconds ago when it was "
                "copied: stop them, or wait"
            )
        return await look.store.write(holds.hold, look.clock.now())


@contextlib.contextmanager
def _opened(url: str) -> Generator[Database]:
    database = open_database(url)
    try:
        yield database
    except SQLAlchemyError as error:
        said = f"database {without_secrets(url)}: {getattr(error, 'orig', None) or error}"
        if _NO_RIGHT in said:
            said += "; a superuser or its owner gives it: GRANT CREATE ON DATABASE ... TO ..."
        raise StoreError(said) from error
    finally:
        database.close()
