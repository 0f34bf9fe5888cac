"""Accepting: mails stored as they come, before the 250, and told from those that came before."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert

from . import jobs
from .bulk import BulkInsert, Finder
from .inboxes import DELETING, PAUSED
from .messages import BLANK, blank
from .tables import inbox, label, message, raw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from .blobs import Packed
    from .transactions import Tx


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
    record: bool = False  # imported: what handlers send is only recorded

    dedupe: str | None = None


def dedupe_key(message_id: str, sha256: str, *, unique: bool = False) -> str | None:
    """Return what tells a mail that comes again; None for one without Message-ID.

    ``unique`` tells it by its bytes alone, as an import may be repeated.
    """
    if not message_id and not unique:
        return None
    return blake2b(f"{message_id}\n{sha256}".encode(), digest_size=16).hexdigest()


def accept(tx: Tx, arrivals: Sequence[tuple[Arrival, ...]]) -> list[list[tuple[int, bool]] | None]:
    """Store mails; return for each its copies as (row id, whether it was here before).

    Same inbox, Message-ID and sha256 is the same mail: the sender has tried again. None for a mail
    of which nothing was stored, as one of its inboxes is deleted or is just being so. What comes to
    a paused inbox is stored too, and its reading told so.
    """
    found = _inboxes(tx.connection, list(_wanted(arrivals)))
    living = {row[0]: row[1] for row in found if row[1] != DELETING}
    known = _known(tx.connection, [a for copies in arrivals for a in copies])
    fresh: list[Arrival] = []
    results: list[list[tuple[int, bool]] | None] = []
    for copies in arrivals:
        if any(arrival.inbox_id not in living for arrival in copies):
            results.append(None)
            continue
        result: list[tuple[int, bool]] = []
        for arrival in copies:
            key = (arrival.inbox_id, arrival.dedupe)
            before = known.get(key) if key[1] is not None else None
            result.append((before or arrival.id, before not in (None, arrival.id)))
            if before is None:
                known[key] = arrival.id
                fresh.append(arrival)
        results.append(result)
    _insert(tx, fresh, {one for one, status in living.items() if status == PAUSED})
    return results


def _wanted(arrivals: Sequence[tuple[Arrival, ...]]) -> set[int]:
    return {arrival.inbox_id for copies in arrivals for arrival in copies}


def _known(
    connection: Connection, arrivals: Sequence[Arrival]
) -> dict[tuple[int, str | None], int]:
    keys = [a.dedupe for a in arrivals if a.dedupe is not None]
    if not keys:
        return {}
    return {(row[0], row[1]): row[2] for row in _by_dedupe(connection, keys)}


_inboxes = Finder(inbox.c.id, inbox.c.id, inbox.c.status, keep=True)
_by_dedupe = Finder(message.c.dedupe, message.c.inbox_id, message.c.dedupe, message.c.id)
_insert_messages = BulkInsert(message, BLANK)
_insert_raw = BulkInsert(raw)


def _insert(tx: Tx, arrivals: Sequence[Arrival], paused: AbstractSet[int]) -> None:
    if not arrivals:
        return
    _insert_messages(tx.connection, [message_row(a) for a in arrivals])
    _insert_raw(tx.connection, [raw_row(a) for a in arrivals])
    labels = [{"message_id": a.id, "label": name} for a in arrivals for name in a.labels]
    if labels:
        tx.connection.execute(insert(label), labels)
    jobs.put(tx, [read_job(a, is_paused=a.inbox_id in paused) for a in arrivals])


def read_job(arrival: Arrival, *, is_paused: bool = False) -> dict[str, Any]:
    """Return the row of the job that reads a mail."""
    marks = {"silent": arrival.silent, "record": arrival.record}
    data = marks if any(marks.values()) else {}
    return jobs.new_job(
        "read",
        arrival.id,
        inbox_id=arrival.inbox_id,
        due_at=arrival.received_at,
        data=data | ({PAUSED: True} if is_paused else {}),
    )


def raw_row(arrival: Arrival) -> dict[str, Any]:
    """Return the row of a mail's bytes."""
    packed = arrival.packed
    return {"message_id": arrival.id, "data": packed.data, "location": packed.location}


def message_row(arrival: Arrival) -> dict[str, Any]:
    """Return the row of a mail of which nothing but the envelope is known yet."""
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
