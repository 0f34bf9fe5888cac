"""Mails of one person as they are accepted, read and put into their threads, without a kit."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from inboxkit.parsing import parse
from inboxkit.store import arrivals, inboxes, jobs, readings, unread
from inboxkit.store.arrivals import Arrival
from inboxkit.store.blobs import Packed
from inboxkit.store.tables import message, thread
from inboxkit.store.unread import Reading, Stored
from inboxkit.store.workers import register
from inboxkit.tokens import new_id

from .sending import NOW

if TYPE_CHECKING:
    from inboxkit.store.leased import Job
    from inboxkit.store.transactions import Tx

SUPPORT = "support@shop.example"


def mail(name: str, *cited: str, subject: str = "Size") -> bytes:
    """Return a mail that cites others by their names, or by whole ids."""
    ids = " ".join(f"<{c}>" if "@" in c else f"<{c}@example.com>" for c in cited)
    references = f"References: {ids}\r\n" if cited else ""
    return (
        f"From: ann@example.com\r\nTo: {SUPPORT}\r\nSubject: {subject}\r\n"
        f"Message-ID: <{name}@example.com>\r\n{references}\r\nHello from {name}\r\n"
    ).encode()


def recorded(tx: Tx, *mails: bytes, to: str = SUPPORT) -> dict[str, Any]:
    """Accept and read mails as one batch; return every row by the name in its Message-ID."""
    readings.record(tx, parsed(tx, *mails, to=to))
    return rows(tx.connection)


def rows(connection: Connection) -> dict[str, Any]:
    """Return all messages by the names in their Message-IDs."""
    found = connection.execute(select(message)).all()
    return {row.message_id.strip("<>").partition("@")[0]: row for row in found}


def parsed(tx: Tx, *mails: bytes, to: str = SUPPORT) -> list[Reading]:
    """Accept and parse mails; return what is to be stored of them."""
    inbox = inboxes.create(tx, to, now=NOW)
    worker = new_id()
    register(tx, worker, NOW)
    arrivals.accept(tx, [(arrival(inbox.id, raw, to),) for raw in mails])
    taken = jobs.claim(tx, "read", worker=worker, now=NOW, limit=100, start=0)
    found = unread.unread(tx.connection, [int(job.key) for job in taken])
    return [_reading(job, found[int(job.key)], to) for job in taken]


def arrival(inbox_id: int, raw: bytes, to: str = SUPPORT) -> Arrival:
    """Return a mail of Ann's as it is at the door."""
    return Arrival(
        id=new_id(),
        inbox_id=inbox_id,
        received_at=NOW,
        mail_from="ann@example.com",
        rcpt_to=(to,),
        packed=Packed(raw),
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _reading(job: Job, item: Stored, to: str) -> Reading:
    raw = item.packed.data
    assert raw is not None
    return Reading(
        stored=item, parsed=parse(raw), auth={}, own=(to,), token_row=None, job=job, now=NOW
    )


def thread_row(connection: Connection, row_id: int) -> Any:
    """Return a thread's row."""
    return connection.execute(select(thread).where(thread.c.id == row_id)).one()
