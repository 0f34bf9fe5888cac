"""Subscriptions: what an agent without a URL of its own polls for, and up to where it has read."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ..tokens import new_id, public_id
from . import api_keys, events
from .api_keys import hashed
from .api_tables import subscription
from .pages import Page, paged
from .rows import columns
from .tables import inbox
from .turn_numbers import numbered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .transactions import Tx

_MOST = 10  # of one place
_BYTES = 32
_LISTS = ("event_types", "pod_ids", "inbox_ids", "forbidden")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRecord:
    """A subscription as it is stored. ``pod_ids`` and ``inbox_ids`` empty: all within its scope.

    ``forbidden`` are the labels that its maker might not see; ``cursor`` is the last event of the
    log that was read and acknowledged. It ends with the API key ``key_id``; None: with none.
    """

    id: int = 0
    pod_id: str | None = None
    inbox_id: int | None = None
    client_id: str
    event_types: Sequence[str]
    pod_ids: Sequence[str] = ()
    inbox_ids: Sequence[int] = ()
    forbidden: Sequence[str] = ()
    cursor: int = 0
    key_id: int | None = None
    created_at: datetime
    updated_at: datetime
    inbox: str | None = None

    @property
    def public_id(self) -> str:
        """The id that users see."""
        return public_id("poll", self.id)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where subscriptions are made and found: for all, for a pod or for an inbox."""

    pod_id: str | None
    inbox_id: int | None

    @property
    def name(self) -> str:
        """The scope as one text."""
        return f"inbox:{self.inbox_id}" if self.inbox_id is not None else self.pod_id or ""


def create(
    tx: Tx, scope: Scope, wanted: SubscriptionRecord
) -> tuple[SubscriptionRecord, str] | None:
    """Store a subscription to what happens from now on; return it with its token.

    One that has the ``client_id`` already keeps its place in the log and gets a new token. None
    when there are as many as there may be.
    """
    token = f"ik_poll_{secrets.token_urlsafe(_BYTES)}"
    known = find(tx.connection, scope, wanted.client_id)
    changed: dict[str, Any] = {name: list(getattr(wanted, name)) for name in _LISTS}
    changed |= {"token": hashed(token), "updated_at": wanted.updated_at}
    changed["key_id"] = wanted.key_id
    if known is not None:
        mine = update(subscription).where(subscription.c.id == known.id)
        tx.connection.execute(mine.values(**changed))
    elif not _insert(tx, scope, wanted, changed):
        return None
    made = find(tx.connection, scope, wanted.client_id)
    return None if made is None else (made, token)


def _insert(tx: Tx, scope: Scope, wanted: SubscriptionRecord, more: Mapping[str, Any]) -> bool:
    """Store a new one; False when there are as many as there may be."""
    tx.take_turns(numbered("subscriptions", [scope.name]))
    held = select(func.count()).where(subscription.c.scope == scope.name)
    if tx.connection.execute(held).scalar_one() >= _MOST:
        return False
    made = replace(wanted, id=new_id(), cursor=events.last(tx.connection))
    row = {name: getattr(made, name) for name in SubscriptionRecord.__slots__ if name != "inbox"}
    tx.connection.execute(insert(subscription), [{**row, **more, "scope": scope.name}])
    return True


def find(connection: Connection, scope: Scope, name: str) -> SubscriptionRecord | None:
    """Return the subscription of a scope with this id or ``client_id``."""
    mine = _all().where(subscription.c.scope == scope.name)
    found = [_record(row) for row in connection.execute(mine)]  # there are few
    return next((one for one in found if name in (one.public_id, one.client_id)), None)


def listed(connection: Connection, scope: Scope, page: Page[int]) -> list[SubscriptionRecord]:
    """Return a page of the subscriptions of a scope."""
    query = _all().where(subscription.c.scope == scope.name)
    return [_record(row) for row in connection.execute(paged(query, subscription.c.id, page))]


def by_token(connection: Connection, token: str, now: datetime) -> SubscriptionRecord | None:
    """Return the subscription that a token reads, until the key that made it ends."""
    row = connection.execute(_all().where(subscription.c.token == hashed(token))).first()
    if row is None or api_keys.ended(connection, [row.key_id], now):
        return None
    return _record(row)


def acknowledge(tx: Tx, subscription_id: int, cursor: int) -> None:
    """Note that the log was read up to an event; it never goes back."""
    mine = (subscription.c.id == subscription_id) & (subscription.c.cursor < cursor)
    tx.connection.execute(update(subscription).where(mine).values(cursor=cursor))


def remove(tx: Tx, subscription_id: int) -> None:
    """Delete a subscription; its token reads nothing any more."""
    tx.connection.execute(delete(subscription).where(subscription.c.id == subscription_id))


def remove_of(tx: Tx, *, inbox_id: int | None = None, pod_id: str | None = None) -> None:
    """Delete the subscriptions of an inbox or a pod that is deleted itself."""
    by_inbox = subscription.c.inbox_id == inbox_id
    of = subscription.c.pod_id == pod_id if inbox_id is None else by_inbox
    tx.connection.execute(delete(subscription).where(of))


def _all() -> Any:
    named = select(subscription, inbox.c.address.label("inbox"))
    return named.outerjoin(inbox, inbox.c.id == subscription.c.inbox_id)


def _record(row: Row[Any]) -> SubscriptionRecord:
    said = columns(row)
    fields: dict[str, Any] = {name: said[name] for name in SubscriptionRecord.__slots__}
    fields |= {name: tuple(said[name]) for name in _LISTS}
    return SubscriptionRecord(**fields)
