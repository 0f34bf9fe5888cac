"""What a wait returned under a key: whoever has lost the answer asks again, and gets the same.

It holds while the message is marked as it was then: what was given back is anybody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select, update

from . import idempotency, untaken
from .api_tables import idempotency as answers
from .idempotency import Claim
from .tables import message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .transactions import Tx


@dataclass(slots=True)
class Keyed:
    """The key of a wait. ``at``: when what it returns was marked; None if it was returned before.

    What was returned before is given back by nobody: the first answer may have arrived.
    """

    claim: Claim
    at: datetime | None = None


def keyed(scope: str, key: str, fingerprint: str, expires_at: datetime) -> Keyed:
    """Return the key of a wait; see ``Claim``."""
    return Keyed(Claim(scope, key, fingerprint, expires_at, _is_marked))


def _is_marked(connection: Connection, response: Mapping[str, Any]) -> bool:
    at = datetime.fromisoformat(response["taken_at"])
    marked = (message.c.id == response["row"]) & (message.c.taken_at == at)
    return connection.execute(select(message.c.id).where(marked)).first() is not None


def known(connection: Connection, claim: Claim, now: datetime) -> tuple[int, datetime] | None:
    """Return the row that was returned under a key, and when it was marked.

    Raise KeyReused for a key that another wait had.
    """
    said = idempotency.answered(connection, claim, now)
    return None if said is None else (said["row"], datetime.fromisoformat(said["taken_at"]))


def remember(tx: Tx, claim: Claim, row: int, now: datetime) -> None:
    """Keep what is marked now and returned under a key."""
    idempotency.remember(tx, claim, {"row": row, "taken_at": now.isoformat()}, now)


def mark_again(tx: Tx, claim: Claim, row: int, at: datetime, now: datetime) -> bool:
    """Mark anew what was marked ``at``; False when it was given back meanwhile.

    So the call before, should it learn only now that its caller has gone, gives back nothing.
    """
    mine = (message.c.id == row) & (message.c.taken_at == at)
    if tx.connection.execute(update(message).where(mine).values(taken_at=now)).rowcount != 1:
        return False
    if now != at:  # a clock may stand still; what is kept holds then
        remember(tx, claim, row, now)
    return True


def forget(tx: Tx, claim: Claim) -> None:
    """Forget what was returned under a key, which is its message no longer."""
    mine = (answers.c.scope == claim.scope) & (answers.c.key == claim.key)
    tx.connection.execute(delete(answers).where(mine))


def release(tx: Tx, scope: str, keys: Sequence[str], now: datetime) -> None:
    """Give back what was returned under keys, if it is marked as it was then."""
    query = select(answers.c.response).where(
        answers.c.scope == scope, answers.c.key.in_(keys), answers.c.expires_at > now
    )
    for said in tx.connection.execute(query).scalars().all():
        untaken.give_back(tx, [said["row"]], datetime.fromisoformat(said["taken_at"]))
