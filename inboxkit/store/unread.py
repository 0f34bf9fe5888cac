"""Messages that wait to be read, and what reading one gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from .blobs import Packed
from .prepared import Prepared, among
from .tables import message, raw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..parsing.model import ParsedMessage
    from .leased import Job


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that waits to be read: its bytes and what the envelope said."""

    id: int
    inbox_id: int
    received_at: datetime
    mail_from: str
    rcpt_to: tuple[str, ...]
    packed: Packed
    size: int
    trace: Mapping[str, Any] = field(default_factory=dict[str, Any])
    auth: Mapping[str, str] = field(default_factory=dict[str, str])  # as found at the first reading


def unread(connection: Connection, ids: Sequence[int]) -> dict[int, Stored]:
    """Return what is needed to read these messages, by row id."""
    return {
        row.id: Stored(
            row.id,
            row.inbox_id,
            row.received_at,
            row.mail_from,
            tuple(row.rcpt_to),
            Packed(row.data, row.location),
            row.size,
            row.trace,
            row.auth,
        )
        for row in _unread.rows(connection, ids=ids)
    }


_unread = Prepared(
    select(
        message.c.id,
        message.c.inbox_id,
        message.c.received_at,
        message.c.mail_from,
        message.c.rcpt_to,
        message.c.size,
        message.c.trace,
        message.c.auth,
        raw.c.data,
        raw.c.location,
    )
    .join(raw, raw.c.message_id == message.c.id)
    .where(among(message.c.id))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A message that was read, with all that its row and its thread need to know."""

    stored: Stored
    parsed: ParsedMessage
    auth: Mapping[str, str]
    own: tuple[str, ...]  # the inbox's own addresses
    token_row: int | None  # the send of ours that a valid reply token names
    job: Job
    now: datetime
    labels: tuple[str, ...] = ()
