"""What waits look for: messages that no wait has taken yet, and the mark that one has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    exists,
    func,
    select,
    update,
)

from . import threads
from .prepared import Prepared
from .succession import CAME_AFTER
from .tables import label, message
from .verdicts import BLOCKED

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from .transactions import Tx

_UNSEEN = ("bounce", "complaint")  # never an answer to a wait
_SHOWN = 10


def candidates(
    connection: Connection, inbox_id: int, kind: str, after: datetime | None
) -> list[int]:
    """Return what a wait may take, best first: the newest code or link, the oldest message."""
    if after is None:
        rows = _wanted[kind, False](connection, inbox=inbox_id)
    else:
        rows = _wanted[kind, True](connection, inbox=inbox_id, after=after)
    return [row["id"] for row in rows]


def replies(
    connection: Connection, thread_id: int, sent: int, before: Collection[str] = ()
) -> list[int]:
    """Return what came in a thread after a send of ours, which cites ``before``, oldest first."""
    row = threads.resolve(connection, thread_id)
    if row is None:
        return []
    rows = _replies(connection, thread=row.id, sent=sent, before=before)
    return [row["id"] for row in rows]


def _free() -> Select[Any]:
    return select(message.c.id).where(
        message.c.direction == "inbound",
        message.c.state != "stored",
        message.c.taken_at.is_(None),
        *(message.c.kind != kind for kind in _UNSEEN),
        ~exists().where(label.c.message_id == message.c.id, label.c.label == BLOCKED),
    )


def recent(connection: Connection, inbox_id: int, after: datetime | None) -> dict[int, bool]:
    """Return the newest of what an inbox received, and of each whether a wait has taken it."""
    query = select(message.c.id, message.c.taken_at.is_not(None)).where(
        message.c.inbox_id == inbox_id,
        message.c.direction == "inbound",
        message.c.state != "stored",
    )
    if after is not None:
        query = query.where(message.c.received_at >= after)
    rows = connection.execute(query.order_by(message.c.id.desc()).limit(_SHOWN))
    return {row[0]: bool(row[1]) for row in rows}


def take(tx: Tx, row_id: int, now: datetime) -> bool:
    """Mark a message as handed to a wait; False when another wait was faster."""
    return _take.number(tx.connection, row=row_id, now=now) == 1


def retire(tx: Tx, row_id: int, now: datetime) -> None:
    """Mark the sender's older codes as taken: the resend made them invalid."""
    newest = _of.first(tx.connection, row=row_id)
    if newest is not None:
        _retire.number(tx.connection, row=row_id, now=now, **newest)


def _of_kind(kind: str, *, dated: bool) -> Prepared:
    query = _free().where(message.c.inbox_id == bindparam("inbox"))
    if dated:
        after = bindparam("after", type_=message.c.received_at.type)
        query = query.where(message.c.received_at >= after)
    if kind == "otp":
        query = query.where(message.c.otp.is_not(None))
    if kind == "link":
        query = query.where(message.c.link.is_not(None))
    order = message.c.id.asc() if kind == "message" else message.c.id.desc()
    return Prepared(query.order_by(order))


_wanted = {
    (kind, dated): _of_kind(kind, dated=dated)
    for kind in ("message", "otp", "link")
    for dated in (False, True)
}
_replies = Prepared(
    _free()
    .where(message.c.thread_id == bindparam("thread"))
    .where(CAME_AFTER)
    .order_by(message.c.id)
)
_NOW = bindparam("now", type_=message.c.taken_at.type)
_take = Prepared(
    update(message)
    .where(message.c.id == bindparam("row"), message.c.taken_at.is_(None))
    .values(taken_at=_NOW)
)
_sender: Any = select(
    message.c.inbox_id.label("inbox"), message.c.sender_email.label("sender")
).where(message.c.id == bindparam("row"))
_of = Prepared(_sender)
_retire = Prepared(
    update(message)
    .where(
        message.c.inbox_id == bindparam("inbox"),
        message.c.id + 0 < bindparam("row"),  # not to be found by: codes are few, mails are not
        message.c.otp.is_not(None),
        message.c.taken_at.is_(None),
        func.lower(message.c.sender_email) == func.lower(bindparam("sender")),
    )
    .values(taken_at=_NOW)
)


def give_back(tx: Tx, ids: Sequence[int], at: datetime | None = None) -> None:
    """Let other waits have what one took and could not return; ``at``: only what it took then."""
    query = update(message).where(message.c.id.in_(ids))
    if at is not None:
        query = query.where(message.c.taken_at == at)
    tx.connection.execute(query.values(taken_at=None))
