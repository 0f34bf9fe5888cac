"""Mailgun's lists of a domain: bounces, complaints, unsubscribes, and who is never a bounce."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, select

from ..addresses import listed_form
from ..values import EventType
from . import mailgun_domains, suppressions
from .mailgun_tables import mailgun_allow
from .tables import suppression

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .reach import Reach
    from .suppressions import Entry
    from .transactions import Tx

_PORTION = 500
# Which of our reasons each list holds; the first is that of a new entry.
REASONS: dict[str, tuple[str, ...]] = {
    "bounces": (str(EventType.BOUNCED), "manual"),
    "complaints": (str(EventType.COMPLAINED),),
    "unsubscribes": (str(EventType.UNSUBSCRIBED),),
}


def page(
    connection: Connection,
    name: str,
    domain: str,
    *,
    after: str,
    limit: int,
    backwards: bool = False,
    term: str = "",
) -> list[Row[Any]]:
    """Return entries after (or before) an address; one for all domains counts for each."""
    query = select(suppression).where(_of(name, domain))
    if term:
        query = query.where(suppression.c.address.startswith(term.lower(), autoescape=True))
    return _cut(connection, query, suppression.c.address, after, limit, backwards)


def _cut(
    connection: Connection, query: Select[Any], key: Any, after: str, limit: int, backwards: bool
) -> list[Row[Any]]:
    if after:
        query = query.where(key < after if backwards else key > after)
    order = key.desc() if backwards else key.asc()
    rows = list(connection.execute(query.order_by(order).limit(limit)))
    return rows[::-1] if backwards else rows


def history(
    connection: Connection, reach: Reach, addresses: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return why addresses are suppressed for mail from within reach.

    What happened to the mail of other tenants is theirs to know.
    """
    known = suppressions.of_addresses(connection, addresses)
    scopes = {scope for reasons in known.values() for scope in reasons}
    told = {scope for scope in scopes if _concerns(connection, reach, scope)}
    found = {a: tuple(why for scope, why in by.items() if scope in told) for a, by in known.items()}
    return {address: reasons for address, reasons in found.items() if reasons}


def _concerns(connection: Connection, reach: Reach, scope: str) -> bool:
    """Whether an entry for all, a pod or a sending domain holds for mail from within reach."""
    if not scope or (reach.pod_id is None and reach.inbox_id is None):
        return True
    return scope == reach.pod_id or mailgun_domains.is_known(connection, reach, scope)


def find(connection: Connection, name: str, domain: str, address: str) -> Row[Any] | None:
    """Return one entry."""
    query = select(suppression).where(_of(name, domain), suppressions.is_of(address))
    return connection.execute(query).first()


def put(tx: Tx, entries: Sequence[Entry], now: datetime) -> None:
    """Store entries, all or none; one that is there gets the new error."""
    suppressions.add_all(tx, entries, now, renew=True)


def remove(tx: Tx, name: str, domain: str, address: str = "") -> int:
    """Delete an entry, or without an address the whole list; return how many went."""
    mine = _of(name, domain)
    if address:
        mine &= suppressions.is_of(address)
    return tx.connection.execute(delete(suppression).where(mine)).rowcount


def _of(name: str, domain: str) -> ColumnElement[bool]:
    return suppression.c.reason.in_(REASONS[name]) & suppression.c.domain.in_(("", domain))


# the allowlist


def allow(tx: Tx, domain: str, values: Sequence[tuple[str, str, str]], now: datetime) -> None:
    """Store values, each with its kind (address, domain) and reason."""
    rows = {
        listed_form(value): {
            "domain": domain,
            "value": listed_form(value),
            "kind": kind,
            "reason": reason,
            "created_at": now,
        }
        for value, kind, reason in values
    }
    names = list(rows)
    for some in (names[at : at + _PORTION] for at in range(0, len(names), _PORTION)):
        mine = (mailgun_allow.c.domain == domain) & mailgun_allow.c.value.in_(some)
        tx.connection.execute(delete(mailgun_allow).where(mine))
        tx.connection.execute(insert(mailgun_allow), [rows[name] for name in some])


def allowed(
    connection: Connection, domain: str, *, after: str, limit: int, backwards: bool = False
) -> list[Row[Any]]:
    """Return what is allowed of a domain after (or before) a value."""
    query = select(mailgun_allow).where(mailgun_allow.c.domain == domain)
    return _cut(connection, query, mailgun_allow.c.value, after, limit, backwards)


def find_allowed(connection: Connection, domain: str, value: str) -> Row[Any] | None:
    """Return one entry of the allowlist."""
    mine = (mailgun_allow.c.domain == domain) & _is_value(value)
    return connection.execute(select(mailgun_allow).where(mine)).first()


def disallow(tx: Tx, domain: str, value: str = "") -> int:
    """Delete an entry of the allowlist, or without a value all; return how many went."""
    mine = mailgun_allow.c.domain == domain
    if value:
        mine &= _is_value(value)
    return tx.connection.execute(delete(mailgun_allow).where(mine)).rowcount


def _is_value(value: str) -> ColumnElement[bool]:
    return mailgun_allow.c.value.in_({value.lower(), listed_form(value)})
