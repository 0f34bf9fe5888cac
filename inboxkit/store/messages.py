"""Inbound messages: stored as they come, then filled in once read; and the raw bytes of any."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, delete, insert, select, tuple_, update

from ..tokens import new_id
from ..values import Address, EventType
from . import jobs, search
from .blobs import Packed
from .tables import attachment, content, event, label, message, raw
from .threads import place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..parsing.model import ParsedMessage
    from .writer import Tx

_PREVIEW_CHARACTERS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One copy of an arriving mail: what is stored, for one inbox, before the 250."""

    id: int
    inbox_id: int
    received_at: datetime
    mail_from: str
    rcpt_to: tuple[str, ...]
    packed: Packed
    size: int
    sha256: str
    message_id: str = ""
    trace: Mapping[str, Any] = field(default_factory=dict[str, Any])
    labels: tuple[str, ...] = ()
    silent: bool = False  # imported: no handler is planned
    unique: bool = False  # a mail without Message-ID is deduped too (imports)

    @property
    def dedupe(self) -> str | None:
        if not self.message_id and not self.unique:
            return None
        return hashlib.sha256(f"{self.message_id}\n{self.sha256}".encode()).hexdigest()


def blank(**values: Any) -> dict[str, Any]:
    """Return a row of the message table with nothing known, but for what is given."""
    return {**_BLANK, **values}


_BLANK: dict[str, Any] = {
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


def accept(tx: Tx, arrivals: Sequence[tuple[Arrival, ...]]) -> list[list[tuple[int, bool]]]:
    """Store mails; return for each its copies as (row id, whether it was here before).

    Same inbox, Message-ID and sha256 is the same mail: the sender has tried again.
    """
    known = _known(tx.connection, [a for copies in arrivals for a in copies])
    fresh: list[Arrival] = []
    results: list[list[tuple[int, bool]]] = []
    for copies in arrivals:
        result: list[tuple[int, bool]] = []
        for arrival in copies:
            key = (arrival.inbox_id, arrival.dedupe)
            before = known.get(key) if key[1] is not None else None
            result.append((before or arrival.id, before is not None))
            if before is None:
                known[key] = arrival.id
                fresh.append(arrival)
        results.append(result)
    _insert(tx, fresh)
    return results


def _known(
    connection: Connection, arrivals: Sequence[Arrival]
) -> dict[tuple[int, str | None], int]:
    keys = [(a.inbox_id, a.dedupe) for a in arrivals if a.dedupe is not None]
    if not keys:
        return {}
    query = select(message.c.inbox_id, message.c.dedupe, message.c.id).where(
        tuple_(message.c.inbox_id, message.c.dedupe).in_(keys)
    )
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def _insert(tx: Tx, arrivals: Sequence[Arrival]) -> None:
    if not arrivals:
        return
    tx.connection.execute(insert(message), [_arrival_row(a) for a in arrivals])
    tx.connection.execute(
        insert(raw),
        [
            {"message_id": a.id, "data": a.packed.data, "location": a.packed.location}
            for a in arrivals
        ],
    )
    labels = [{"message_id": a.id, "label": name} for a in arrivals for name in a.labels]
    if labels:
        tx.connection.execute(insert(label), labels)
    jobs.put(
        tx,
        [
            jobs.new_job(
                "read",
                a.id,
                inbox_id=a.inbox_id,
                due_at=a.received_at,
                data={"silent": True} if a.silent else None,
            )
            for a in arrivals
        ],
    )


def _arrival_row(arrival: Arrival) -> dict[str, Any]:
    return blank(
        id=arrival.id,
        inbox_id=arrival.inbox_id,
        direction="inbound",
        state="stored",
        message_id=arrival.message_id,
        dedupe=arrival.dedupe,
        mail_from=arrival.mail_from,
        rcpt_to=list(arrival.rcpt_to),
        trace=dict(arrival.trace),
        received_at=arrival.received_at,
        size=arrival.size,
        sha256=arrival.sha256,
        created_at=arrival.received_at,
        updated_at=arrival.received_at,
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that waits to be read: its bytes and what the envelope said."""

    id: int
    inbox_id: int
    received_at: datetime
    mail_from: str
    rcpt_to: tuple[str, ...]
    packed: Packed


def unread(connection: Connection, ids: Sequence[int]) -> dict[int, Stored]:
    """Return what is needed to read these messages, by row id."""
    query = (
        select(
            message.c.id,
            message.c.inbox_id,
            message.c.received_at,
            message.c.mail_from,
            message.c.rcpt_to,
            raw.c.data,
            raw.c.location,
        )
        .join(raw, raw.c.message_id == message.c.id)
        .where(message.c.id.in_(ids))
    )
    return {
        row.id: Stored(
            row.id,
            row.inbox_id,
            row.received_at,
            row.mail_from,
            tuple(row.rcpt_to),
            Packed(row.data, row.location),
        )
        for row in connection.execute(query)
    }


def packed(connection: Connection, message_id: int) -> Packed | None:
    """Return the stored bytes of one message."""
    row = connection.execute(
        select(raw.c.data, raw.c.location).where(raw.c.message_id == message_id)
    ).first()
    return None if row is None else Packed(row.data, row.location)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A message that was read, with all that its row and its thread need to know."""

    stored: Stored
    parsed: ParsedMessage
    auth: Mapping[str, str]
    own: str  # the inbox's own address
    token_row: int | None  # the send of ours that a valid reply token names
    job: jobs.Job
    now: datetime


def record(tx: Tx, readings: Sequence[Reading]) -> list[int]:
    """Fill in what was read, place each message in its thread, and plan the handlers."""
    for reading in readings:
        _record(tx, reading)
    jobs.complete(tx, [r.job for r in readings])
    planned = [r for r in readings if not r.job.data.get("silent")]
    jobs.put(
        tx,
        [
            jobs.new_job("plan", r.stored.id, inbox_id=r.stored.inbox_id, due_at=r.now)
            for r in planned
        ],
    )
    tx.wake("event")
    return [r.stored.id for r in readings]


def _record(tx: Tx, reading: Reading) -> None:
    parsed, row_id = reading.parsed, reading.stored.id
    _forget(tx, row_id)  # a message that is read again after an upgrade
    placed = place(tx, reading)
    values = {**_columns(reading), **placed}
    tx.connection.execute(
        update(message).where(message.c.id == bindparam("row")), {"row": row_id} | values
    )
    tx.connection.execute(insert(content), [_content_row(row_id, parsed)])
    files = [_attachment_row(row_id, a) for a in parsed.attachments]
    if files:
        tx.connection.execute(insert(attachment), files)
    search.index(tx, row_id)
    tx.connection.execute(
        insert(event),
        [
            {
                "type": str(EventType.RECEIVED),
                "at": reading.now,
                "inbox_id": reading.stored.inbox_id,
                "message_id": row_id,
                "thread_id": placed["thread_id"],
                "recipient": "",
                "hard": False,
                "reason_class": "",
                "reason": "",
                "data": {},
            }
        ],
    )


def _forget(tx: Tx, row_id: int) -> None:
    before = tx.connection.execute(
        select(content.c.message_id).where(content.c.message_id == row_id)
    ).first()
    if before is None:
        return
    search.remove(tx, [row_id])
    for table in (content, attachment):
        tx.connection.execute(delete(table).where(table.c.message_id == row_id))


def pairs(addresses: Sequence[Address]) -> list[list[str]]:
    """Return addresses as JSON: email and name."""
    return [[a.email, a.name] for a in addresses]


def _columns(reading: Reading) -> dict[str, Any]:
    parsed = reading.parsed
    link = parsed.links[0].url if parsed.links else None
    return {
        "state": parsed.state,
        "kind": str(parsed.kind),
        "message_id": parsed.message_id,
        "sender_email": parsed.sender.email,
        "sender_name": parsed.sender.name,
        "to": pairs(parsed.to),
        "cc": pairs(parsed.cc),
        "reply_to": pairs(parsed.reply_to),
        "subject": parsed.subject,
        "preview": preview(parsed.reply.text or parsed.visible_text or parsed.text),
        "date_at": parsed.date,
        "in_reply_to": parsed.in_reply_to,
        "attachment_count": len(parsed.attachments),
        "otp": parsed.code.value if parsed.code else None,
        "link": link,
        "auth": dict(reading.auth),
        "updated_at": reading.now,
    }


def preview(text: str) -> str:
    """Return the first words on one line."""
    return " ".join(text[: _PREVIEW_CHARACTERS * 4].split())[:_PREVIEW_CHARACTERS]


def _content_row(row_id: int, parsed: ParsedMessage) -> dict[str, Any]:
    calendar = parsed.calendar
    return {
        "message_id": row_id,
        "text": parsed.text,
        "html": parsed.html,
        "reply_text": parsed.reply.text,
        "reply_html": parsed.reply.html,
        "signature": parsed.reply.signature,
        "visible_text": parsed.visible_text,
        "headers": [list(pair) for pair in parsed.headers],
        "references": list(parsed.references),
        "links": [[k.url, k.purpose, k.confidence] for k in parsed.links],
        "calendar": {} if calendar is None else {"uid": calendar.uid, "method": calendar.method},
        "defects": list(parsed.defects),
        "kind_reason": parsed.kind_reason,
    }


def _attachment_row(row_id: int, found: Any) -> dict[str, Any]:
    return {
        "id": new_id(),
        "message_id": row_id,
        "position": found.index,
        "filename": found.filename,
        "safe_name": found.safe_name,
        "content_type": found.content_type,
        "sniffed_type": found.sniffed_type,
        "size": found.size,
        "sha256": found.sha256,
        "inline": found.inline,
        "content_id": found.content_id,
    }


def set_labels(
    tx: Tx, message_id: int, *, add: Sequence[str], remove: Sequence[str], now: datetime
) -> None:
    """Add and remove labels; ``unread`` and ``read`` set the flag."""
    if "unread" in add or "unread" in remove or "read" in add:
        seen = "read" in add or "unread" in remove
        tx.connection.execute(
            update(message).where(message.c.id == message_id).values(unread=not seen)
        )
    plain = [name for name in add if name not in ("unread", "read", "received", "sent")]
    both = [*plain, *remove]
    tx.connection.execute(
        delete(label).where(label.c.message_id == message_id, label.c.label.in_(both))
    )
    if plain:
        rows = [{"message_id": message_id, "label": name} for name in dict.fromkeys(plain)]
        tx.connection.execute(insert(label), rows)
    tx.connection.execute(update(message).where(message.c.id == message_id).values(updated_at=now))


def take(tx: Tx, message_id: int, now: datetime) -> bool:
    """Mark a message as handed to a wait; False when another wait was faster."""
    free = (message.c.id == message_id) & message.c.taken_at.is_(None)
    return tx.connection.execute(update(message).where(free).values(taken_at=now)).rowcount == 1


def take_older(tx: Tx, ids: Sequence[int], now: datetime) -> None:
    """Mark older codes as taken: a resend made them invalid."""
    if ids:
        older = message.c.id.in_(ids) & message.c.taken_at.is_(None)
        tx.connection.execute(update(message).where(older).values(taken_at=now))
