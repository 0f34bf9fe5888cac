"""The message table's small verbs: labels, bytes, what waits take, rows with nothing known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select, update

from . import jobs, label_events
from .blobs import Packed
from .tables import label, message, raw

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from ..values import Address
    from .transactions import Tx

_PREVIEW_CHARACTERS = 160


def blank(**values: Any) -> dict[str, Any]:
    """Return a row of the message table with nothing known, but for what is given."""
    return {**BLANK, **values}


BLANK: dict[str, Any] = {
    "kind": "human",
    "message_id": "",
    "thread_id": None,
    "thread_reason": "",
    "participant": True,
    "answers_id": None,
    "dedupe": None,
    "trace": {},
    "sender_email": "",
    "sender_name": "",
    "to": [],
    "cc": [],
    "bcc": [],
    "reply_to": [],
    "subject": "",
    "preview": "",
    "date_at": None,
    "size": 0,
    "sha256": "",
    "in_reply_to": "",
    "tag": "",
    "metadata": {},
    "unread": True,
    "attachment_count": 0,
    "otp": None,
    "link": None,
    "auth": {},
    "taken_at": None,
    "send_key": None,
    "fingerprint": "",
    "automatic": False,
    "provider": "",
    "provider_id": None,
    "send_at": None,
    "error": "",
}


def pairs(addresses: Sequence[Address]) -> list[list[str]]:
    """Return addresses as JSON: email and name."""
    return [[a.email, a.name] for a in addresses]


def preview(text: str) -> str:
    """Return the first words on one line."""
    return " ".join(text[: _PREVIEW_CHARACTERS * 4].split())[:_PREVIEW_CHARACTERS]


def packed(connection: Connection, message_id: int) -> Packed | None:
    """Return the stored bytes of one message."""
    row = connection.execute(
        select(raw.c.data, raw.c.location).where(raw.c.message_id == message_id)
    ).first()
    return None if row is None else Packed(row.data, row.location)


def inbound(connection: Connection, rfc_id: str) -> list[int]:
    """Return what came in under this Message-ID, newest first."""
    query = select(message.c.id).where(
        message.c.message_id == rfc_id, message.c.direction == "inbound"
    )
    return list(connection.execute(query.order_by(message.c.id.desc())).scalars())


def arrived(connection: Connection, since: datetime) -> list[int]:
    """Return all that came in since a moment, oldest first, also what lists and searches hide."""
    query = select(message.c.id).where(
        message.c.direction == "inbound", message.c.received_at >= since
    )
    return list(connection.execute(query.order_by(message.c.id)).scalars())


def outbound(connection: Connection) -> list[int]:
    """Return all sends, oldest first, also what lists and searches hide."""
    query = select(message.c.id).where(message.c.direction == "outbound")
    return list(connection.execute(query.order_by(message.c.id)).scalars())


_GIVEN = ("unread", "read", "received", "sent", "scheduled")  # by what a message is


def set_labels(
    tx: Tx, message_id: int, *, add: Sequence[str], remove: Sequence[str], now: datetime
) -> bool:
    """Add and remove labels; ``unread`` and ``read`` set the flag. False: no such message."""
    values: dict[str, Any] = {"updated_at": now}
    if "read" in add or "unread" in remove:
        values["unread"] = False
    elif "unread" in add or "read" in remove:
        values["unread"] = True
    before = select(message.c.unread).where(message.c.id == message_id).with_for_update()
    unread = tx.connection.execute(before).scalar()
    if unread is None:
        return False
    tx.connection.execute(update(message).where(message.c.id == message_id).values(**values))
    plain = [name for name in add if name not in _GIVEN]
    both = [*plain, *remove]
    mine = (label.c.message_id == message_id) & label.c.label.in_(both)
    known = set(tx.connection.execute(select(label.c.label).where(mine)).scalars())
    if known:
        tx.connection.execute(delete(label).where(mine))
    added = [name for name in dict.fromkeys(plain) if name not in known]
    gone = [name for name in dict.fromkeys(remove) if name in known and name not in plain]
    if values.get("unread", unread) != unread:
        (gone if unread else added).append("unread")
    label_events.record(tx, message_id, added=added, removed=gone, now=now)
    if plain:
        rows = [{"message_id": message_id, "label": name} for name in dict.fromkeys(plain)]
        tx.connection.execute(insert(label), rows)
    return True


def mark(tx: Tx, labels: Collection[tuple[int, str]]) -> None:
    """Give messages that are being read their labels; one that somebody has given before stays."""
    if not labels:
        return
    mine = label.c.message_id.in_({row_id for row_id, _ in labels})
    query = select(label.c.message_id, label.c.label).where(mine)
    known = {(row.message_id, row.label) for row in tx.connection.execute(query)}
    fresh = [pair for pair in labels if pair not in known]
    if fresh:
        rows = [{"message_id": row_id, "label": name} for row_id, name in fresh]
        tx.connection.execute(insert(label), rows)


def waits_to_be_read(connection: Connection, message_id: int) -> bool:
    """Whether a message came in and was not read so far."""
    state = select(message.c.state).where(message.c.id == message_id)
    return connection.execute(state).scalar() == "stored"


def read_again(tx: Tx, message_id: int, now: datetime) -> None:
    """Queue a message to be read anew, as after an upgrade of the parser; not while it is read.

    One that waits to be read for the first time keeps waiting: handlers get it after that.
    """
    row = tx.connection.execute(select(message.c.inbox_id).where(message.c.id == message_id)).one()
    if waits_to_be_read(tx.connection, message_id):
        return
    jobs.cancel(tx, "read", [str(message_id)])
    if jobs.is_known(tx.connection, "read", str(message_id)):
        return
    data = {"silent": True, "again": True}
    jobs.put(tx, [jobs.new_job("read", message_id, inbox_id=row.inbox_id, due_at=now, data=data)])
