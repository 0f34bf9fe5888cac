"""When the rarer housekeeping was last done: a fact of the database, not of one process.

A process may be started anew more often than that is due, and several share one database.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from . import facts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .transactions import Tx

_KEY = "housekeeping_done_at"


def is_due(connection: Connection, now: datetime, every: timedelta) -> bool:
    """Whether it was done longer ago than that, never, or by a clock that was ahead."""
    done = facts.get(connection, _KEY)
    return done is None or not timedelta(0) <= now - datetime.fromisoformat(done) < every


def done(tx: Tx, now: datetime) -> None:
    """Note that it is done."""
    facts.put(tx.connection, _KEY, now.isoformat())
