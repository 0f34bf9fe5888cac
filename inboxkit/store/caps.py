"""How many automatic replies may leave within an hour, exactly.

They are counted by the minute, in the transaction that stores them: replies that are written at
the same moment, by several processes too, never exceed a cap together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, tuple_

from . import driver
from .limit_tables import replies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .transactions import Tx

_WINDOW = 60  # minutes; the one that has begun comes on top, so that no hour holds more
_FORGET_AFTER = timedelta(hours=2)
_PORTION = 1_000
_ROWS = 12  # of an INSERT: the driver reads a statement with more parameters anew each time
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
        mark, marks = _marks(tx, len(abouts))
        sql = (
            f"SELECT about, SUM(number) FROM {replies.name} "
            f"WHERE inbox_id = {mark} AND minute >= {mark} AND about IN {marks} GROUP BY about"
        )
        for about, number in driver.fetch(tx.connection, sql, (inbox_id, since, *abouts)):
            left[inbox_id, about] = int(number)
    return left


def _add(tx: Tx, new: Counter[tuple[int, str, int]]) -> None:
    """Add to the counts, a few rows a statement; straight to the driver, as ``bulk`` has it."""
    rows = sorted(new.items())
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        _, marks = _marks(tx, 4)
        sql = (
            f"INSERT INTO {replies.name} (inbox_id, about, minute, number) "
            f"VALUES {', '.join([marks] * len(part))} ON CONFLICT (inbox_id, about, minute) "
            f"DO UPDATE SET number = {replies.name}.number + excluded.number"
        )
        values = tuple(value for key, number in part for value in (*key, number))
        driver.change(tx.connection, sql, values)


def _marks(tx: Tx, number: int) -> tuple[str, str]:
    """Return how the driver writes a parameter, and so many of them in brackets."""
    mark = "?" if tx.connection.dialect.name == "sqlite" else "%s"
    return mark, f"({', '.join([mark] * number)})"


def forget(tx: Tx, now: datetime) -> int:
    """Delete a portion of the counts that no cap looks at any more; return how many."""
    key = replies.c.inbox_id, replies.c.about, replies.c.minute
    old = select(*key).where(replies.c.minute < _minute(now - _FORGET_AFTER)).limit(_PORTION)
    return tx.connection.execute(delete(replies).where(tuple_(*key).in_(old))).rowcount


def _minute(at: datetime) -> int:
    return int(at.timestamp() // 60)
