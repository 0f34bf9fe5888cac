"""The stored bytes of many messages, with what their trace fields need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from .tables import message, raw

if TYPE_CHECKING:
    from collections.abc import Sequence


def page(connection: Connection, inbox_id: int | None, *, after: int, limit: int) -> Sequence[Any]:
    """Return messages with their packed bytes, by id after ``after``; without what is purged."""
    columns = (
        message.c.id,
        message.c.direction,
        message.c.mail_from,
        message.c.rcpt_to,
        message.c.trace,
        message.c.received_at,
        raw.c.data,
        raw.c.location,
    )
    query = (
        select(*columns)
        .join(raw, raw.c.message_id == message.c.id)
        .where(message.c.id > after)
        .order_by(message.c.id)
        .limit(limit)
    )
    if inbox_id is not None:
        query = query.where(message.c.inbox_id == inbox_id)
    return connection.execute(query).all()
