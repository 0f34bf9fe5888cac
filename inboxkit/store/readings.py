"""Reading: what was parsed filled in, the message placed in its thread, reports acted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from ..tokens import new_id
from ..values import EventType
from . import jobs, placing, reports, screening, search
from .bell import inbox_topic
from .bulk import BulkInsert
from .calls import turns_first
from .messages import mark, pairs, preview
from .prepared import BulkUpdate, Prepared, among
from .tables import attachment, content, event, message
from .verdicts import BLOCKED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..parsing.model import ParsedAttachment, ParsedMessage
    from .transactions import Tx
    from .unread import Reading


@turns_first
def record(tx: Tx, readings: Sequence[Reading]) -> list[int]:
    """Fill in what was read, place each message in its thread, and plan the handlers.

    Of a message that was deleted while it was being read nothing is stored. Raise LeaseLost before
    anything else: another has stored the same then.
    """
    ids = [r.stored.id for r in readings]
    kept = {row[0] for row in _kept.rows(tx.connection, ids=ids)}
    jobs.complete(tx, [r.job for r in readings])
    if kept:
        _store(tx, [r for r in readings if r.stored.id in kept])
    return ids


def _store(tx: Tx, readings: Sequence[Reading]) -> None:
    again = [r.stored.id for r in readings if r.job.data.get("again")]
    if again:
        _forget(tx, again)
    placed = placing.place(tx, readings)
    _update_messages(
        tx.connection,
        [{"id": r.stored.id, **_columns(r), **p} for r, p in zip(readings, placed, strict=True)],
    )
    _fill_in(tx, readings)
    _label(tx, readings)
    blocked = screening.screen(tx, readings, placed)
    _insert_events(
        tx.connection,
        [_event_row(r, p, blocked) for r, p in zip(readings, placed, strict=True)],
    )
    for reading in readings:
        reports.act_on(tx, reading)
    heard = [r for r in readings if r.stored.id not in blocked]
    jobs.put(tx, [_plan_job(r) for r in heard if not r.job.data.get("silent")])
    tx.wake("event", *{inbox_topic(r.stored.inbox_id) for r in readings})


# Kept from being deleted until this transaction ends.
_kept = Prepared(
    select(message.c.id)
    .where(among(message.c.id))
    .order_by(message.c.id)
    .with_for_update(read=True, key_share=True)
)
_insert_contents = BulkInsert(content)
_insert_attachments = BulkInsert(attachment)
_insert_events = BulkInsert(event, omit=("seq",))
_update_messages = BulkUpdate(
    message,
    "state",
    "kind",
    "message_id",
    "sender_email",
    "sender_name",
    "to",
    "cc",
    "reply_to",
    "subject",
    "preview",
    "date_at",
    "in_reply_to",
    "attachment_count",
    "otp",
    "link",
    "auth",
    "updated_at",
    "thread_id",
    "thread_reason",
    "participant",
    "answers_id",
)


def _fill_in(tx: Tx, readings: Sequence[Reading]) -> None:
    ids = [r.stored.id for r in readings]
    _insert_contents(tx.connection, [_content_row(r.stored.id, r.parsed) for r in readings])
    _insert_attachments(
        tx.connection,
        [_attachment_row(r.stored.id, a) for r in readings for a in r.parsed.attachments],
    )
    search.index(tx, ids)


def _label(tx: Tx, readings: Sequence[Reading]) -> None:
    mark(tx, [(r.stored.id, name) for r in readings for name in r.labels])


def _plan_job(reading: Reading) -> dict[str, Any]:
    return jobs.new_job(
        "plan",
        reading.stored.id,
        inbox_id=reading.stored.inbox_id,
        due_at=reading.now,
        data={"record": True} if reading.job.data.get("record") else None,
    )


def _event_row(
    reading: Reading, placed: Mapping[str, Any], blocked: Mapping[int, str]
) -> dict[str, Any]:
    why = blocked.get(reading.stored.id)
    return {
        "type": str(EventType.RECEIVED),
        "at": reading.now,
        "inbox_id": reading.stored.inbox_id,
        "message_id": reading.stored.id,
        "thread_id": placed["thread_id"],
        "recipient": "",
        "hard": False,
        "reason_class": "" if why is None else BLOCKED,
        "reason": why or "",
        "data": {},
    }


def _forget(tx: Tx, ids: Sequence[int]) -> None:
    """Make room for messages that are read anew, as after an upgrade."""
    known = tx.connection.execute(select(content.c.message_id).where(content.c.message_id.in_(ids)))
    search.remove(tx, list(known.scalars()))
    for table in (content, attachment):
        tx.connection.execute(delete(table).where(table.c.message_id.in_(ids)))


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
        "options": {},
    }


def _attachment_row(row_id: int, found: ParsedAttachment) -> dict[str, Any]:
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
