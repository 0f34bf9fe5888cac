"""A database to try the store's functions on, in a transaction that is taken back."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from inboxkit.store import domains, inboxes, sends
from inboxkit.store.api_tables import pod
from inboxkit.store.blobs import Packed
from inboxkit.store.database import open_database
from inboxkit.store.sends import Staged, blank_send
from inboxkit.store.transactions import Tx
from inboxkit.tokens import new_id

if TYPE_CHECKING:
    from collections.abc import Generator

    from inboxkit.store.domains import DomainRecord

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANN, BEN = "ann@example.com", "ben@example.com"


@contextmanager
def transaction(url: str) -> Generator[Tx]:
    """Open a transaction of an empty database and take it back at the end."""
    database = open_database(url)
    with database.writer.connect() as connection, connection.begin() as held:
        yield Tx(connection)
        held.rollback()
    database.close()


def in_pod(tx: Tx, wanted: DomainRecord) -> None:
    """Store a domain, and the pod that it names unless that is there."""
    known = tx.connection.execute(select(pod.c.id).where(pod.c.id == wanted.pod_id)).first()
    if wanted.pod_id is not None and known is None:
        row = {"id": wanted.pod_id, "name": "", "created_at": NOW, "updated_at": NOW}
        tx.connection.execute(insert(pod), [row])
    domains.create(tx, wanted)


def staged(tx: Tx, /, *to: str, **columns: Any) -> Staged:
    """Return a send that is ready to be stored."""
    inbox = inboxes.create(tx, "support@shop.example", now=NOW)
    number = new_id()
    row: dict[str, Any] = {
        "id": number,
        "inbox_id": inbox.id,
        "state": "queued",
        "message_id": f"<{number}@shop.example>",
        "mail_from": inbox.address,
        "sender_email": inbox.address,
        "rcpt_to": list(to or (ANN,)),
        "received_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Staged(
        row=blank_send(**row) | columns,
        content=_CONTENT,
        packed=Packed(b""),
        references=(),
        thread_id=None,
        subject="Size",
        topic="",
        people=tuple((address, "") for address in to),
        due_at=NOW,
    )


def stored(tx: Tx, /, *to: str, **columns: Any) -> int:
    """Store a send and return its row id."""
    [number] = sends.store(tx, [staged(tx, *to, **columns)])
    return number


_CONTENT: dict[str, Any] = {
    "text": "Which size?",
    "html": "",
    "reply_text": "",
    "reply_html": "",
    "signature": "",
    "visible_text": "",
    "headers": [],
    "references": [],
    "links": [],
    "calendar": {},
    "defects": [],
    "kind_reason": "",
    "options": {},
}
