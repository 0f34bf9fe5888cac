"""Placing arriving messages in their threads: what ``inboxkit.threads`` decides, made to rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from ..quotations import quotation_marks
from ..subjects import base_subject, is_reply_subject
from ..thread_index import index_root
from ..threads import Clues, Decision, Known, ThreadCard, decide
from ..values import Kind
from . import jobs
from .known_threads import KnownReference, KnownThreads, ThreadColumns
from .tables import event, message, reference, run, thread
from .threads import known_send, merge_marks, merge_people, new_row, stored_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from .transactions import Tx
    from .unread import Reading


class Lookup:
    """What one inbox knows, read inside the transaction that places a message."""

    def __init__(self, known: KnownThreads, inbox_id: int) -> None:
        self._known = known
        self._inbox_id = inbox_id

    def by_ids(self, ids: Sequence[str]) -> Mapping[str, Known]:
        stored = {i: stored_id(i) for i in ids}
        found = {
            r.rfc_id: Known(r.thread_id, r.message_id, r.outbound, r.alias)
            for r in self._known.references(self._inbox_id, stored.values())
        }
        return {i: found[key] for i, key in stored.items() if key in found}

    def by_index(self, root: str) -> Sequence[ThreadCard]:
        return [self._card(row) for row in self._known.by_index(self._inbox_id, root)]

    def by_subject(self, base: str, since: datetime) -> Sequence[ThreadCard]:
        return [self._card(row) for row in self._known.by_subject(self._inbox_id, base, since)]

    def orphans(self, base: str, since: datetime) -> Sequence[ThreadCard]:
        found = self._known.by_subject(self._inbox_id, base, since, orphans=True)
        return [self._card(row) for row in found]

    def card(self, thread: int) -> ThreadCard:
        return self._card(self._known.thread(thread))

    def _card(self, row: ThreadColumns) -> ThreadCard:
        return ThreadCard(
            row["id"],
            frozenset(email.lower() for email, _name in row["participants"]),
            row["last_at"],
            row["last_message_id"],
            self._known.last_outbound(row),
            base=row["base_subject"],
            own=frozenset(row["own_marks"]),
            quoted=frozenset(row["quoted_marks"]),
            orphan=row["orphan"],
        )


def place(tx: Tx, readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Find or make the threads of arriving messages; return the columns of each message's row."""
    tx.take_turns(reading.stored.inbox_id for reading in readings)
    known = KnownThreads(tx)
    known.prefetch(pair for reading in readings for pair in _ids(reading))
    known.hold()
    known.prefetch_waiting(
        (r.stored.inbox_id, base) for r in readings if (base := base_subject(r.parsed.subject))
    )
    placed: list[dict[str, Any]] = []
    for reading in readings:
        placed.append(_place(tx, known, reading, placed))
    known.flush()
    return placed


def _ids(reading: Reading) -> Iterator[tuple[int, str]]:
    parsed, inbox_id = reading.parsed, reading.stored.inbox_id
    for rfc_id in (parsed.message_id, parsed.in_reply_to, *parsed.references):
        if rfc_id:
            yield inbox_id, stored_id(rfc_id)


def _place(
    tx: Tx, known: KnownThreads, reading: Reading, before: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Place one message; ``before`` are those of its batch, which a merge moves too."""
    inbox_id = reading.stored.inbox_id
    clues = _clues(tx.connection, reading)
    decision = decide(clues, Lookup(known, inbox_id))
    thread_id = decision.thread
    if thread_id is None:
        row = new_row(inbox_id, reading.parsed.subject, reading.stored.received_at)
        thread_id = row["id"]
        known.add(row | _grown(row, reading, clues, decision))
    else:
        for loser in decision.merge:
            _merge(tx, known, thread_id, loser, before)
        _grow(tx, known, thread_id, reading, clues, decision)
    _cite(known, reading, thread_id, decision)
    return {
        "thread_id": thread_id,
        "thread_reason": decision.reason,
        "participant": decision.participant,
        "answers_id": decision.answers,
    }


def _cite(known: KnownThreads, reading: Reading, thread_id: int, decision: Decision) -> None:
    inbox_id, own = reading.stored.inbox_id, reading.parsed.message_id
    for ghost in decision.ghosts:
        known.cite(KnownReference(inbox_id, stored_id(ghost), thread_id, None))
    if own:
        known.cite(KnownReference(inbox_id, stored_id(own), thread_id, reading.stored.id))


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


def _merge(
    tx: Tx, known: KnownThreads, winner: int, loser: int, batch: Sequence[dict[str, Any]]
) -> None:
    """Join two threads that a message shows to be one conversation; ids stay resolvable."""
    if loser == winner:
        return
    _move(tx.connection, winner, loser)
    for row in batch:
        if row["thread_id"] == loser:
            row["thread_id"] = winner
    known.move(loser, winner)
    known.change(winner, _joined(known.thread(loser), known.thread(winner)))
    known.change(loser, {"merged_into": winner})
    earlier = update(thread).where(thread.c.merged_into == loser).values(merged_into=winner)
    tx.connection.execute(earlier)


def _move(connection: Connection, winner: int, loser: int) -> None:
    """Move what a thread holds; the log and the Runs, which have no index of threads, first."""
    held = select(message.c.id).where(message.c.thread_id == loser)
    for table in (event, run):
        mine = table.c.message_id.in_(held) & (table.c.thread_id == loser)
        connection.execute(update(table).where(mine).values(thread_id=winner))
    for table in (message, reference):
        moved = update(table).where(table.c.thread_id == loser).values(thread_id=winner)
        connection.execute(moved)


def _joined(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a thread is once another, older one has become part of it."""
    return {
        "participants": merge_people(new["participants"], old["participants"]),
        "state": {**old["state"], **new["state"]},
        "message_count": new["message_count"] + old["message_count"],
        "size": new["size"] + old["size"],
        "own_marks": merge_marks(old["own_marks"], new["own_marks"]),
        "quoted_marks": merge_marks(old["quoted_marks"], new["quoted_marks"]),
        "orphan": old["orphan"] or new["orphan"],
        "last_at": max(old["last_at"], new["last_at"]),
        "received_at": max(_known(old, new, "received_at"), default=None),
        "sent_at": max(_known(old, new, "sent_at"), default=None),
        "waiting_since": min(_known(old, new, "waiting_since"), default=None),
        "reminders": max(new["reminders"], old["reminders"]),
    }


def _known(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> list[datetime]:
    return [at for at in (old[name], new[name]) if at is not None]


def _grow(
    tx: Tx,
    known: KnownThreads,
    thread_id: int,
    reading: Reading,
    clues: Clues,
    decision: Decision,
) -> None:
    """Count a message in the thread that it joined; an answer ends the waiting."""
    row = known.thread(thread_id)
    values = _grown(row, reading, clues, decision)
    human = reading.parsed.kind == Kind.HUMAN
    if human and decision.participant and row["sent_at"] is not None:
        values |= {"waiting_since": None, "reminders": 0}
        jobs.cancel_prefix(tx, "timer", f"{thread_id}:")
    known.change(thread_id, values)


def _grown(
    row: Mapping[str, Any], reading: Reading, clues: Clues, decision: Decision
) -> dict[str, Any]:
    """Return what a thread's row becomes with one more message."""
    parsed, at = reading.parsed, reading.stored.received_at
    people = [[a.email, a.name] for a in (*parsed.senders, *parsed.to, *parsed.cc) if a.email]
    members = row["participants"]
    return {
        "participants": merge_people(members, people) if decision.participant else members,
        "message_count": row["message_count"] + 1,
        "size": row["size"] + parsed.size,
        "last_message_id": reading.stored.id,
        "last_at": max(row["last_at"], at),
        "received_at": max(row["received_at"] or at, at),
        "preview": " ".join((parsed.reply.text or parsed.text)[:400].split())[:160],
        "own_marks": merge_marks(row["own_marks"], clues.own),
        "quoted_marks": merge_marks(row["quoted_marks"], clues.quoted),
        "orphan": row["orphan"] or decision.orphan,
        "topic": row["topic"] or index_root(parsed.thread_index),
        "base_subject": base_subject(parsed.subject)[:500]
        if decision.is_root
        else row["base_subject"],
        "updated_at": reading.now,
    }
