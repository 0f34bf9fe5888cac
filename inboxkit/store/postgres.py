"""What is PostgreSQL's own: how a connection is set up, and what keeps upgrades apart.

Only imported when the database is one; needs the extra ``postgres``.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import Connection, Engine

SCHEMA = "inboxkit"
_UPGRADE_LOCK = 0x696E626F786B6974  # "inboxkit" as a number


class _Text(StrDumperUnknown):
    """Text as PostgreSQL takes it: mail may hold NUL, its text never does."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


def prepare(connection: Any, _record: object) -> None:
    """Set up a new connection: our schema's tables, no NUL in text."""
    connection.execute(f"SET search_path TO {SCHEMA}")
    connection.commit()
    connection.adapters.register_dumper(str, _Text)


@contextmanager
def own_connection(engine: Engine) -> Generator[Any]:
    """Give a connection of the driver that commits each statement, outside the pool.

    It loses nothing but wake-ups with the server, and so waits for no fsync. Errors that come up
    inside are raised as SQLAlchemy's, like those of the engine.
    """
    try:
        pooled = engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        with closing(connection):
            connection.autocommit = True
            connection.execute("SET synchronous_commit TO off")
            yield connection
    except psycopg.Error as error:
        raise DBAPIError(None, None, error) from error


def make_room(connection: Connection) -> None:
    """Make our schema; processes that upgrade at the same time go one after another."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))


def is_restored(connection: Connection) -> bool:
    """Whether the database came from a server that had counted more transactions than this one.

    Events would then not be shown, as if the transactions that wrote them were still open.
    """
    return bool(connection.execute(text(_IS_RESTORED)).scalar_one())


def begin_epoch(connection: Connection) -> None:
    """Let events be numbered on from the last one; see ``is_restored``."""
    last = connection.execute(text("SELECT coalesce(max(seq), 0) >> 20 FROM inboxkit_event"))
    epoch = int(last.scalar_one()) + 1
    connection.execute(text(f"{_EPOCH} AS 'SELECT {epoch}::bigint'"))


_EPOCH = "CREATE OR REPLACE FUNCTION inboxkit_epoch() RETURNS bigint LANGUAGE sql IMMUTABLE"
_IS_RESTORED = (
    "SELECT (coalesce(max(seq), 0) >> 20) - inboxkit_epoch()"
    " >= CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) FROM inboxkit_event"
)
