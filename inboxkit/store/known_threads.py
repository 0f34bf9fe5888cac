"""What a batch of arriving mail needs to know of threads: read once, changed here, written once.

Each message of a batch may be the parent of the next, so what one changes the next must see. A
query a message for each look-up and change cost four times the CPU (bench/ingest.py).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, text, update

from ..errors import StoreError
from .bulk import BulkInsert, Finder
from .prepared import BulkUpdate, Prepared
from .tables import message, reference, thread
from .threads import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from .transactions import Tx

ThreadColumns = dict[str, Any]  # a thread's row by column name
CANDIDATES = 20  # more than this decide nothing
_IDS_A_QUERY = 5_000
_IS_ORPHAN = "orphan IS TRUE"  # to the letter that of the partial index, or it is not used


@dataclass(slots=True)
class KnownReference:
    """A row of ``reference`` that is known, or about to be written."""

    inbox_id: int
    rfc_id: str
    thread_id: int
    message_id: int | None
    outbound: bool = False
    alias: bool = False

    @property
    def row(self) -> Mapping[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


_find_references = Finder(
    reference.c.rfc_id,
    reference.c.inbox_id,
    reference.c.rfc_id,
    reference.c.thread_id,
    reference.c.message_id,
    reference.c.outbound,
    reference.c.alias,
    within=reference.c.inbox_id,
)
_living = (
    select(thread)
    .where(thread.c.inbox_id == bindparam("inbox"), thread.c.merged_into.is_(None))
    .order_by(thread.c.last_at.desc())
    .limit(CANDIDATES)
)
_alive = (thread.c.base_subject == bindparam("base")) & (thread.c.last_at >= bindparam("since"))
_by_id = Prepared(select(thread).where(thread.c.id == bindparam("row")).with_for_update())
_by_index = Prepared(_living.where(thread.c.topic == bindparam("root")))
_by_subject = Prepared(_living.where(_alive))
_orphans = Prepared(_living.where(_alive, text(_IS_ORPHAN)))
_last_outbound = Prepared(
    select(message.c.id)
    .where(message.c.thread_id == bindparam("thread"), message.c.direction == "outbound")
    .order_by(message.c.id.desc())
    .limit(1)
)
_waiting = Finder(
    thread.c.base_subject, thread.c.base_subject, within=thread.c.inbox_id, where=_IS_ORPHAN
)
_insert_references = BulkInsert(reference)
_insert_threads = BulkInsert(thread)
_update_threads = BulkUpdate(thread, *(c.name for c in thread.columns if c.name != "id"))


class KnownThreads:
    """The references and threads that a batch meets, as they are after what it did so far."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._references: dict[tuple[int, str], KnownReference | None] = {}
        self._fresh_references: list[KnownReference] = []
        self._threads: dict[int, ThreadColumns] = {}
        self._fresh: set[int] = set()
        self._changed: set[int] = set()
        self._last_outbound: dict[int, int | None] = {}
        self._waiting: dict[int, set[str]] = {}

    def prefetch(self, wanted: Iterable[tuple[int, str]]) -> None:
        """Read the references to these ids, of each inbox in one query."""
        by_inbox: defaultdict[int, list[str]] = defaultdict(list)
        for inbox_id, rfc_id in dict.fromkeys(wanted):
            if (inbox_id, rfc_id) not in self._references:
                self._references[inbox_id, rfc_id] = None
                by_inbox[inbox_id].append(rfc_id)
        for inbox_id, ids in by_inbox.items():
            for start in range(0, len(ids), _IDS_A_QUERY):
                part = ids[start : start + _IDS_A_QUERY]
                for row in _find_references(self._tx.connection, part, inbox_id):
                    found_in, rfc_id, thread_id, message_id, outbound, alias = row
                    known = KnownReference(
                        found_in, rfc_id, thread_id, message_id, bool(outbound), bool(alias)
                    )
                    self._references[inbox_id, known.rfc_id] = known

    def hold(self) -> None:
        """Lock the threads that the batch's ids point to, in one order."""
        lock(self._tx, {known.thread_id for known in self._references.values() if known})

    def prefetch_waiting(self, wanted: Iterable[tuple[int, str]]) -> None:
        """Read which of these bare subjects have threads whose parent may still come: few do."""
        by_inbox: defaultdict[int, set[str]] = defaultdict(set)
        for inbox_id, base in wanted:
            by_inbox[inbox_id].add(base)
        for inbox_id, bases in by_inbox.items():
            found = _waiting(self._tx.connection, sorted(bases), inbox_id)
            self._waiting[inbox_id] = {row[0] for row in found}

    def references(self, inbox_id: int, ids: Iterable[str]) -> list[KnownReference]:
        """Return those of these ids that the inbox knows."""
        keys = [(inbox_id, rfc_id) for rfc_id in ids]
        self.prefetch(keys)
        return [known for key in keys if (known := self._references[key]) is not None]

    def cite(self, new: KnownReference) -> None:
        """Remember an id; one that is known keeps its message, or gets the one it waited for."""
        key = (new.inbox_id, new.rfc_id)
        self.prefetch([key])
        known = self._references[key]
        if known is None:
            self._references[key] = new
            self._fresh_references.append(new)
        elif known.message_id is None and new.message_id is not None:
            self._references[key] = new
            if known in self._fresh_references:
                self._fresh_references[self._fresh_references.index(known)] = new
            else:
                self._adopt(new)

    def _adopt(self, new: KnownReference) -> None:
        mine = (reference.c.inbox_id == new.inbox_id) & (reference.c.rfc_id == new.rfc_id)
        mine &= reference.c.message_id.is_(None)
        self._tx.connection.execute(update(reference).where(mine).values(**new.row))

    def thread(self, thread_id: int) -> ThreadColumns:
        """Return a thread as it is now; what it points to when it was merged is not followed."""
        if thread_id not in self._threads:
            row = _by_id.first(self._tx.connection, row=thread_id)
            if row is None:  # purged since its references were read: to be looked for again
                raise StoreError(f"thread {thread_id} has just been deleted")
            self._threads[thread_id] = row
        return self._threads[thread_id]

    def add(self, row: ThreadColumns) -> None:
        """Begin a thread."""
        self._threads[row["id"]] = row
        self._fresh.add(row["id"])

    def change(self, thread_id: int, values: Mapping[str, Any]) -> None:
        """Change columns of a thread."""
        self.thread(thread_id).update(values)
        self._changed.add(thread_id)

    def by_index(self, inbox_id: int, root: str) -> list[ThreadColumns]:
        """Return the newest threads of a Thread-Index."""
        found = _by_index(self._tx.connection, inbox=inbox_id, root=root)
        return self._as_now(inbox_id, found, lambda row: row["topic"] == root)

    def by_subject(
        self, inbox_id: int, base: str, since: datetime, *, orphans: bool = False
    ) -> list[ThreadColumns]:
        """Return the newest threads with a bare subject, or only those whose parent may come."""
        query = _orphans if orphans else _by_subject
        none = orphans and base not in self._waiting.get(inbox_id, (base,))
        found = [] if none else query(self._tx.connection, inbox=inbox_id, base=base, since=since)

        def fits(row: ThreadColumns) -> bool:
            alive = row["base_subject"] == base and row["last_at"] >= since
            return alive and (row["orphan"] or not orphans)

        return self._as_now(inbox_id, found, fits)

    def _as_now(
        self,
        inbox_id: int,
        found: Sequence[ThreadColumns],
        fits: Callable[[ThreadColumns], bool],
    ) -> list[ThreadColumns]:
        """Put what the batch did so far in the place of what the database says."""
        touched = self._fresh | self._changed
        mine = (self._threads[i] for i in touched if self._threads[i]["inbox_id"] == inbox_id)
        rows = [row for row in found if row["id"] not in touched]
        rows += [row for row in mine if row["merged_into"] is None and fits(row)]
        return sorted(rows, key=lambda row: row["last_at"], reverse=True)[:CANDIDATES]

    def last_outbound(self, row: ThreadColumns) -> int | None:
        """Return our last message in a thread; one that we never sent to needs no query."""
        if row["sent_at"] is None:
            return None
        if row["id"] not in self._last_outbound:
            found = _last_outbound(self._tx.connection, thread=row["id"])
            self._last_outbound[row["id"]] = found[0]["id"] if found else None
        return self._last_outbound[row["id"]]

    def move(self, loser: int, winner: int) -> None:
        """Let what pointed to one thread point to another."""
        for known in self._references.values():
            if known is not None and known.thread_id == loser:
                known.thread_id = winner
        self._last_outbound.clear()

    def flush(self) -> None:
        """Write what changed."""
        connection: Connection = self._tx.connection
        _insert_threads(connection, [self._threads[i] for i in sorted(self._fresh)])
        _update_threads(connection, [self._threads[i] for i in sorted(self._changed - self._fresh)])
        _insert_references(connection, [known.row for known in self._fresh_references])
        self._fresh.clear()
        self._changed.clear()
        self._fresh_references.clear()
