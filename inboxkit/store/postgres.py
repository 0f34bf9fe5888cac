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

from . import token_keys
from .refusals import is_useless

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine import ExceptionContext

SCHEMA = "inboxkit"
_UPGRADE_LOCK = 0x696E626F786B6974  # "inboxkit" as a number

# A host that dies, or its network, says nothing: without limits its locks are held for hours, and
# whoever waits for an answer of the server waits as long. Milliseconds, else seconds.
_OWN_SIDE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_SERVERS_SIDE = {
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    # Else the rows with two frequent words are no longer known one by one from 60,000 pages on, and
    # of each such page all are looked at.
    "work_mem": "32MB",
}
# Not by ``options`` at the start of a connection, which a pooler refuses; once, not for each
# transaction. What somebody has set, for the server, the role or in the URL, stays.
_SET = """
SELECT set_config(name, wanted, false)
FROM unnest(%s::text[], %s::text[]) AS ours (name, wanted) JOIN pg_settings USING (name)
WHERE source = 'default'
"""


# What ends a statement, a transaction or a session; not every version has them all.
LIMITS = (
    "lock_timeout",
    "statement_timeout",
    "transaction_timeout",
    "idle_in_transaction_session_timeout",
)
_NO_LIMITS = "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = ANY(:names)"


class _Text(StrDumperUnknown):
    """Text as PostgreSQL takes it: mail may hold NUL, its text never does."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


def limits(url: URL) -> dict[str, int]:
    """Return how long a connection waits for the network; what the URL says goes first."""
    return {name: value for name, value in _OWN_SIDE.items() if name not in url.query}


def prepare(connection: Any, _record: object) -> None:
    """Set up a new connection: our schema's tables, limits to waiting, memory, no NUL in text."""
    connection.execute(f"SET search_path TO {SCHEMA}")
    connection.execute(_SET, (list(_SERVERS_SIDE), list(_SERVERS_SIDE.values())))
    connection.commit()
    connection.adapters.register_dumper(str, _Text)


def recognise(connection: Any, identity: bytes) -> None:
    """Raise StoreError, and close a new connection, when it leads to another database than that.

    One that was dropped and made anew knows no inbox: senders would be told so for good.
    """
    try:
        row = connection.execute(token_keys.IDENTITY_OF).fetchone()
    except psycopg.errors.UndefinedTable as error:
        connection.close()
        raise token_keys.another("it lacks our tables, or this role may not see them") from error
    if row is None or row[0] != identity.hex():
        connection.close()
        raise token_keys.another()
    connection.rollback()


def give_up_useless(context: ExceptionContext) -> None:
    """Let a connection go that can never write again: the next may reach another server."""
    if is_useless(context.original_exception):
        context.is_disconnect = True


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
    """Make our schema; processes that upgrade at the same time go one after another.

    However long each takes: the limits to waiting are for mail.
    """
    connection.execute(text(_NO_LIMITS), {"names": list(LIMITS)})
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
