"""Addresses we must not write to: dead ones, and people who complained or unsubscribed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, insert, literal, select, tuple_, update

from ..values import EventType
from .mailgun_tables import mailgun_allow
from .tables import suppression

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .pages import Page
    from .writer import Tx


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list that is taken over; ``created_at`` None is now."""

    address: str
    domain: str = ""
    reason: str = "manual"
    detail: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SuppressionRecord:
    """An entry as it is stored; ``domain`` "" holds for all sending domains."""

    address: str
    domain: str
    reason: str
    detail: str
    created_at: datetime


def add(
    tx: Tx, address: str, *, reason: str, now: datetime, domain: str = "", detail: str = ""
) -> bool:
    """Suppress an address for one sending domain, or for all; False when it is already.

    A complaint outweighs an unsubscription, whichever was told first. What is on an allowlist is
    not suppressed by a bounce.
    """
    if reason == EventType.BOUNCED and _is_allowed(tx.connection, address):
        return False
    key = {"address": address.lower(), "domain": domain.lower()}
    known = tx.connection.execute(select(suppression.c.reason).filter_by(**key)).scalar()
    if known == EventType.UNSUBSCRIBED and reason == EventType.COMPLAINED:
        tx.connection.execute(update(suppression).filter_by(**key).values(reason=reason))
    if known is not None:
        return False
    row = {**key, "reason": reason, "detail": detail[:500], "created_at": now}
    tx.connection.execute(insert(suppression), [row])
    return True


def _is_allowed(connection: Connection, address: str) -> bool:
    values = (address.lower(), address.lower().rpartition("@")[2])
    query = select(mailgun_allow.c.value).where(mailgun_allow.c.value.in_(values)).limit(1)
    return connection.execute(query).first() is not None


def add_all(tx: Tx, entries: Sequence[Entry], now: datetime) -> int:
    """Take a list over, as from another system; return how many entries were new."""
    added = 0
    for entry in entries:
        added += add(
            tx,
            entry.address,
            reason=entry.reason,
            now=entry.created_at or now,
            domain=entry.domain,
            detail=entry.detail,
        )
    return added


def remove(tx: Tx, address: str, *, domain: str | None = None) -> int:
    """Lift the suppression of an address, everywhere or for one sending domain ("" is an entry for
    all of them); return how many entries went.
    """
    mine = suppression.c.address == address.lower()
    if domain is not None:
        mine &= suppression.c.domain == domain.lower()
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


def everything(connection: Connection, *, domain: str | None = None) -> Sequence[Row[Any]]:
    """Return all entries by address, or those of one sending domain."""
    query = select(suppression).order_by(suppression.c.address, suppression.c.domain)
    if domain is not None:
        query = query.where(suppression.c.domain == domain.lower())
    return connection.execute(query).all()


def listed(
    connection: Connection,
    page: Page[tuple[str, str]],
    *,
    domain: str | None = None,
    address: str | None = None,
) -> list[SuppressionRecord]:
    """Return a page of entries by address."""
    key = (suppression.c.address, suppression.c.domain)
    query = select(suppression).order_by(*key).limit(page.size + 1)
    if page.after is not None:
        query = query.where(tuple_(*key) > tuple_(*map(literal, page.after)))
    if domain is not None:
        query = query.where(suppression.c.domain == domain.lower())
    if address is not None:
        query = query.where(suppression.c.address == address.lower())
    return [SuppressionRecord(*row) for row in connection.execute(query)]


def of_address(connection: Connection, address: str) -> list[SuppressionRecord]:
    """Return the entries of an address."""
    query = select(suppression).where(suppression.c.address == address.lower())
    return [SuppressionRecord(*row) for row in connection.execute(query)]
