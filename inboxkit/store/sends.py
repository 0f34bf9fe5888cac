"""Outbound messages: staged with their bytes, sent once, and how far each recipient has come."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select, update

from ..errors import KeyReused
from ..parsing.attachments import safe_name
from ..tokens import new_id
from ..values import EventType, File
from . import events, jobs, search, threads
from .messages import blank, preview
from .tables import attachment, content, delivery, message, raw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .blobs import Packed
    from .writer import Tx

# The keys of what handlers send without one: a replayed Run sends nothing twice.
AUTO_KEY = "auto:"


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
    files: tuple[File, ...] = ()
    recorded: bool = False  # shown, never sent: a replay or an import that must not write to people

    @property
    def id(self) -> int:
        return int(self.row["id"])


def keyed(connection: Connection, inbox_id: int, key: str) -> Any:
    """Return the id and the fingerprint of the send that was made under a key, or None."""
    mine = (message.c.inbox_id == inbox_id) & (message.c.send_key == key)
    return connection.execute(select(message.c.id, message.c.fingerprint).where(mine)).first()


def same_or_raise(found: Any, key: str, fingerprint: str) -> int:
    """Return the first send of a key; raise KeyReused when its content was another."""
    if found.fingerprint != fingerprint:
        raise KeyReused(
            f"key {key!r}: was used before with other content; use a new key, "
            "or send the same content to get the first result again"
        )
    return int(found.id)


def store(tx: Tx, staged: Sequence[Staged]) -> list[int]:
    """Store sends and queue them; return row ids, the first send's for a repeated key."""
    return [_store(tx, item) for item in staged]


def _store(tx: Tx, item: Staged) -> int:
    row = dict(item.row)
    if row["send_key"] is not None:
        found = keyed(tx.connection, row["inbox_id"], row["send_key"])
        if found is not None and row["send_key"].startswith(AUTO_KEY):
            return int(found.id)
        if found is not None:
            return same_or_raise(found, row["send_key"], row["fingerprint"])
    row["thread_id"] = _thread_of(tx, item)
    tx.connection.execute(insert(message), [row])
    tx.connection.execute(insert(content), [{"message_id": item.id, **item.content}])
    packed = {"data": item.packed.data, "location": item.packed.location}
    tx.connection.execute(insert(raw), [{"message_id": item.id, **packed}])
    _attach(tx, item)
    search.index(tx, [item.id])
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
    _queue(tx, item, row)
    return item.id


def _attach(tx: Tx, item: Staged) -> None:
    rows = [
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
    if rows:
        tx.connection.execute(insert(attachment), rows)


def _thread_of(tx: Tx, item: Staged) -> int:
    if item.thread_id is not None:
        known = threads.resolve(tx.connection, item.thread_id)
        if known is not None:
            return int(known.id)
    row = item.row
    return threads.new_thread(tx, row["inbox_id"], item.subject, item.topic, row["created_at"])


def _queue(tx: Tx, item: Staged, row: Mapping[str, Any]) -> None:
    at, inbox_id = row["created_at"], row["inbox_id"]
    if item.recorded:
        return
    if item.stopped:
        events.append(
            tx,
            EventType.LOOP_STOPPED,
            at=at,
            inbox_id=inbox_id,
            message_id=item.id,
            thread_id=row["thread_id"],
            reason=item.stopped,
        )
        return
    deliveries = [
        {
            "message_id": item.id,
            "recipient": recipient,
            "state": row["state"],
            "reason_class": "",
            "reason": "",
            "updated_at": at,
        }
        for recipient in row["rcpt_to"]
    ]
    tx.connection.execute(insert(delivery), deliveries)
    queued = [jobs.new_job("send", item.id, inbox_id=inbox_id, due_at=item.due_at)]
    if row["tag"] and not item.reminder:
        queued.append(jobs.new_job("plan", f"sent:{item.id}", inbox_id=inbox_id, due_at=at))
    jobs.put(tx, queued)
    events.append(
        tx,
        EventType.QUEUED,
        at=at,
        inbox_id=inbox_id,
        message_id=item.id,
        thread_id=row["thread_id"],
    )


def blank_send(**values: Any) -> dict[str, Any]:
    """Return a message row for a send."""
    values.setdefault("preview", preview(values.pop("text", "")))
    return blank(direction="outbound", unread=False, **values)


_COMPOSED = (content.c.text, content.c.html, content.c.headers, content.c.references)


def to_send(connection: Connection, row_id: int) -> Any:
    """Return a send with its bytes."""
    query = (
        select(message, raw.c.data, raw.c.location, *_COMPOSED)
        .join(raw, raw.c.message_id == message.c.id)
        .join(content, content.c.message_id == message.c.id)
        .where(message.c.id == row_id)
    )
    return connection.execute(query).first()


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
        select(message.c.inbox_id, message.c.thread_id).where(message.c.id == row_id)
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
        if found is not None:
            return int(found)
    if rfc_id:
        query = select(message.c.id).where(outbound, message.c.message_id == rfc_id)
        return connection.execute(query).scalar()
    return None


def automatic_since(
    connection: Connection, inbox_id: int, since: datetime, *, thread_id: int | None = None
) -> int:
    """Return how many automatic replies an inbox (or one thread of it) sent since a moment."""
    query = (
        select(func.count())
        .select_from(message)
        .where(
            message.c.inbox_id == inbox_id,
            message.c.direction == "outbound",
            message.c.automatic,
            message.c.state != "rejected",  # one that was stopped has not left
            message.c.created_at >= since,
        )
    )
    if thread_id is not None:
        query = query.where(message.c.thread_id == thread_id)
    return connection.execute(query).scalar_one()
