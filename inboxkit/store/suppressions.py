"""Addresses we must not write to: dead ones, and people who complained or unsubscribed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ..values import EventType
from .tables import suppression

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .writer import Tx


def add(
    tx: Tx, address: str, *, reason: str, now: datetime, domain: str = "", detail: str = ""
) -> bool:
    """Suppress an address for one sending domain, or for all; False when it is already.

    A complaint outweighs an unsubscription, whichever was told first.
    """
    key = {"address": address.lower(), "domain": domain}
    known = tx.connection.execute(select(suppression.c.reason).filter_by(**key)).scalar()
    if known == EventType.UNSUBSCRIBED and reason == EventType.COMPLAINED:
        tx.connection.execute(update(suppression).filter_by(**key).values(reason=reason))
    if known is not None:
        return False
    row = {**key, "reason": reason, "detail": detail[:500], "created_at": now}
    tx.connection.execute(insert(suppression), [row])
    return True


def remove(tx: Tx, address: str) -> int:
    """Lift the suppression of an address everywhere; return how many entries went."""
    mine = suppression.c.address == address.lower()
    return tx.connection.execute(delete(suppression).where(mine)).rowcount


def among(connection: Connection, addresses: Sequence[str], domain: str) -> dict[str, str]:
    """Return which of these addresses are suppressed, and why."""
    query = select(suppression).where(
        suppression.c.address.in_([a.lower() for a in addresses]),
        suppression.c.domain.in_(("", domain)),
    )
    return {row.address: row.reason for row in connection.execute(query)}


def of_addresses(connection: Connection, addresses: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return why addresses are suppressed, by sending domain ("" for all)."""
    query = select(suppression).where(suppression.c.address.in_([a.lower() for a in addresses]))
    found: dict[str, dict[str, str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.address, {})[row.domain] = row.reason
    return found


def everything(connection: Connection) -> Sequence[Row[Any]]:
    """Return all entries, by address."""
    return connection.execute(select(suppression).order_by(suppression.c.address)).all()
