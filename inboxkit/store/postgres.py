"""What is PostgreSQL's own: how a connection is set up, and what keeps upgrades apart.

Only imported when the database is one; needs the extra ``postgres``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.string import StrDumperUnknown
from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

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


def make_room(connection: Connection) -> None:
    """Make our schema; processes that upgrade at the same time go one after another."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
