"""Accepting: mails stored as they come, before the 250, and told from those that came before."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert

from . import jobs
from .bulk import BulkInsert, Finder
from .messages import BLANK, blank
from .tables import inbox, label, message, raw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .blobs import Packed
    from .writer import Tx


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
    of which nothing was stored, as one of its inboxes is no longer there.
    """
    living = {row[0] for row in _inboxes(tx.connection, list(_wanted(arrivals)))}
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
            result.append((before or arrival.id, before is not None))
            if before is None:
                known[key] = arrival.id
                fresh.append(arrival)
        results.append(result)
    _insert(tx, fresh)
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


_inboxes = Finder(inbox.c.id, inbox.c.id, keep=True)
_by_dedupe = Finder(message.c.dedupe, message.c.inbox_id, message.c.dedupe, message.c.id)
_insert_messages = BulkInsert(message, BLANK)
_insert_raw = BulkInsert(raw)


def _insert(tx: Tx, arrivals: Sequence[Arrival]) -> None:
    if not arrivals:
        return
    _insert_messages(tx.connection, [_arrival_row(a) for a in arrivals])
    _insert_raw(
        tx.connection,
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
                data={"silent": a.silent, "record": a.record} if a.silent or a.record else None,
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
