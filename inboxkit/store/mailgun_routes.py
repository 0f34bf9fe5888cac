"""Routes: rules by which mail that arrives is forwarded or told of. Lowest priority first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ..tokens import new_id, public_id
from . import mailgun_webhooks
from .api_tables import route
from .rows import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .transactions import Tx

_PREFIX = "rte"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRecord:
    """One rule, in Mailgun's language."""

    id: str
    priority: int
    description: str
    expression: str
    actions: tuple[str, ...]
    created_at: datetime


def create(tx: Tx, now: datetime, values: Mapping[str, Any], *, base: str) -> RouteRecord:
    """Store a route."""
    row = {"id": new_id(), "created_at": now, "updated_at": now, **values}
    tx.connection.execute(insert(route), [row])
    mailgun_webhooks.begin(tx, base)
    return _record(tx.connection.execute(select(route).where(route.c.id == row["id"])).one())


def find(connection: Connection, name: str) -> RouteRecord | None:
    """Return the route with this id."""
    number = number_of(_PREFIX, name)
    row = connection.execute(select(route).where(route.c.id == number)).first()
    return None if row is None else _record(row)


def listed(connection: Connection, *, skip: int, limit: int) -> tuple[int, list[RouteRecord]]:
    """Return how many routes there are, and some of them by priority."""
    total = connection.execute(select(func.count()).select_from(route)).scalar_one()
    query = select(route).order_by(route.c.priority, route.c.id).offset(skip).limit(limit)
    return total, [_record(row) for row in connection.execute(query)]


def everything(connection: Connection) -> Sequence[RouteRecord]:
    """Return all routes in the order in which they are tried."""
    rows = connection.execute(select(route).order_by(route.c.priority, route.c.id))
    return [_record(row) for row in rows]


def change(tx: Tx, name: str, now: datetime, values: Mapping[str, Any]) -> RouteRecord | None:
    """Change a route; None when there is none."""
    mine = route.c.id == number_of(_PREFIX, name)
    tx.connection.execute(update(route).where(mine).values(updated_at=now, **values))
    return find(tx.connection, name)


def remove(tx: Tx, name: str) -> bool:
    """Delete a route; False when there is none."""
    return bool(
        tx.connection.execute(delete(route).where(route.c.id == number_of(_PREFIX, name))).rowcount
    )


def _record(row: Row[Any]) -> RouteRecord:
    return RouteRecord(
        id=public_id(_PREFIX, row.id),
        priority=row.priority,
        description=row.description,
        expression=row.expression,
        actions=tuple(row.actions),
        created_at=row.created_at,
    )
