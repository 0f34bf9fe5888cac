"""Lanes: jobs that run one at a time. Only who holds a lane leases from it, until the commit.

SQLite has one writer at a time. On PostgreSQL two transactions do not see what the other has
leased, so each first takes the lane's advisory lock, and looks at its jobs after that, with another
statement: in READ COMMITTED that sees all that was committed before it began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Boolean, ColumnElement, Integer, Text, bindparam, cast, func, select

from .prepared import Names, Prepared

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection

_LANES = 1  # locks of two keys are apart from those of one key, which ``Tx.take_turns`` takes


def is_held(lane: ColumnElement[str]) -> ColumnElement[bool]:
    """Return what holds, on PostgreSQL, where the lane is this transaction's until it ends.

    It waits for nobody. Two lanes may share a lock: one of them is leased from a moment later.
    """
    key = cast(_LANES, Integer), func.hashtext(lane)
    return func.pg_try_advisory_xact_lock(*key, type_=Boolean)


def hold(connection: Connection, lanes: AbstractSet[str]) -> set[str]:
    """Return those of these lanes that this transaction may lease from."""
    if not lanes or connection.dialect.name == "sqlite":
        return set(lanes)
    return {row["lane"] for row in _hold(connection, names=list(lanes))}


_named = func.unnest(bindparam("names", type_=Names())).column_valued("lane")
_hold = Prepared(select(cast(_named, Text).label("lane")).where(is_held(_named)))
