"""Sends that came by the Mailgun facade: a request's mails are stored together or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from ..errors import StoreError
from ..tokens import new_id
from ..values import EventType
from . import events, idempotency, inboxes, sends
from .inboxes import InboxRecord
from .mailgun_tables import mailgun_send
from .tables import inbox, message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .idempotency import Claim
    from .reach import Reach
    from .sends import Staged
    from .transactions import Tx


@dataclass(frozen=True, slots=True)
class Batch:
    """What is stored beside the sends of one request; ``store`` takes the place of theirs.

    ``inbox`` is the one they are sent from; it is made when it is not there yet.
    """

    inbox: InboxRecord
    tags: Sequence[str]
    is_test: bool
    claim: Claim | None
    now: datetime

    def store(self, tx: Tx, staged: Sequence[Staged]) -> list[int]:
        """Store the sends; a repeated key stores nothing and returns the first ones."""
        if self.claim is not None:
            known = idempotency.answered(tx.connection, self.claim, self.now)
            if known is not None:
                return list(known["rows"])
        if not inboxes.keep(tx, self.inbox):  # another request made it meanwhile
            raise StoreError(f"inbox {self.inbox.address}: it is new; try again")
        rows = sends.store(tx, [_recorded(s) if self.is_test else s for s in staged])
        if self.is_test or len(self.tags) > 1:
            kept = {"tags": list(self.tags), "is_test": self.is_test}
            tx.connection.execute(insert(mailgun_send), [{"message_id": i, **kept} for i in rows])
        if self.is_test:
            self._log(tx, staged)
        if self.claim is not None:
            idempotency.remember(tx, self.claim, {"rows": rows}, self.now)
        return rows

    def _log(self, tx: Tx, staged: Sequence[Staged]) -> None:
        """Log that test mails were taken: what is only recorded logs nothing by itself."""
        for item in staged:
            query = select(message.c.thread_id).where(message.c.id == item.id)
            events.append(
                tx,
                EventType.QUEUED,
                at=self.now,
                inbox_id=item.row["inbox_id"],
                message_id=item.id,
                thread_id=tx.connection.execute(query).scalar(),
            )


def _recorded(staged: Staged) -> Staged:
    return replace(staged, row={**staged.row, "state": "recorded"}, recorded=True)


def new_inbox(address: str, display_name: str, pod_id: str, now: datetime) -> InboxRecord:
    """Return an inbox that is not stored yet."""
    return InboxRecord(
        id=new_id(),
        address=inboxes.normalize(address),
        display_name=display_name,
        metadata={},
        client_id=None,
        status="active",
        created_at=now,
        updated_at=now,
        expires_at=None,
        pod_id=pod_id,
    )


def first_id(connection: Connection, claim: Claim, now: datetime) -> str | None:
    """Return the Message-ID that a repeated request was answered with."""
    known = idempotency.answered(connection, claim, now)
    if known is None:
        return None
    query = select(message.c.message_id).where(message.c.id == known["rows"][0])
    return connection.execute(query).scalar() or ""


def within(connection: Connection, reach: Reach, domain: str, row_id: int) -> bool:
    """Whether a message is in an inbox of a domain within reach."""
    query = (
        select(message.c.id)
        .join(inbox, inbox.c.id == message.c.inbox_id)
        .where(message.c.id == row_id, reach.inboxes(), of_domain(domain))
    )
    return connection.execute(query).first() is not None


def of_domain(domain: str) -> Any:
    """Return what holds for the inboxes of a domain."""
    return inbox.c.address.endswith(f"@{domain.lower()}", autoescape=True)


def scheduled(connection: Connection, reach: Reach, domain: str) -> list[int]:
    """Return the sends of a domain whose time has not come."""
    query = (
        select(message.c.id)
        .join(inbox, inbox.c.id == message.c.inbox_id)
        .where(message.c.state == "scheduled", reach.inboxes(), of_domain(domain))
    )
    return list(connection.execute(query).scalars())
