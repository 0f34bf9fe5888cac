"""Threads: the look-ups that ``inboxkit.threads`` decides by, and the rows it decides about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, select, update

from ..quotations import quotation_marks
from ..subjects import base_subject, is_reply_subject
from ..thread_index import index_root
from ..threads import Clues, Decision, Known, ThreadCard, decide
from ..tokens import new_id
from ..values import Kind
from . import jobs
from .bulk import BulkInsert
from .rows import columns
from .tables import event, message, reference, run, thread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .readings import Reading
    from .writer import Tx

_ID_CHARACTERS = 998  # RFC 5322 section 2.1.1: no id is longer than a line
_MARKS = 256  # of the newest mails of a thread
_CARDS = 20  # more candidates than this decide nothing


_threads = thread  # the look-up's own parameter is called ``thread`` too


class Lookup:
    """What one inbox knows, read inside the transaction that places a message."""

    def __init__(self, connection: Connection, inbox_id: int) -> None:
        self._connection = connection
        self._inbox_id = inbox_id

    def by_ids(self, ids: Sequence[str]) -> Mapping[str, Known]:
        return {
            row.rfc_id: Known(row.thread_id, row.message_id, row.outbound, row.alias)
            for row in _references(self._connection, self._inbox_id, ids)
        }

    def by_index(self, root: str) -> Sequence[ThreadCard]:
        return self._cards(thread.c.topic == root)

    def by_subject(self, base: str, since: datetime) -> Sequence[ThreadCard]:
        return self._cards((thread.c.base_subject == base) & (thread.c.last_at >= since))

    def orphans(self, base: str, since: datetime) -> Sequence[ThreadCard]:
        alive = (thread.c.base_subject == base) & (thread.c.last_at >= since)
        return self._cards(alive & thread.c.orphan)

    def card(self, thread: int) -> ThreadCard:
        row = self._connection.execute(select(_threads).where(_threads.c.id == thread)).one()
        return self._card(row)

    def _cards(self, condition: Any) -> list[ThreadCard]:
        query = (
            select(thread)
            .where(thread.c.inbox_id == self._inbox_id, condition, thread.c.merged_into.is_(None))
            .order_by(thread.c.last_at.desc())
            .limit(_CARDS)
        )
        return [self._card(row) for row in self._connection.execute(query)]

    def _card(self, row: Row[Any]) -> ThreadCard:
        last_outbound = self._connection.execute(
            select(message.c.id)
            .where(message.c.thread_id == row.id, message.c.direction == "outbound")
            .order_by(message.c.id.desc())
            .limit(1)
        ).scalar()
        people = frozenset(email.lower() for email, _name in row.participants)
        return ThreadCard(
            row.id,
            people,
            row.last_at,
            row.last_message_id,
            last_outbound,
            base=row.base_subject,
            own=frozenset(row.own_marks),
            quoted=frozenset(row.quoted_marks),
            orphan=row.orphan,
        )


def place(tx: Tx, reading: Reading) -> dict[str, Any]:
    """Find or make the thread of an arriving message; return the columns of its row."""
    parsed, stored = reading.parsed, reading.stored
    clues = _clues(tx.connection, reading)
    decision = decide(clues, Lookup(tx.connection, stored.inbox_id))
    thread_id = decision.thread
    if thread_id is None:
        row = _new_row(stored.inbox_id, parsed.subject, stored.received_at)
        thread_id = row["id"]
        _insert_threads(tx.connection, [row | _grown(row, reading, clues, decision)])
    else:
        _merge(tx, thread_id, decision.merge)
        _grow(tx, thread_id, reading, clues, decision)
    cite(tx, stored.inbox_id, thread_id, decision.ghosts, message_id=None)
    own = [parsed.message_id[:_ID_CHARACTERS]] if parsed.message_id else []
    cite(tx, stored.inbox_id, thread_id, own, message_id=stored.id)
    return {
        "thread_id": thread_id,
        "thread_reason": decision.reason,
        "participant": decision.participant,
        "answers_id": decision.answers,
    }


_insert_threads = BulkInsert(thread)
_insert_references = BulkInsert(reference)


def _clues(connection: Connection, reading: Reading) -> Clues:
    parsed = reading.parsed
    answers = is_reply_subject(parsed.subject)
    own, quoted = quotation_marks(parsed.text, parsed.reply.text, is_reply=answers)
    recipients = {a.email.lower() for a in (*parsed.to, *parsed.cc) if a.email}
    return Clues(
        message_id=parsed.message_id,
        in_reply_to=parsed.in_reply_to,
        references=parsed.references,
        thread_index=parsed.thread_index,
        subject=parsed.subject,
        sender=parsed.sender.email.lower(),
        recipients=frozenset(recipients),
        inbox=frozenset(reading.own),
        own=own,
        quoted=quoted,
        received_at=reading.stored.received_at,
        token_thread=known_send(connection, reading.stored.inbox_id, reading.token_row),
    )


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
    row = _new_row(inbox_id, subject, now) | {"topic": topic}
    _insert_threads(tx.connection, [row])
    return int(row["id"])


def _new_row(inbox_id: int, subject: str, now: datetime) -> dict[str, Any]:
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
    wanted = list(dict.fromkeys(i[:_ID_CHARACTERS] for i in ids))
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


_REFERENCES = select(reference).where(
    reference.c.inbox_id == bindparam("inbox"),
    reference.c.rfc_id.in_(bindparam("ids", expanding=True)),
)


def _references(connection: Connection, inbox_id: int, ids: Sequence[str]) -> Sequence[Row[Any]]:
    if not ids:
        return ()
    return connection.execute(_REFERENCES, {"inbox": inbox_id, "ids": list(ids)}).all()


def _merge(tx: Tx, winner: int, losers: Sequence[int]) -> None:
    """Join threads that a message shows to be one conversation; ids stay resolvable."""
    for loser in losers:
        if loser == winner:
            continue
        for table in (message, reference, event, run):
            tx.connection.execute(
                update(table).where(table.c.thread_id == loser).values(thread_id=winner)
            )
        old = tx.connection.execute(select(thread).where(thread.c.id == loser)).one()
        new = tx.connection.execute(select(thread).where(thread.c.id == winner)).one()
        tx.connection.execute(
            update(thread)
            .where(thread.c.id == winner)
            .values(
                participants=merge_people(new.participants, old.participants),
                state={**old.state, **new.state},
                message_count=new.message_count + old.message_count,
                size=new.size + old.size,
                own_marks=merge_marks(old.own_marks, new.own_marks),
                quoted_marks=merge_marks(old.quoted_marks, new.quoted_marks),
                orphan=old.orphan or new.orphan,
                sent_at=new.sent_at or old.sent_at,
                waiting_since=new.waiting_since or old.waiting_since,
                reminders=max(new.reminders, old.reminders),
            )
        )
        tx.connection.execute(
            update(thread)
            .where((thread.c.id == loser) | (thread.c.merged_into == loser))
            .values(merged_into=winner)
        )


def merge_people(known: Sequence[Sequence[str]], more: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the people of both lists once each; the first name that is not empty stays."""
    people: dict[str, list[str]] = {}
    for email, name in (*known, *more):
        found = people.setdefault(email.lower(), [email, name])
        found[1] = found[1] or name
    return list(people.values())


def _grow(tx: Tx, thread_id: int, reading: Reading, clues: Clues, decision: Decision) -> None:
    """Count a message in the thread that it joined; an answer ends the waiting."""
    row = columns(tx.connection.execute(select(thread).where(thread.c.id == thread_id)).one())
    values = _grown(row, reading, clues, decision)
    human = reading.parsed.kind == Kind.HUMAN
    if human and decision.participant and row["sent_at"] is not None:
        values |= {"waiting_since": None, "reminders": 0}
        jobs.cancel_prefix(tx, "timer", f"{thread_id}:")
    tx.connection.execute(update(thread).where(thread.c.id == thread_id).values(**values))


def _grown(
    row: Mapping[str, Any], reading: Reading, clues: Clues, decision: Decision
) -> dict[str, Any]:
    """Return what a thread's row becomes with one more message."""
    parsed, at = reading.parsed, reading.stored.received_at
    people = [[a.email, a.name] for a in (*parsed.senders, *parsed.to, *parsed.cc) if a.email]
    known = row["participants"]
    is_root = decision.is_root or not row["message_count"]
    return {
        "participants": merge_people(known, people) if decision.participant else known,
        "message_count": row["message_count"] + 1,
        "size": row["size"] + parsed.size,
        "last_message_id": reading.stored.id,
        "last_at": max(row["last_at"], at),
        "received_at": at,
        "preview": " ".join((parsed.reply.text or parsed.text)[:400].split())[:160],
        "own_marks": merge_marks(row["own_marks"], clues.own),
        "quoted_marks": merge_marks(row["quoted_marks"], clues.quoted),
        "orphan": row["orphan"] or decision.orphan,
        "topic": row["topic"] or index_root(parsed.thread_index),
        "base_subject": base_subject(parsed.subject)[:500] if is_root else row["base_subject"],
        "updated_at": reading.now,
    }


def merge_marks(known: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return the newest marks of both, once each."""
    return list(dict.fromkeys([*known, *more]))[-_MARKS:]


def sent(
    tx: Tx, thread_id: int, row: Mapping[str, Any], people: list[list[str]], text: str
) -> None:
    """Count a send of ours in its thread, which now waits for an answer."""
    own, _ = quotation_marks(text, text, is_reply=False)
    known = tx.connection.execute(select(thread).where(thread.c.id == thread_id)).one()
    tx.connection.execute(
        update(thread)
        .where(thread.c.id == thread_id)
        .values(
            participants=merge_people(known.participants, people),
            message_count=known.message_count + 1,
            size=known.size + row["size"],
            last_message_id=row["id"],
            last_at=max(known.last_at, row["created_at"]),
            sent_at=row["created_at"],
            preview=row["preview"],
            own_marks=merge_marks(known.own_marks, own),
            waiting_since=known.waiting_since or row["created_at"],
            updated_at=row["created_at"],
        )
    )


def update_state(tx: Tx, thread_id: int, state: Mapping[str, Any], now: datetime) -> None:
    """Merge into a thread's state."""
    known = tx.connection.execute(
        select(thread.c.state).where(thread.c.id == thread_id).with_for_update()
    ).scalar_one()
    tx.connection.execute(
        update(thread)
        .where(thread.c.id == thread_id)
        .values(state={**known, **state}, updated_at=now)
    )


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
    row = connection.execute(select(thread).where(thread.c.id == thread_id)).first()
    if row is not None and row.merged_into is not None:
        return connection.execute(select(thread).where(thread.c.id == row.merged_into)).first()
    return row
