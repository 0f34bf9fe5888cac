"""What was answered under an idempotency key, remembered in the transaction that did the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select

from ..errors import KeyReused
from .api_tables import idempotency
from .tables import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from .writer import Tx


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that a request came with; ``fingerprint`` tells the same request from another.

    ``living``: it holds as long as what was sent under it is there, and was not taken back.
    """

    scope: str
    key: str
    fingerprint: str
    expires_at: datetime
    living: bool = False


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
    return response if not claim.living or _is_there(connection, response["row"]) else None


def _is_there(connection: Connection, row_id: int) -> bool:
    return (
        connection.execute(select(message.c.id).where(message.c.id == row_id)).first() is not None
    )


def remember(tx: Tx, claim: Claim, response: Mapping[str, Any], now: datetime) -> None:
    """Keep the answer until the claim expires; what has expired or is gone is forgotten.

    What another transaction has stored under the key since we looked stays: the key is taken then,
    and whoever does the work again finds that answer.
    """
    tx.connection.execute(delete(idempotency).where(idempotency.c.expires_at <= now))
    if claim.living:
        forget(tx, claim, lambda said: not _is_there(tx.connection, said["row"]))
    row = {"scope": claim.scope, "key": claim.key, "fingerprint": claim.fingerprint}
    kept = {"response": dict(response), "expires_at": claim.expires_at}
    tx.connection.execute(insert(idempotency), [row | kept])


def forget(tx: Tx, claim: Claim, is_gone: Callable[[Mapping[str, Any]], bool]) -> None:
    """Forget the answer under a key if what it told of is gone."""
    mine = (idempotency.c.scope == claim.scope) & (idempotency.c.key == claim.key)
    held = select(idempotency.c.response).where(mine).with_for_update()
    response = tx.connection.execute(held).scalar()
    if response is not None and is_gone(response):
        tx.connection.execute(delete(idempotency).where(mine))
