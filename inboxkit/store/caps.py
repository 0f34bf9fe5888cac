"""How many automatic replies may leave within an hour, exactly.

They are counted by the minute, in the transaction that stores them: replies that are written at
the same moment, by several processes too, never exceed a cap together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, tuple_

from .limit_tables import replies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .writer import Tx

_WINDOW = 60  # minutes; the one that has begun comes on top, so that no hour holds more
_FORGET_AFTER = timedelta(hours=2)
_PORTION = 1_000
_INBOX = "inbox"


@dataclass(frozen=True, slots=True)
class Caps:
    """How many automatic replies may go within an hour to a thread, to a person, from an inbox."""

    thread: int
    correspondent: int
    inbox: int


@dataclass(frozen=True, slots=True)
class Reply:
    """An automatic reply that is about to be stored."""

    inbox_id: int
    thread_id: int
    to: str
    at: datetime
    caps: Caps

    def counted(self) -> Sequence[tuple[str, int, str]]:
        """Return under what it is counted, how many there may be, and how that is said."""
        return (
            (
                f"thread:{self.thread_id}",
                self.caps.thread,
                "automatic replies went to this thread within an hour",
            ),
            (
                f"to:{self.to.lower()}",
                self.caps.correspondent,
                "automatic replies went to this correspondent within an hour",
            ),
            (_INBOX, self.caps.inbox, "automatic replies left this inbox within an hour"),
        )


def admit(tx: Tx, wanted: Sequence[Reply]) -> list[str]:
    """Count replies that leave; return for each which cap keeps it back, "" when none does."""
    if not wanted:
        return []
    tx.take_turns(-reply.inbox_id for reply in wanted)  # apart from the turns of placing
    left = _left_lately(tx, wanted)
    new: Counter[tuple[int, str, int]] = Counter()
    reasons = [_admit(reply, left, new) for reply in wanted]
    _add(tx, new)
    return reasons


def _admit(reply: Reply, left: Counter[tuple[int, str]], new: Counter[tuple[int, str, int]]) -> str:
    counted = reply.counted()
    for about, cap, words in counted:
        if (number := left[reply.inbox_id, about]) >= cap:
            return f"{number} {words}"
    for about, _, _ in counted:
        left[reply.inbox_id, about] += 1
        new[reply.inbox_id, about, _minute(reply.at)] += 1
    return ""


def _left_lately(tx: Tx, wanted: Sequence[Reply]) -> Counter[tuple[int, str]]:
    since = min(_minute(reply.at) for reply in wanted) - _WINDOW
    left: Counter[tuple[int, str]] = Counter()
    for inbox_id in {reply.inbox_id for reply in wanted}:
        abouts = {a for r in wanted if r.inbox_id == inbox_id for a, _, _ in r.counted()}
        query = (
            select(replies.c.about, func.sum(replies.c.number))
            .where(replies.c.inbox_id == inbox_id, replies.c.about.in_(abouts))
            .where(replies.c.minute >= since)
            .group_by(replies.c.about)
        )
        for about, number in tx.connection.execute(query):
            left[inbox_id, about] = int(number)
    return left


def _add(tx: Tx, new: Counter[tuple[int, str, int]]) -> None:
    rows = [(*key, number) for key, number in sorted(new.items())]
    mark = "?" if tx.connection.dialect.name == "sqlite" else "%s"
    marks = f"({', '.join([mark] * 4)})"
    for row in rows:
        tx.connection.exec_driver_sql(
            f"INSERT INTO {replies.name} (inbox_id, about, minute, number) VALUES {marks} "
            "ON CONFLICT (inbox_id, about, minute) "
            f"DO UPDATE SET number = {replies.name}.number + excluded.number",
            row,
        )


def forget(tx: Tx, now: datetime) -> int:
    """Delete a portion of the counts that no cap looks at any more; return how many."""
    key = replies.c.inbox_id, replies.c.about, replies.c.minute
    old = select(*key).where(replies.c.minute < _minute(now - _FORGET_AFTER)).limit(_PORTION)
    return tx.connection.execute(delete(replies).where(tuple_(*key).in_(old))).rowcount


def _minute(at: datetime) -> int:
    return int(at.timestamp() // 60)
