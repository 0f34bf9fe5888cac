"""Outbound messages: staged with their bytes, sent once, and how far each recipient has come."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, func, select, update

from ..errors import KeyReused
from ..parsing.attachments import safe_name
from ..tokens import new_id
from ..values import EventType, File
from . import caps, events, jobs, search, threads
from .bulk import BulkInsert, Finder
from .inboxes import DELETING, InboxGone
from .messages import blank, preview
from .prepared import Prepared
from .tables import attachment, content, delivery, event, inbox, message, raw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .blobs import Packed
    from .transactions import Tx

# The keys of what handlers send without one: a replayed Run sends nothing twice.
AUTO_KEY = "auto:"


@dataclass(frozen=True, slots=True)
class Capped:
    """Whom an automatic reply answers, and how many may leave."""

    to: str
    caps: caps.Caps


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A composed send, ready to be stored; ``row`` holds the columns of its message."""

    row: Mapping[str, Any]
    content: Mapping[str, Any] = field(repr=False)
    packed: Packed = field(repr=False)
    references: tuple[str, ...]
    thread_id: int | None
    subject: str
    topic: str
    people: tuple[tuple[str, str], ...]
    due_at: datetime
    reminder: bool = False  # sent by a timer: it must not start timers of its own
    stopped: str = ""  # why the loop guard keeps it back; "" when it may go
    capped: Capped | None = None  # set for automatic replies
    files: tuple[File, ...] = ()
    recorded: bool = False  # shown, never sent: a replay or an import that must not write to people

    @property
    def id(self) -> int:
        return int(self.row["id"])


def keyed(connection: Connection, inbox_id: int, key: str) -> Any:
    """Return the id and the fingerprint of the send that was made under a key, or None."""
    return _keyed.one(connection, inbox=inbox_id, key=key)


_keyed = Prepared(
    select(message.c.id, message.c.fingerprint).where(
        message.c.inbox_id == bindparam("inbox"), message.c.send_key == bindparam("key")
    )
)


def same_or_raise(found: Any, key: str, fingerprint: str) -> int:
    """Return the first send of a key; raise KeyReused when its content was another."""
    if found.fingerprint != fingerprint:
        raise KeyReused(
            f"key {key!r}: was used before with other content; use a new key, "
            "or send the same content to get the first result again"
        )
    return int(found.id)


def store(tx: Tx, staged: Sequence[Staged]) -> list[int]:
    """Store sends and queue them; return row ids, the first send's for a repeated key.

    Many go in with few statements: they may be of different callers.
    """
    fresh: dict[int, tuple[Staged, dict[str, Any]]] = {}
    by_key: dict[tuple[int, str], Staged] = {}
    wanted = {item.row["inbox_id"] for item in staged}
    living = {row[0] for row in _inboxes(tx.connection, sorted(wanted)) if row[1] != DELETING}
    for item in staged:
        if item.row["inbox_id"] not in living:
            raise InboxGone(item.row["sender_email"])
    threads.lock(tx, {item.thread_id for item in staged if item.thread_id is not None})
    ids = [_known_or_new(tx, item, fresh, by_key) for item in staged]
    _keep_back(tx, fresh)
    _insert(tx, list(fresh.values()))
    return ids


def _known_or_new(
    tx: Tx,
    item: Staged,
    fresh: dict[int, tuple[Staged, dict[str, Any]]],
    by_key: dict[tuple[int, str], Staged],
) -> int:
    """Return the first send of the item's key, or take the item into ``fresh``."""
    row = dict(item.row)
    key = row["send_key"]
    if key is not None:
        found = keyed(tx.connection, row["inbox_id"], key)
        earlier = by_key.get((row["inbox_id"], key))
        if found is None and earlier is not None:
            found = _First(earlier.id, earlier.row["fingerprint"])
        if found is not None and key.startswith(AUTO_KEY):
            return int(found.id)
        if found is not None:
            return same_or_raise(found, key, row["fingerprint"])
        by_key[row["inbox_id"], key] = item
    row["thread_id"] = _thread_of(tx, item)
    fresh[item.id] = item, row
    return item.id


def _keep_back(tx: Tx, fresh: dict[int, tuple[Staged, dict[str, Any]]]) -> None:
    """Stop the automatic replies that are over a cap; count the others."""
    automatic = [
        (row, caps.Reply(row["inbox_id"], row["thread_id"], c.to, row["created_at"], c.caps))
        for item, row in fresh.values()
        if (c := item.capped) is not None and not (item.stopped or item.recorded)
    ]
    reasons = caps.admit(tx, [reply for _, reply in automatic])
    for (row, _), why in zip(automatic, reasons, strict=True):
        if why:
            row |= {"state": "rejected", "error": why}
            fresh[row["id"]] = replace(fresh[row["id"]][0], stopped=why), row


@dataclass(frozen=True, slots=True)
class _First:
    """The first send of a key, which is about to be stored with the others."""

    id: int
    fingerprint: str


_inboxes = Finder(inbox.c.id, inbox.c.id, inbox.c.status, keep=True)
_insert_messages = BulkInsert(message)
_insert_contents = BulkInsert(content)
_insert_raws = BulkInsert(raw)
_insert_files = BulkInsert(attachment)
_insert_deliveries = BulkInsert(delivery, omit=("part", "provider", "provider_id"))
_insert_events = BulkInsert(event, omit=("seq",))


def _insert(tx: Tx, fresh: Sequence[tuple[Staged, dict[str, Any]]]) -> None:
    connection = tx.connection
    _insert_messages(connection, [row for _, row in fresh])
    _insert_contents(connection, [{"message_id": i.id, **i.content} for i, _ in fresh])
    _insert_raws(connection, [_raw_row(item) for item, _ in fresh])
    _insert_files(connection, [row for item, _ in fresh for row in _file_rows(item)])
    if fresh:
        search.index(tx, [item.id for item, _ in fresh])
    for item, row in fresh:
        _join(tx, item, row)
    shown = [(item, row) for item, row in fresh if not item.recorded]
    leaving = [(item, row) for item, row in shown if not item.stopped]
    _insert_deliveries(connection, [d for _, row in leaving for d in _delivery_rows(row)])
    jobs.put(tx, [job for item, row in leaving for job in _jobs(item, row)])
    _insert_events(connection, [_event_row(row) for _, row in leaving])
    if leaving:
        tx.wake("event")
    for item, row in shown:
        if item.stopped:
            _log_stopped(tx, item, row)


def _join(tx: Tx, item: Staged, row: Mapping[str, Any]) -> None:
    """Count a send in its thread, and let replies find it there."""
    people = [list(pair) for pair in item.people]
    threads.sent(tx, row["thread_id"], row, people, item.content["text"])
    threads.cite(
        tx,
        row["inbox_id"],
        row["thread_id"],
        [row["message_id"]],
        message_id=item.id,
        outbound=True,
    )


def _raw_row(item: Staged) -> dict[str, Any]:
    return {"message_id": item.id, "data": item.packed.data, "location": item.packed.location}


def _file_rows(item: Staged) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id(),
            "message_id": item.id,
            "position": position,
            "filename": file.filename,
            "safe_name": safe_name(file.filename),
            "content_type": file.content_type or "application/octet-stream",
            "sniffed_type": file.content_type,
            "size": len(file.data),
            "sha256": hashlib.sha256(file.data).hexdigest(),
            "inline": bool(file.content_id),
            "content_id": file.content_id,
        }
        for position, file in enumerate(item.files)
    ]


def _thread_of(tx: Tx, item: Staged) -> int:
    if item.thread_id is not None:
        known = threads.held(tx, item.thread_id)
        if known is not None:
            return int(known.id)
    row = item.row
    return threads.new_thread(tx, row["inbox_id"], item.subject, item.topic, row["created_at"])


def _delivery_rows(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "message_id": row["id"],
            "recipient": recipient,
            "state": row["state"],
            "reason_class": "",
            "reason": "",
            "updated_at": row["created_at"],
        }
        for recipient in row["rcpt_to"]
    ]


def _jobs(item: Staged, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    inbox_id = row["inbox_id"]
    queued = [jobs.new_job("send", item.id, inbox_id=inbox_id, due_at=item.due_at)]
    if row["tag"] and not item.reminder:  # nobody can answer before it leaves
        at = max(row["created_at"], item.due_at)
        queued.append(jobs.new_job("plan", f"sent:{item.id}", inbox_id=inbox_id, due_at=at))
    return queued


def _event_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": str(EventType.QUEUED),
        "at": row["created_at"],
        "inbox_id": row["inbox_id"],
        "message_id": row["id"],
        "thread_id": row["thread_id"],
        "recipient": "",
        "hard": False,
        "reason_class": "",
        "reason": "",
        "data": {},
    }


def _log_stopped(tx: Tx, item: Staged, row: Mapping[str, Any]) -> None:
    events.append(
        tx,
        EventType.LOOP_STOPPED,
        at=row["created_at"],
        inbox_id=row["inbox_id"],
        message_id=item.id,
        thread_id=row["thread_id"],
        reason=item.stopped,
    )


def blank_send(**values: Any) -> dict[str, Any]:
    """Return a message row for a send."""
    values.setdefault("preview", preview(values.pop("text", "")))
    return blank(direction="outbound", unread=False, **values)


def note(tx: Tx, row_id: int, error: str) -> None:
    """Show why a send has not gone out yet, or never will; "" when it went."""
    tx.connection.execute(update(message).where(message.c.id == row_id).values(error=error[:2_000]))


def provider_took(
    tx: Tx, row_id: int, *, provider: str, provider_id: str, aliases: Sequence[str]
) -> None:
    """Remember who sent it under which id; replies may cite the ids that were learned."""
    values = {"provider": provider, "provider_id": provider_id or None, "error": ""}
    tx.connection.execute(update(message).where(message.c.id == row_id).values(**values))
    learn_aliases(tx, row_id, aliases)


def learn_aliases(tx: Tx, row_id: int, aliases: Sequence[str]) -> None:
    """Store further Message-IDs of a send, by which replies may cite it.

    One that ends in ``@`` is known by its local part only, as its vendor adds a host of its own.
    """
    if not aliases:
        return
    row = tx.connection.execute(
        select(message.c.inbox_id, message.c.thread_id)
        .where(message.c.id == row_id)
        .with_for_update(key_share=True)  # a merge moves it and its ids together
    ).first()
    if row is None or row.thread_id is None:
        return
    keys = [_alias_key(alias) for alias in aliases]
    threads.cite(
        tx, row.inbox_id, row.thread_id, keys, message_id=row_id, outbound=True, alias=True
    )


def _alias_key(alias: str) -> str:
    """Return an alias as ``inboxkit.threads`` looks it up: whole, or its bare local part."""
    bare = alias.strip("<>")
    return bare[:-1] if bare.endswith("@") else alias


def outbound(connection: Connection, row_id: int) -> int | None:
    """Return a row id if it is that of a send."""
    mine = (message.c.id == row_id) & (message.c.direction == "outbound")
    return connection.execute(select(message.c.id).where(mine)).scalar()


def find_send(
    connection: Connection, *, provider_id: str = "", rfc_id: str = "", provider: str = ""
) -> int | None:
    """Return the send that a provider's event is about, by any id it is known under."""
    outbound = message.c.direction == "outbound"
    if provider_id:
        query = select(message.c.id).where(outbound, message.c.provider_id == provider_id)
        if provider:
            query = query.where(message.c.provider == provider)
        found = connection.execute(query).scalar()
        if found is None:
            found = _send_of_a_part(connection, provider_id, provider)
        if found is not None:
            return int(found)
    if rfc_id:
        query = select(message.c.id).where(outbound, message.c.message_id == rfc_id)
        return connection.execute(query).scalar()
    return None


def provider_ids(connection: Connection, row_id: int, recipient: str = "") -> list[str]:
    """Return what providers call a send: several ids when it left in parts.

    With ``recipient`` only the part that is for them.
    """
    shown = func.coalesce(delivery.c.provider_id, message.c.provider_id)
    query = select(shown).join(message, message.c.id == delivery.c.message_id).distinct()
    query = query.where(delivery.c.message_id == row_id, shown.is_not(None), shown != "")
    if recipient:
        query = query.where(func.lower(delivery.c.recipient) == recipient.lower())
    return list(connection.execute(query).scalars())


def _send_of_a_part(connection: Connection, provider_id: str, provider: str) -> int | None:
    """Return the send that left in parts, one of which a provider knows by this id."""
    mine = delivery.c.provider_id == provider_id
    if provider:
        mine &= delivery.c.provider == provider
    return connection.execute(select(delivery.c.message_id).where(mine).limit(1)).scalar()
