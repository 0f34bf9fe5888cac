"""Threads: the look-ups that ``inboxkit.threads`` decides by, and the rows it decides about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, select, update

from ..errors import NotFound
from ..quotations import quotation_marks
from ..subjects import base_subject
from ..threads import Known
from ..tokens import new_id, public_id
from . import jobs
from .bulk import BulkInsert
from .prepared import BulkUpdate, Prepared, among
from .tables import message, reference, thread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from .transactions import Tx

_ID_BYTES = 998  # RFC 5322 section 2.1.1: no id is longer than a line
_MARKS = 256  # of the newest mails of a thread


_insert_threads = BulkInsert(thread)
_insert_references = BulkInsert(reference)


def stored_id(rfc_id: str) -> str:
    """Return an RFC id as it is stored and looked for; PostgreSQL's index takes no longer ones."""
    if len(rfc_id) <= _ID_BYTES and (rfc_id.isascii() or len(rfc_id) <= _ID_BYTES // 4):
        return rfc_id
    return rfc_id.encode("utf-8", "replace")[:_ID_BYTES].decode("utf-8", "ignore")


def known_send(connection: Connection, inbox_id: int, row_id: int | None) -> Known | None:
    """Return where a send of ours stands, for a reply token that was verified."""
    if row_id is None:
        return None
    row = connection.execute(
        select(message.c.thread_id).where(
            message.c.id == row_id, message.c.inbox_id == inbox_id, message.c.thread_id.is_not(None)
        )
    ).first()
    return None if row is None else Known(row.thread_id, row_id, outbound=True)


def new_thread(tx: Tx, inbox_id: int, subject: str, topic: str, now: datetime) -> int:
    """Make an empty thread and return its row id."""
    row = new_row(inbox_id, subject, now) | {"topic": topic}
    _insert_threads(tx.connection, [row])
    return int(row["id"])


def new_row(inbox_id: int, subject: str, now: datetime) -> dict[str, Any]:
    """Return the row of an empty thread."""
    return {
        "id": new_id(),
        "inbox_id": inbox_id,
        "subject": subject,
        "base_subject": base_subject(subject)[:500],
        "topic": "",
        "participants": [],
        "state": {},
        "waiting_since": None,
        "reminders": 0,
        "preview": "",
        "message_count": 0,
        "size": 0,
        "last_message_id": None,
        "last_at": now,
        "received_at": None,
        "sent_at": None,
        "merged_into": None,
        "orphan": False,
        "own_marks": [],
        "quoted_marks": [],
        "created_at": now,
        "updated_at": now,
    }


def cite(
    tx: Tx,
    inbox_id: int,
    thread_id: int,
    ids: Sequence[str],
    *,
    message_id: int | None,
    outbound: bool = False,
    alias: bool = False,
) -> None:
    """Remember RFC ids as belonging to a thread; an id that is known keeps its message."""
    wanted = list(dict.fromkeys(map(stored_id, ids)))
    known = {r.rfc_id: r.message_id for r in _references(tx.connection, inbox_id, wanted)}
    values = {
        "inbox_id": inbox_id,
        "thread_id": thread_id,
        "message_id": message_id,
        "outbound": outbound,
        "alias": alias,
    }
    fresh = [{**values, "rfc_id": rfc_id} for rfc_id in wanted if rfc_id not in known]
    _insert_references(tx.connection, fresh)
    ghosts = [i for i in wanted if i in known and known[i] is None]
    if message_id is not None and ghosts:
        mine = (reference.c.inbox_id == inbox_id) & reference.c.rfc_id.in_(ghosts)
        tx.connection.execute(update(reference).where(mine).values(**values))


_known = Prepared(
    select(reference).where(reference.c.inbox_id == bindparam("inbox"), among(reference.c.rfc_id))
)


def _references(connection: Connection, inbox_id: int, ids: Sequence[str]) -> Sequence[Row[Any]]:
    if not ids:
        return ()
    return _known.rows(connection, inbox=inbox_id, ids=ids)


def merge_people(known: Sequence[Sequence[str]], more: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the people of both lists once each; the first name that is not empty stays."""
    people: dict[str, list[str]] = {}
    for email, name in (*known, *more):
        found = people.setdefault(email.lower(), [email, name])
        found[1] = found[1] or name
    return list(people.values())


def merge_marks(known: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return the newest marks of both, once each."""
    return list(dict.fromkeys([*known, *more]))[-_MARKS:]


def sent(
    tx: Tx, thread_id: int, row: Mapping[str, Any], people: list[list[str]], text: str
) -> None:
    """Count a send of ours in its thread, which now waits for an answer."""
    own, _ = quotation_marks(text, text, is_reply=False)
    known = _held.one(tx.connection, id=thread_id)
    if known is None:
        raise NotFound(f"no thread {public_id('thd', thread_id)}: it was deleted meanwhile")
    went_at = max(row["send_at"] or row["created_at"], row["created_at"])
    changed = {
        "id": thread_id,
        "participants": merge_people(known.participants, people),
        "message_count": known.message_count + 1,
        "size": known.size + row["size"],
        "last_message_id": row["id"],
        "last_at": max(known.last_at, row["created_at"]),
        "sent_at": row["created_at"],
        "preview": row["preview"],
        "own_marks": merge_marks(known.own_marks, own),
        "waiting_since": min(known.waiting_since or went_at, went_at),
        "updated_at": row["created_at"],
    }
    _count_sent(tx.connection, [changed])


def lock(tx: Tx, ids: AbstractSet[int]) -> None:
    """Lock several threads in one order, or two that do would wait for each other."""
    if len(ids) > 1 and tx.connection.dialect.name == "postgresql":
        _lock(tx.connection, ids=sorted(ids))


_lock = Prepared(
    select(thread.c.id).where(among(thread.c.id)).order_by(thread.c.id).with_for_update()
)


def held(tx: Tx, thread_id: int) -> Row[Any] | None:
    """Return the thread's row, or that of the thread it was merged into; it stays so."""
    row: Row[Any] | None = _held.one(tx.connection, id=thread_id)
    if row is not None and row.merged_into is not None:
        row = _held.one(tx.connection, id=row.merged_into)
    return row


_held = Prepared(select(thread).where(thread.c.id == bindparam("id")).with_for_update())
_count_sent = BulkUpdate(
    thread,
    "participants",
    "message_count",
    "size",
    "last_message_id",
    "last_at",
    "sent_at",
    "preview",
    "own_marks",
    "waiting_since",
    "updated_at",
)


def update_state(tx: Tx, thread_id: int, state: Mapping[str, Any], now: datetime) -> bool:
    """Merge into a thread's state; False when it is gone."""
    known = held(tx, thread_id)
    if known is None:
        return False
    tx.connection.execute(
        update(thread)
        .where(thread.c.id == known.id)
        .values(state={**known.state, **state}, updated_at=now)
    )
    return True


def remind(tx: Tx, thread_id: int, count: int) -> None:
    """Remember how many reminders a waiting thread has had."""
    tx.connection.execute(update(thread).where(thread.c.id == thread_id).values(reminders=count))


def stop_waiting(tx: Tx, thread_id: int) -> None:
    """Cancel the timers of a thread: a reply came, or the address is dead."""
    jobs.cancel_prefix(tx, "timer", f"{thread_id}:")
    tx.connection.execute(
        update(thread).where(thread.c.id == thread_id).values(waiting_since=None, reminders=0)
    )


def resolve(connection: Connection, thread_id: int) -> Row[Any] | None:
    """Return the thread's row, or that of the thread it was merged into."""
    row: Row[Any] | None = _by_id.one(connection, id=thread_id)
    if row is not None and row.merged_into is not None:
        row = _by_id.one(connection, id=row.merged_into)
    return row


_by_id = Prepared(select(thread).where(thread.c.id == bindparam("id")))
