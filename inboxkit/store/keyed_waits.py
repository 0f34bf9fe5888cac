"""What a wait returned under a key: whoever has lost the answer asks again, and gets the same.

It holds while the message is marked as it was then: what was given back is anybody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from . import idempotency
from .tables import message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .idempotency import Claim
    from .writer import Tx


@dataclass(slots=True)
class Keyed:
    """The key of a wait. ``at``: when what it returns was marked; None if it was returned before.

    What was returned before is given back by nobody: the first answer may have arrived.
    """

    claim: Claim
    at: datetime | None = None


def known(connection: Connection, claim: Claim, now: datetime) -> tuple[int, datetime] | None:
    """Return the row that was returned under a key, and when it was marked.

    Raise KeyReused for a key that another wait had.
    """
    said = idempotency.answered(connection, claim, now)
    if said is None:
        return None
    return _told(said) if _stands(connection, said) else None


def _told(said: Mapping[str, Any]) -> tuple[int, datetime]:
    return int(said["row"]), datetime.fromisoformat(said["taken_at"])


def _stands(connection: Connection, said: Mapping[str, Any]) -> bool:
    row, at = _told(said)
    query = select(message.c.id).where(message.c.id == row, message.c.taken_at == at)
    return connection.execute(query).first() is not None


def remember(tx: Tx, claim: Claim, row: int, now: datetime) -> None:
    """Keep what is marked now and returned under a key, in place of what stands no more."""
    idempotency.forget(tx, claim, lambda said: not _stands(tx.connection, said))
    idempotency.remember(tx, claim, {"row": row, "taken_at": now.isoformat()}, now)


def mark_again(tx: Tx, claim: Claim, row: int, at: datetime, now: datetime) -> bool:
    """Mark anew what was marked ``at``; False when it was given back meanwhile.

    So the call before, should it learn only now that its caller has gone, gives back nothing.
    """
    mine = (message.c.id == row) & (message.c.taken_at == at)
    if tx.connection.execute(update(message).where(mine).values(taken_at=now)).rowcount != 1:
        return False
    remember(tx, claim, row, now)
    return True
