"""The wall clock was set back: what was due before is due now, not when the clock comes round.

What somebody has scheduled for a time stays there.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, String, and_, cast, func, not_, or_, select, update

from ..tokens import made_at
from .limit_tables import circuit
from .tables import job, message

if TYPE_CHECKING:
    from .transactions import Tx

log = logging.getLogger("inboxkit.store")
_UNNOTICED = timedelta(seconds=2)  # clocks are corrected by less all the time
_PAUSE = timedelta(minutes=1)  # what was put off by less than that was about to be due
_BY_THE_CLOCK = ("draft", "timer")


class Setbacks:
    """Looks at the clock with each beat; at the first, whether it went back between two starts."""

    def __init__(self) -> None:
        self._latest: datetime | None = None
        self._now: datetime | None = None

    def mend(self, tx: Tx, now: datetime) -> None:
        """Let jobs be due that were so before the clock was set back, if it was."""
        self._now = now
        before = self._latest or _newest(tx.connection)
        if before is None or before - now < _UNNOTICED:
            return
        hastened = _hasten(tx, now, before)
        shut = _reopen(tx, now)  # the later: what waits for a provider would be hastened as well
        if shut or hastened:
            log.warning(
                "the clock went back by %d s; due now instead of then: %d jobs",
                (before - now).total_seconds(),
                shut + hastened,
            )

    def keep(self) -> None:
        """Let the last look count: what was written with it is stored."""
        self._latest = self._now


def _newest(connection: Connection) -> datetime | None:
    """Return when the newest message or job was made, by the clock of whoever made it."""
    newest = (select(func.max(table.c.id)).scalar_subquery() for table in (message, job))
    found = [number for number in connection.execute(select(*newest)).one() if number is not None]
    return made_at(max(found)) if found else None


def _hasten(tx: Tx, now: datetime, before: datetime) -> int:
    """Make due what was due before, or soon after; return how many jobs."""
    scheduled = select(cast(message.c.id, String)).where(message.c.state == "scheduled")
    asked_for = or_(
        job.c.kind.in_(_BY_THE_CLOCK), and_(job.c.kind == "send", job.c.key.in_(scheduled))
    )
    waiting = and_(job.c.state == "ready", job.c.due_at > now, job.c.due_at <= before + _PAUSE)
    sooner = update(job).where(waiting, not_(asked_for)).values(due_at=now)
    kinds = list(tx.connection.execute(sooner.returning(job.c.kind)).scalars())
    tx.wake(*kinds)
    return len(kinds)


def _reopen(tx: Tx, now: datetime) -> int:
    """Let providers that were given nothing for a while have no longer to wait than that."""
    moved = 0
    ahead = select(circuit).where(circuit.c.changed_at > now).with_for_update()
    for row in tx.connection.execute(ahead).all():
        until = now + (row.until - row.changed_at)
        mine = circuit.c.provider == row.provider
        tx.connection.execute(update(circuit).where(mine).values(until=until, changed_at=now))
        waits = and_(job.c.kind == "send", job.c.state == "ready", job.c.due_at == row.until)
        moved += tx.connection.execute(update(job).where(waits).values(due_at=until)).rowcount
    return moved
