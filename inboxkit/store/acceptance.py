"""A send that came by HTTP: stored with its labels and its idempotency key, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from ..tokens import public_id
from . import idempotency, messages, sends, threads
from .tables import message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .idempotency import Claim
    from .sends import Staged
    from .transactions import Tx


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is stored beside a send; ``store`` takes the place of ``sends.store``.

    ``said`` is what the send is answered with, once it is stored: nothing is read after that.
    """

    labels: Sequence[str]
    claim: Claim | None
    now: datetime
    said: dict[str, Any] = field(default_factory=dict[str, Any])

    def store(self, tx: Tx, staged: Sequence[Staged]) -> list[int]:
        """Store one send; a repeated key stores nothing and returns the first send."""
        if self.claim is not None:
            known = idempotency.answered(tx.connection, self.claim, self.now)
            if known is not None:
                self.said.update(known)
                return [int(known["row"])]
        (sent,) = sends.store(tx, staged)
        if self.labels:
            messages.set_labels(tx, sent, add=self.labels, remove=(), now=self.now)
        self.said.update(answered(tx, sent, self.claim, self.now))
        return [sent]


def answered(tx: Tx, sent: int, claim: Claim | None, now: datetime) -> Mapping[str, Any]:
    """Return what a send is answered with, remembered under the request's key if it has one."""
    response = {"row": sent, **answer(tx.connection, sent)}
    if claim is not None:
        idempotency.remember(tx, claim, response, now)
    return response


def answer(connection: Connection, sent: int) -> Mapping[str, Any]:
    """Return what a send is answered with: its ids and its thread."""
    columns = (message.c.message_id, message.c.thread_id)
    row = connection.execute(select(*columns).where(message.c.id == sent)).one()
    thread = threads.resolve(connection, row.thread_id)
    thread_id = row.thread_id if thread is None else thread.id
    ids = {"id": public_id("msg", sent), "thread_id": public_id("thd", thread_id)}
    return {"message_id": row.message_id, **ids}
