"""When the rarer housekeeping was last done: a fact of the database, not of one process.

A process may be started anew more often than that is due, and several share one database.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, select, update

from .tables import setting
from .turn_numbers import numbered

if TYPE_CHECKING:
    from .transactions import Tx

_KEY = "housekeeping_done_at"


def is_due(connection: Connection, now: datetime, every: timedelta) -> bool:
    """Whether it was done longer ago than that, never, or by a clock that was ahead."""
    done = connection.execute(select(setting.c.value).where(setting.c.key == _KEY)).scalar()
    return done is None or not timedelta(0) <= now - datetime.fromisoformat(done) < every


def done(tx: Tx, now: datetime) -> None:
    """Note that it is done."""
    tx.take_turns(numbered("setting", [_KEY]))  # or two would make the first note at once
    row = {"key": _KEY, "value": now.isoformat()}
    if not tx.connection.execute(update(setting).where(setting.c.key == _KEY), row).rowcount:
        tx.connection.execute(insert(setting), [row])
