"""The schema's version: check it at the start, bring it up to date with Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType

    from alembic.config import Config

    from .database import Database

HEAD = "0014"
_SCRIPTS = Path(__file__).parent / "migrations"


def current(connection: Connection) -> str:
    """Return the version of the schema, "" when there is none yet."""
    if not inspect(connection).has_table("inboxkit_version"):
        return ""
    found = connection.execute(text("SELECT version_num FROM inboxkit_version")).scalar()
    return str(found or "")


def ensure(database: Database) -> None:
    """Make the schema current: SQLite upgrades itself, elsewhere an old schema stops the start."""
    with database.reader.connect() as connection:
        version = current(connection)
        if version == HEAD:
            _check_restored(database, connection)
            return
    if version > HEAD:
        raise ConfigurationError(
            f"database: its schema {version} is newer than this inboxkit ({HEAD}); upgrade inboxkit"
        )
    if database.file is None:
        raise ConfigurationError(
            f"database: its schema is {version or 'missing'}, this inboxkit needs {HEAD}; "
            "run: inboxkit db upgrade"
        )
    upgrade(database)


def upgrade(database: Database) -> str:
    """Run the migrations that are missing, in one transaction; return the version reached."""
    from alembic import command  # 0.2 s, and only a new or an old schema needs it

    with database.writer.begin() as connection:
        own = None if database.file is not None else _of_postgres()
        if own is not None:
            own.make_room(connection)
        if current(connection) != HEAD:  # another process may have been faster
            command.upgrade(_config(connection), "head")
        if own is not None and own.is_restored(connection):
            own.begin_epoch(connection)
        return current(connection)


def _check_restored(database: Database, connection: Connection) -> None:
    if database.file is None and _of_postgres().is_restored(connection):
        raise ConfigurationError(
            "database: it was restored from another server, and its event log waits for that "
            "server's transactions; run: inboxkit db upgrade"
        )


def _of_postgres() -> ModuleType:
    from . import postgres  # needs the driver, which an extra brings

    return postgres


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # see above

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config
