"""Addresses we must not write to: dead ones, and people who complained or unsubscribed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from ..addresses import listed_form
from ..values import EventType
from .mailgun_tables import mailgun_allow
from .prepared import Prepared
from .prepared import among as one_of
from .rows import columns
from .tables import suppression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .pages import Page
    from .transactions import Tx

_PORTION = 500
_MOST_CHARACTERS = 500  # of a detail


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
    """An entry as it is stored; ``domain`` "" holds for all mail, a pod's id for that pod's."""

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
    address = listed_form(address)
    if reason == EventType.BOUNCED and _allowed(tx.connection, [address]):
        return False
    key = {"address": address, "domain": domain.lower()}
    known = tx.connection.execute(select(suppression.c.reason).filter_by(**key)).scalar()
    if known == EventType.UNSUBSCRIBED and reason == EventType.COMPLAINED:
        tx.connection.execute(update(suppression).filter_by(**key).values(reason=reason))
    if known is not None:
        return False
    row = {**key, "reason": reason, "detail": detail[:_MOST_CHARACTERS], "created_at": now}
    tx.connection.execute(insert(suppression), [row])
    return True


def _allowed(connection: Connection, addresses: Sequence[str]) -> set[str]:
    """Return which of these addresses and of their domains are on an allowlist."""
    values = {*addresses, *map(_domain, addresses)}
    query = select(mailgun_allow.c.value).where(mailgun_allow.c.value.in_(values))
    return set(connection.execute(query).scalars())


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def add_all(tx: Tx, entries: Sequence[Entry], now: datetime, *, renew: bool = False) -> int:
    """Take a list over, as ``add`` does one by one; return how many entries were new.

    ``renew``: an entry that is there gets the detail of the new one, if that has any.
    """
    portions = (entries[at : at + _PORTION] for at in range(0, len(entries), _PORTION))
    return sum(_add_portion(tx, portion, now, renew) for portion in portions)


def _add_portion(tx: Tx, entries: Sequence[Entry], now: datetime, renew: bool) -> int:
    """Store a portion in a few statements: a list may have hundreds of thousands of lines."""
    entries = [replace(entry, address=listed_form(entry.address)) for entry in entries]
    addresses = list({entry.address for entry in entries})
    allowed = _allowed(tx.connection, addresses)
    query = select(suppression).where(suppression.c.address.in_(addresses))
    rows = {(row.address, row.domain): dict(columns(row)) for row in tx.connection.execute(query)}
    before, changed = set(rows), set[tuple[str, str]]()
    for entry in entries:
        address = entry.address
        if entry.reason == EventType.BOUNCED and {address, _domain(address)} & allowed:
            continue
        new, key = _row(entry, now), (address, entry.domain.lower())
        held = rows.setdefault(key, new)
        if held["reason"] == EventType.UNSUBSCRIBED and entry.reason == EventType.COMPLAINED:
            changed.add(key)
            held["reason"] = entry.reason
        if renew and entry.detail:
            changed.add(key)
            held["detail"] = new["detail"]
    _store(tx, [row for key, row in rows.items() if key not in before])
    _renew(tx, [rows[key] for key in changed & before])
    return len(rows) - len(before)


def _row(entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "address": entry.address,
        "domain": entry.domain.lower(),
        "reason": entry.reason,
        "detail": entry.detail[:_MOST_CHARACTERS],
        "created_at": entry.created_at or now,
    }


def _store(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tx.connection.execute(insert(suppression), rows)


def _renew(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    mine = (suppression.c.address == bindparam("a")) & (suppression.c.domain == bindparam("d"))
    change = update(suppression).where(mine)
    change = change.values(reason=bindparam("r"), detail=bindparam("t"))
    names = {"a": "address", "d": "domain", "r": "reason", "t": "detail"}
    if rows:
        given = [{short: row[name] for short, name in names.items()} for row in rows]
        tx.connection.execute(change, given)


def is_of(address: str) -> ColumnElement[bool]:
    """Return what holds for the entries of an address, also for one kept as it was written."""
    return suppression.c.address.in_({address.lower(), listed_form(address)})


def remove(tx: Tx, address: str, *, domain: str | None = None) -> int:
    """Lift the suppression of an address, everywhere or for one sending domain ("" is an entry for
    all of them); return how many entries went.
    """
    mine = is_of(address)
    if domain is not None:
        mine &= suppression.c.domain == domain.lower()
    return tx.connection.execute(delete(suppression).where(mine)).rowcount


def among(connection: Connection, addresses: Sequence[str], *scopes: str) -> dict[str, str]:
    """Return which of these addresses are suppressed for a sending domain or a pod, and why."""
    found = of_addresses(connection, addresses)
    return {a: why for a, by in found.items() if (why := holding(by, *scopes))}


def holding(reasons: Mapping[str, str], *scopes: str) -> str:
    """Return the reason that holds, out of those of one address by sending domain or pod."""
    return next((reasons[scope] for scope in (*scopes, "") if scope in reasons), "")


def of_addresses(connection: Connection, addresses: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return why addresses are suppressed, by sending domain or pod ("" for all)."""
    found: dict[str, dict[str, str]] = {}
    for row in _of_addresses.rows(connection, addresses=[a.lower() for a in addresses]):
        found.setdefault(row.address, {})[row.domain] = row.reason
    return found


_of_addresses = Prepared(select(suppression).where(one_of(suppression.c.address, "addresses")))


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
        query = query.where(is_of(address))
    return [SuppressionRecord(*row) for row in connection.execute(query)]


def of_address(connection: Connection, address: str) -> list[SuppressionRecord]:
    """Return the entries of an address, by domain."""
    query = select(suppression).where(is_of(address)).order_by(suppression.c.domain)
    return [SuppressionRecord(*row) for row in connection.execute(query)]
