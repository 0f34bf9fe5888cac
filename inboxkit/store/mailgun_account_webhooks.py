"""Where the events of all domains are posted to in Mailgun's form: one URL, some events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ..tokens import new_id, public_id
from . import mailgun_webhooks
from .mailgun_tables import mailgun_account_webhook as webhook
from .rows import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .transactions import Tx

_PREFIX = "whk"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWebhook:
    """One URL and what it is told of."""

    id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    created_at: datetime


def create(tx: Tx, now: datetime, values: Mapping[str, Any], *, base: str) -> str:
    """Store a webhook that is told of what happens from now on; return its id."""
    number = new_id()
    tx.connection.execute(insert(webhook), [{"id": number, "created_at": now, **values}])
    mailgun_webhooks.begin(tx, base)
    return public_id(_PREFIX, number)


def listed(connection: Connection, names: Sequence[str] = ()) -> list[AccountWebhook]:
    """Return the webhooks of these ids, without any all; the oldest first."""
    query = select(webhook).order_by(webhook.c.id)
    if names:
        query = query.where(webhook.c.id.in_([number_of(_PREFIX, name) for name in names]))
    return [_record(row) for row in connection.execute(query)]


def urls(connection: Connection) -> dict[str, list[str]]:
    """Return the URLs by the name of the event."""
    found: dict[str, list[str]] = {}
    for one in listed(connection):
        for name in one.event_types:
            found.setdefault(name, []).append(one.url)
    return found


def change(tx: Tx, name: str, values: Mapping[str, Any]) -> bool:
    """Replace what a webhook says; False when there is none."""
    mine = update(webhook).where(webhook.c.id == number_of(_PREFIX, name))
    return bool(tx.connection.execute(mine.values(**values)).rowcount)


def remove(tx: Tx, names: Sequence[str] = ()) -> int:
    """Delete the webhooks of these ids, without any all; return how many went."""
    query = delete(webhook)
    if names:
        query = query.where(webhook.c.id.in_([number_of(_PREFIX, name) for name in names]))
    return tx.connection.execute(query).rowcount


def _record(row: Row[Any]) -> AccountWebhook:
    return AccountWebhook(
        id=public_id(_PREFIX, row.id),
        url=row.url,
        description=row.description,
        event_types=tuple(row.event_types),
        created_at=row.created_at,
    )
