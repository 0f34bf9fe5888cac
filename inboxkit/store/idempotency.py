"""What was answered under an idempotency key, remembered in the transaction that did the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from ..errors import KeyReused
from .api_tables import idempotency
from .tables import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from .transactions import Tx


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that a request came with; ``fingerprint`` tells the same request from another.

    ``holds`` says of an answer whether it still is one; without it every answer is, until the end.
    """

    scope: str
    key: str
    fingerprint: str
    expires_at: datetime
    holds: Callable[[Connection, Mapping[str, Any]], bool] | None = None


def answered(connection: Connection, claim: Claim, now: datetime) -> Mapping[str, Any] | None:
    """Return what the key was answered with before; raise KeyReused for another request."""
    query = select(idempotency.c.fingerprint, idempotency.c.response).where(
        idempotency.c.scope == claim.scope,
        idempotency.c.key == claim.key,
        idempotency.c.expires_at > now,
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.fingerprint != claim.fingerprint:
        raise KeyReused(
            f"idempotency key {claim.key!r}: was used before for another request; "
            "use a new key, or repeat the first request"
        )
    response: Mapping[str, Any] = row.response
    return response if claim.holds is None or claim.holds(connection, response) else None


def is_there(connection: Connection, response: Mapping[str, Any]) -> bool:
    """Whether what was sent is there, and was not taken back."""
    query = select(message.c.id).where(message.c.id == response["row"])
    return connection.execute(query).first() is not None


def remember(tx: Tx, claim: Claim, response: Mapping[str, Any], now: datetime) -> None:
    """Keep the answer until the claim expires; what has expired or holds no longer is forgotten.

    An answer that another transaction has kept since we looked stays: the unit fails, looks again,
    and finds it.
    """
    mine = (idempotency.c.scope == claim.scope) & (idempotency.c.key == claim.key)
    tx.connection.execute(delete(idempotency).where(idempotency.c.expires_at <= now))
    if claim.holds is not None:
        _forget(tx, claim, mine)
    row = {"scope": claim.scope, "key": claim.key, "fingerprint": claim.fingerprint}
    kept = {"response": dict(response), "expires_at": claim.expires_at}
    tx.connection.execute(insert(idempotency), [row | kept])


def _forget(tx: Tx, claim: Claim, mine: ColumnElement[bool]) -> None:
    """Delete an answer that holds no longer, and none that takes its place at this moment."""
    columns = (idempotency.c.response, idempotency.c.expires_at)
    known = tx.connection.execute(select(*columns).where(mine)).first()
    if known is None or claim.holds is None or claim.holds(tx.connection, known.response):
        return
    seen = idempotency.c.expires_at == known.expires_at
    tx.connection.execute(delete(idempotency).where(mine & seen))
