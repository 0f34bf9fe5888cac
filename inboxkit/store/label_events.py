"""Label events: which label came to a message or went from it, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, select

from ..tokens import new_id, public_id
from . import wire_ids
from .api_tables import label_event
from .pages import Page, paged
from .tables import label, message

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .reach import Reach
    from .transactions import Tx


@dataclass(frozen=True, slots=True)
class LabelEvent:
    """One label of one message, ``message`` under the name that programs outside know."""

    id: int
    message: str
    label: str
    added: bool
    at: datetime

    @property
    def public_id(self) -> str:
        """The id that users see."""
        return public_id("lev", self.id)


def record(
    tx: Tx, message_id: int, *, added: Iterable[str], removed: Iterable[str], now: datetime
) -> None:
    """Keep what changed of a message's labels."""
    changes = [(name, True) for name in added] + [(name, False) for name in removed]
    if not changes:
        return
    query = select(message.c.inbox_id, message.c.thread_id).where(message.c.id == message_id)
    owner = tx.connection.execute(query).one()
    rows = [
        {
            "id": new_id(),
            "inbox_id": owner.inbox_id,
            "message_id": message_id,
            "thread_id": owner.thread_id,
            "label": name,
            "added": added,
            "at": now,
        }
        for name, added in changes
    ]
    tx.connection.execute(insert(label_event), rows)


def listed(
    connection: Connection, reach: Reach, inbox_id: int, page: Page[int]
) -> list[LabelEvent]:
    """Return a page of an inbox's label events, without those of messages out of reach."""
    query = select(label_event).where(label_event.c.inbox_id == inbox_id)
    if reach.forbidden:
        unseen = select(label.c.message_id).where(label.c.label.in_(reach.forbidden))
        query = query.where(label_event.c.message_id.not_in(unseen))
    rows = connection.execute(paged(query, label_event.c.id, page)).all()
    names = wire_ids.of(connection, [row.message_id for row in rows])
    return [
        LabelEvent(row.id, names.get(row.message_id) or public_id("msg", row.message_id), *rest)
        for row in rows
        for rest in [(row.label, row.added, row.at)]
    ]
