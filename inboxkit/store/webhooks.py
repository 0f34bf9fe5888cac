"""Providers' requests, stored as they came before they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ..tokens import new_id
from . import jobs
from .tables import webhook

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .transactions import Tx


def store(
    tx: Tx,
    *,
    provider: str,
    dedupe: str | None,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> int | None:
    """Store a request and queue it; None when the same one is here already."""
    if dedupe and _is_here(tx, provider, dedupe):
        return None
    row_id = new_id()
    row = {
        "id": row_id,
        "provider": provider,
        "dedupe": dedupe or None,
        "method": method,
        "url": url,
        "headers": dict(headers),
        "body": body,
        "state": "stored",
        "error": "",
        "received_at": now,
    }
    tx.connection.execute(insert(webhook), [row])
    jobs.put(tx, [jobs.new_job("webhook", row_id, inbox_id=0, due_at=now)])
    return row_id


def _is_here(tx: Tx, provider: str, dedupe: str) -> bool:
    same = (webhook.c.provider == provider) & (webhook.c.dedupe == dedupe)
    return tx.connection.execute(select(webhook.c.id).where(same)).first() is not None


def by_id(connection: Connection, row_id: int) -> Row[Any] | None:
    """Return one request."""
    return connection.execute(select(webhook).where(webhook.c.id == row_id)).first()


def settle(tx: Tx, row_id: int, state: str, error: str = "") -> None:
    """Record what became of a request: done, or failed and kept for another try."""
    tx.connection.execute(
        update(webhook).where(webhook.c.id == row_id).values(state=state, error=error[:2_000])
    )


def forget(tx: Tx, before: datetime, *, limit: int = 500) -> int:
    """Delete requests that were done with before a moment; return how many.

    Until then they are what a replayed request is known by. Failed ones stay for people to see.
    """
    old = (
        select(webhook.c.id)
        .where(webhook.c.state == "done", webhook.c.received_at < before)
        .limit(limit)
    )
    return tx.connection.execute(delete(webhook).where(webhook.c.id.in_(old))).rowcount
