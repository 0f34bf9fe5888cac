"""The schema's version: check it at the start, bring it up to date with Alembic.

Two releases may share a database while it is upgraded: the newer one notes in it which programs can
go on. A migration that takes away what older ones use raises ``COMPATIBLE``.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from ..errors import ConfigurationError
from . import facts, refusals
from .database import is_busy

if TYPE_CHECKING:
    from types import ModuleType

    from alembic.config import Config
    from sqlalchemy import RootTransaction

    from .database import Database

HEAD = "0023"
COMPATIBLE = "0016"  # the oldest version whose programs can work with the schema of HEAD
_SCRIPTS = Path(__file__).parent / "migrations"
_COMPATIBLE_KEY = "schema_compatible"
_UPGRADE_SECONDS = 600.0
log = logging.getLogger("inboxkit.store")


def current(connection: Connection) -> str:
    """Return the version of the schema, "" when there is none yet."""
    if not inspect(connection).has_table("inboxkit_version"):
        return ""
    found = connection.execute(text("SELECT version_num FROM inboxkit_version")).scalar()
    return str(found or "")


def works_with(connection: Connection, version: str) -> bool:
    """Whether this program can work with a schema of this version: its own, or a newer one."""
    if version <= HEAD:
        return version == HEAD
    oldest = facts.get(connection, _COMPATIBLE_KEY)
    return oldest is not None and oldest <= HEAD


def ensure(database: Database) -> None:
    """Make the schema current: SQLite upgrades itself, elsewhere an old schema stops the start.

    A newer one is left as it is. Raise ConfigurationError when this program cannot work with it.
    """
    with database.reader.connect() as connection:
        version = current(connection)
        if works_with(connection, version):
            if version != HEAD:
                log.warning("%s; it can work with it; upgrade inboxkit soon", _newer(version))
            _check_restored(database, connection)
            return
    if version > HEAD:
        raise ConfigurationError(f"{_newer(version)}, and not made for it; upgrade inboxkit")
    if database.file is None:
        raise ConfigurationError(
            f"database: its schema is {version or 'missing'}, this inboxkit needs {HEAD}; "
            "run: inboxkit db upgrade"
        )
    upgrade(database)


def _newer(version: str) -> str:
    return f"database: its schema {version} is newer than this inboxkit ({HEAD})"


def upgrade(database: Database) -> str:
    """Run the migrations that are missing, in one transaction; return the version reached.

    A newer schema is left as it is. On PostgreSQL other programs go on with their mail meanwhile:
    when the two hold what the other waits for, the server undoes one, and we begin anew.
    """
    until = time.monotonic() + _UPGRADE_SECONDS
    while True:
        try:
            return _upgraded(database)
        except OperationalError as error:
            if not refusals.is_in_the_way(error) or time.monotonic() > until:
                raise
        log.warning("database: the upgrade and other work stood in each other's way; once more")


def _upgraded(database: Database) -> str:
    from alembic import command  # 0.2 s, and only a new or an old schema needs it

    with database.writer.connect() as connection, _begun(connection):
        own = None if database.file is not None else _of_postgres()
        if own is not None:
            own.make_room(connection)
        version = current(connection)
        if version < HEAD:  # another process may have been faster
            command.upgrade(config(connection), "head")
        if version <= HEAD:
            _note_compatible(connection)
        if own is not None and own.is_restored(connection):
            own.begin_epoch(connection)
        return current(connection)


def _begun(connection: Connection) -> RootTransaction:
    """Begin; an upgrade by another process is waited for as long as it takes, within reason.

    That of a large SQLite file outlasts the wait for a lock. PostgreSQL's begins later.
    """
    until = time.monotonic() + _UPGRADE_SECONDS
    is_told = False
    while True:
        try:
            return connection.begin()
        except OperationalError as error:
            if not is_busy(error.orig) or time.monotonic() > until:
                raise
        if not is_told:
            log.warning("database: locked by another process, such as for its upgrade; waiting")
            is_told = True


def _note_compatible(connection: Connection) -> None:
    """Say in the database which programs can go on with its schema."""
    facts.put(connection, _COMPATIBLE_KEY, COMPATIBLE)


def _check_restored(database: Database, connection: Connection) -> None:
    if database.file is None and _of_postgres().is_restored(connection):
        raise ConfigurationError(
            "database: it was restored from another server, and its event log waits for that "
            "server's transactions; run: inboxkit db upgrade"
        )


def _of_postgres() -> ModuleType:
    from . import postgres  # needs the driver, which an extra brings

    return postgres


def config(connection: Connection) -> Config:
    """Return Alembic's configuration, for our migrations on this connection."""
    from alembic.config import Config  # see above

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config
