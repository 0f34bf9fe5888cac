"""Automatic replies that have left: what the caps on them are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from .tables import delivery, message

if TYPE_CHECKING:
    from datetime import datetime


def to_correspondent(connection: Connection, inbox_id: int, address: str, since: datetime) -> int:
    """Return how many automatic replies an inbox sent to an address since a moment."""
    query = (
        select(func.count())
        .select_from(message)
        .join(delivery, delivery.c.message_id == message.c.id)
        .where(
            message.c.inbox_id == inbox_id,
            message.c.direction == "outbound",
            message.c.automatic,
            message.c.created_at >= since,
            func.lower(delivery.c.recipient) == address.lower(),
        )
    )
    return connection.execute(query).scalar_one()
