"""What is too old: by when it came, also where that was long before it was stored, or after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import purge
from inboxkit.tokens import first_id

from .sending import stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.writer import Tx

LONG_AGO = datetime(2003, 1, 2, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, microsecond=999_999, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def came(tx: Tx, at: datetime, *, stored_at: datetime | None = None, state: str = "sent") -> int:
    """Store a message that came at a moment, or long before or after it is stored."""
    return stored(tx, id=first_id(stored_at or at), received_at=at, state=state)


@pytest.mark.parametrize(
    ("at", "stored_at"),
    [
        (MARCH - INSTANT, MARCH - INSTANT),
        (MARCH - INSTANT, MARCH + timedelta(seconds=59)),
        (MARCH - INSTANT, MARCH - INSTANT + timedelta(minutes=1)),
        (MARCH - INSTANT, MARCH + timedelta(minutes=1, seconds=1)),
        (MARCH - INSTANT, MARCH + 100 * DAY),
        (MARCH - INSTANT, MARCH - 100 * DAY),
        (LONG_AGO, MARCH + 100 * DAY),
        (LONG_AGO, MARCH - DAY),
    ],
    ids=str,
)
def test_what_came_before_a_moment_is_found_once_whenever_it_was_stored(
    tx: Tx, at: datetime, stored_at: datetime
) -> None:
    old = came(tx, at, stored_at=stored_at)
    came(tx, MARCH + INSTANT, stored_at=stored_at + DAY)
    assert purge.older_than(tx.connection, MARCH) == [old]


def test_the_oldest_go_first_and_no_more_than_a_portion(tx: Tx) -> None:
    imported = [came(tx, LONG_AGO + n * DAY, stored_at=MARCH + n * DAY) for n in (1, 0)]
    ordinary = [came(tx, MARCH - n * DAY) for n in (1, 2, 3)]

    def found(limit: int) -> list[int]:
        return purge.older_than(tx.connection, MARCH, limit=limit)

    assert found(2) == sorted(ordinary)[:2]
    assert found(4) == [*sorted(ordinary), imported[1]]
    assert found(9) == [*sorted(ordinary), *imported[::-1]]


def test_what_is_not_done_with_and_what_is_of_another_inbox_stays(tx: Tx) -> None:
    came(tx, LONG_AGO, stored_at=MARCH, state="queued")
    came(tx, MARCH - DAY, state="queued")
    assert purge.older_than(tx.connection, MARCH) == []
    came(tx, MARCH - 2 * DAY)
    assert purge.older_than(tx.connection, MARCH, inbox_id=7) == []
