"""Many rows by few statements: each row gets its own values, and no other row any."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, select

from inboxkit.store import jobs
from inboxkit.store.prepared import BulkUpdate, Prepared
from inboxkit.store.tables import job

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

_move = BulkUpdate(job, "error", "due_at", "data", "lane")
_all = Prepared(select(job).order_by(job.c.id))


def look(connection: Connection) -> list[dict[str, Any]]:
    return _all(connection)


@pytest.mark.parametrize(
    ("number", "is_heard"), [(n, False) for n in (0, 1, 2, 3, 16, 47)] + [(47, True)]
)
async def test_each_row_gets_its_own_values(store: Store, number: int, is_heard: bool) -> None:
    if is_heard:  # as by a tracer
        event.listen(store.database.writer, "before_cursor_execute", lambda *_: None)
    now = store.clock.now()
    rows = [jobs.new_job("x", str(n), inbox_id=n, due_at=now) for n in range(number + 1)]
    await store.write(jobs.put, rows)
    before = await store.read(look)
    moved = [
        {
            "id": row["id"],
            "error": f"error {place}",
            "due_at": now + timedelta(seconds=place),
            "data": {"place": [place]} if place % 2 else {},
            "lane": None if place % 3 else f"lane {place}",
        }
        for place, row in enumerate(before[:number])
    ]

    def change(tx: Tx) -> None:
        _move(tx.connection, moved)

    await store.write(change)
    expected = [row | new for row, new in zip(before, moved, strict=False)]
    assert await store.read(look) == [*expected, before[-1]]


async def test_what_is_empty_is_read_as_it_was_written_and_belongs_to_the_reader(
    store: Store,
) -> None:
    kept: list[Any] = [{}, {"list": [], "map": {}, "text": "", "no": None, "zero": 0, "off": False}]
    now = store.clock.now()
    rows = [jobs.new_job("x", str(n), inbox_id=1, due_at=now, data=d) for n, d in enumerate(kept)]
    await store.write(jobs.put, rows)
    first, again = await store.read(look), await store.read(look)
    assert [row["data"] for row in first] == kept
    first[0]["data"]["mine"] = True
    assert [row["data"] for row in again] == kept
    assert [row["data"] for row in await store.read(look)] == kept
