"""Deleting: messages with all that hangs on them, threads that are empty then, whole inboxes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    select,
    text,
    update,
)

from ..errors import NotFound, SendError
from ..tokens import first_id, public_id
from . import (
    api_keys,
    drafts,
    endpoints,
    inboxes,
    jobs,
    lists,
    mailgun_validations,
    search,
    subscriptions,
)
from .api_tables import label_event
from .mailgun_tables import mailgun_send
from .tables import (
    EARLIER,
    attachment,
    content,
    delivery,
    event,
    job,
    label,
    message,
    raw,
    reference,
    run,
    thread,
)
from .threads import stop_waiting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .transactions import Tx


_AT_ONCE = 1_000
_PLANNED_WITHIN = timedelta(days=1)
_SENT, _EVENT = literal("sent:"), literal("event:")  # how keys of jobs that plan begin
# EARLIER holds of what was stored later after it came; ids are of whole milliseconds.
_SLACK = timedelta(minutes=1, milliseconds=1)


class NotScheduled(SendError):
    """What was to be taken back has left, is leaving, or never was a send."""


def messages(tx: Tx, ids: Sequence[int]) -> list[str]:
    """Delete messages; return the files that may be removed once this is committed."""
    if not ids:
        return []
    _hold(tx, ids)
    located = select(raw.c.location).where(raw.c.message_id.in_(ids), raw.c.location != "")
    files = list(tx.connection.execute(located).scalars())
    search.remove(tx, _with_content(tx.connection, ids))
    threads, unsent = _touched(tx.connection, ids)
    held = select(thread.c.id, thread.c.last_message_id).where(thread.c.id.in_(threads))
    held = held.order_by(thread.c.id).with_for_update()
    rows = tx.connection.execute(held).all()  # whoever is adding to them has done so
    last = {row.id: row.last_message_id for row in rows}
    for kind in ("read", "plan", "send"):
        jobs.cancel(tx, kind, [str(i) for i in ids])
    jobs.cancel(tx, "plan", [f"sent:{i}" for i in ids])
    hanging = (raw, content, attachment, label, label_event, delivery, event, run, mailgun_send)
    for table in hanging:
        tx.connection.execute(delete(table).where(table.c.message_id.in_(ids)))
    cited = reference.c.thread_id.in_(threads) & reference.c.message_id.in_(ids)
    tx.connection.execute(update(reference).where(cited).values(message_id=None))
    tx.connection.execute(delete(message).where(message.c.id.in_(ids)))
    for thread_id in threads:
        _recount(tx, thread_id, last.get(thread_id))
    for thread_id in unsent:
        _wait_for_what_went(tx, thread_id)
    return files


def scheduled(tx: Tx, ids: Sequence[int]) -> list[str]:
    """Delete those of these sends that have not begun to leave; return their files as above."""
    mine = select(message.c.id).where(message.c.id.in_(ids), message.c.state == "scheduled")
    held = tx.connection.execute(mine.order_by(message.c.id).with_for_update())
    return messages(tx, list(held.scalars()))


def cancel(tx: Tx, message_id: int) -> list[str]:
    """Delete a send that has not begun to leave; return its files as above.

    Raise NotFound when it is gone, and NotScheduled that names the state of any other.
    """
    mine = select(message.c.direction, message.c.state).where(message.c.id == message_id)
    found = tx.connection.execute(mine.with_for_update()).first()
    shown = public_id("msg", message_id)
    if found is None:
        raise NotFound(f"no message {shown}")
    if found.direction == "inbound":
        raise NotScheduled(f"message {shown}: was received; only what is sent can be cancelled")
    if found.state != "scheduled":
        raise NotScheduled(
            f"message {shown}: is {found.state}; only what is still scheduled can be cancelled"
        )
    return messages(tx, [message_id])


def _hold(tx: Tx, ids: Sequence[int]) -> None:
    """Wait for whoever is storing what was read of them: what it stores is deleted too."""
    held = select(message.c.id).where(message.c.id.in_(ids)).order_by(message.c.id)
    tx.connection.execute(held.with_for_update()).all()


def _with_content(connection: Connection, ids: Sequence[int]) -> list[int]:
    query = select(content.c.message_id).where(content.c.message_id.in_(ids))
    return list(connection.execute(query).scalars())


def _touched(connection: Connection, ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the threads of these messages, and those where some of them have not left yet."""
    query = select(message.c.thread_id, message.c.state == "scheduled")
    query = query.where(message.c.id.in_(ids), message.c.thread_id.is_not(None)).distinct()
    found = [(int(row[0]), bool(row[1])) for row in connection.execute(query)]
    return sorted({one for one, _ in found}), sorted({one for one, waits in found if waits})


def _recount(tx: Tx, thread_id: int, last_before: int | None) -> None:
    left = select(func.count(), func.max(message.c.id), func.sum(message.c.size))
    count, last, size = tx.connection.execute(left.where(message.c.thread_id == thread_id)).one()
    mine = thread.c.id == thread_id
    if count:
        values: dict[str, Any] = {"message_count": count, "last_message_id": last, "size": size}
        if last != last_before:
            values |= _newest(tx.connection, thread_id, last)
        tx.connection.execute(update(thread).where(mine).values(**values))
        return
    jobs.cancel_prefix(tx, "timer", f"{thread_id}:")
    tx.connection.execute(delete(reference).where(reference.c.thread_id == thread_id))
    tx.connection.execute(delete(thread).where(mine | (thread.c.merged_into == thread_id)))


def _newest(connection: Connection, thread_id: int, last: int) -> dict[str, Any]:
    """Return what lists show of a thread by its newest messages."""
    at = message.c.received_at
    came, went = (case((message.c.direction == way, at)) for way in ("inbound", "outbound"))
    times = select(func.max(at), func.max(came), func.max(went))
    last_at, received_at, sent_at = connection.execute(
        times.where(message.c.thread_id == thread_id)
    ).one()
    preview = connection.execute(select(message.c.preview).where(message.c.id == last)).scalar()
    return {
        "last_at": last_at,
        "received_at": received_at,
        "sent_at": sent_at,
        "preview": preview,
    }


def _wait_for_what_went(tx: Tx, thread_id: int) -> None:
    """Let a thread wait for an answer since the first send that is left, if any has none yet."""
    mine, inbound = message.c.thread_id == thread_id, message.c.direction == "inbound"
    answers = select(func.coalesce(func.max(message.c.id), 0))
    answers = answers.where(mine, inbound, message.c.kind == "human", message.c.participant)
    made, put_off = message.c.created_at, message.c.send_at
    went_at = case((put_off > made, put_off), else_=made)
    went = select(func.min(went_at)).where(mine, ~inbound)
    since = tx.connection.execute(went.where(message.c.id > answers.scalar_subquery())).scalar_one()
    if since is None:
        stop_waiting(tx, thread_id)
        return
    waits = (thread.c.id == thread_id) & thread.c.waiting_since.is_not(None)
    tx.connection.execute(update(thread).where(waits).values(waiting_since=since))


def older_than(
    connection: Connection,
    moment: datetime,
    *,
    now: datetime,
    inbox_id: int | None = None,
    limit: int = 500,
) -> list[int]:
    """Return messages that came or went before a moment and are done with.

    Two looks find them all: what was stored before that moment is walked by id and ends there, and
    what came much earlier than it was stored has an index of its own.
    """
    old = select(message.c.id).where(message.c.received_at < moment, *_done(now)).limit(limit)
    if inbox_id is not None:
        old = old.where(message.c.inbox_id == inbox_id)
    stored = old.where(message.c.id < first_id(moment + _SLACK)).order_by(message.c.id)
    found = list(connection.execute(stored).scalars())
    if len(found) < limit:
        earlier = old.where(text(EARLIER)).order_by(message.c.received_at)
        found += connection.execute(earlier).scalars()
    return list(dict.fromkeys(found))[:limit]


def beyond(
    connection: Connection, inbox_id: int, keep: int, *, now: datetime, limit: int = 500
) -> list[int]:
    """Return what an inbox holds beyond its newest ``keep`` messages and is done with."""
    mine = select(message.c.id).where(message.c.inbox_id == inbox_id)
    # Its id, and not the ids of those that stay: PostgreSQL compared each with each of many.
    newest = connection.execute(mine.order_by(message.c.id.desc()).limit(1).offset(keep)).scalar()
    if newest is None:
        return []
    query = mine.where(message.c.id <= newest, *_done(now)).order_by(message.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def larger_than(connection: Connection, keep: int) -> list[int]:
    """Return the inboxes that hold more than ``keep`` messages."""
    grouped = select(message.c.inbox_id).group_by(message.c.inbox_id)
    return list(connection.execute(grouped.having(func.count() > keep)).scalars())


def _done(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return what holds for a message that is read, sent and handled, its events as well."""
    busy = exists().where(
        run.c.message_id == message.c.id, run.c.state.in_(("pending", "retrying"))
    )
    number = cast(message.c.id, String)
    own = exists().where(job.c.key.in_((number, _SENT + number)), *_is_to_be_planned(now))
    told = exists().where(
        event.c.message_id == message.c.id,
        job.c.key == _EVENT + cast(event.c.seq, String),
        *_is_to_be_planned(now),
    )
    waits = message.c.state.in_(("stored", "queued", "scheduled", "sending"))
    return ~waits, ~busy, ~own, ~told


def _is_to_be_planned(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return what holds for a job by which handlers will be called.

    Where no process has any, nobody takes it: what waited for so long waits for nobody.
    """
    return job.c.kind == "plan", job.c.due_at > now - _PLANNED_WITHIN


def inbox(tx: Tx, inbox_id: int) -> list[str]:
    """Delete an inbox with everything in it; return the files that may be removed then."""
    files: list[str] = []
    inboxes.hold(tx, inbox_id, alone=True)
    while ids := held_by(tx.connection, inbox_id):  # a statement takes only so many ids
        files += messages(tx, ids)
    for table in (thread, reference):
        tx.connection.execute(delete(table).where(table.c.inbox_id == inbox_id))
    drafts.remove_all(tx, inbox_id)
    lists.remove_all(tx, inbox_id)
    api_keys.remove_of(tx, inbox_id=inbox_id)
    endpoints.remove_of(tx, inbox_id=inbox_id)
    mailgun_validations.remove_of(tx, mailgun_validations.inbox_scope(inbox_id))
    subscriptions.remove_of(tx, inbox_id=inbox_id)
    inboxes.remove(tx, inbox_id)
    return files


def held_by(connection: Connection, inbox_id: int, *, limit: int = _AT_ONCE) -> list[int]:
    """Return some of the messages in an inbox, done with or not."""
    query = select(message.c.id).where(message.c.inbox_id == inbox_id).limit(limit)
    return list(connection.execute(query).scalars())


def locations(connection: Connection) -> set[str]:
    """Return the files that rows name; all others are orphans."""
    return set(connection.execute(select(raw.c.location).where(raw.c.location != "")).scalars())
