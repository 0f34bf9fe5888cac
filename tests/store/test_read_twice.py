"""Mail that two processes have read, one of which was taken for dead: it is stored once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit.store import jobs, readings, workers
from inboxkit.store.jobs import LeaseLost
from inboxkit.store.tables import worker

from .arriving import mail, parsed, rows
from .sending import NOW

if TYPE_CHECKING:
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx
    from inboxkit.store.unread import Reading


def taken_over(tx: Tx, late: Reading) -> Reading:
    """Return a reading as whoever takes it over from a dead worker has it."""
    workers.leave(tx, list(tx.connection.execute(select(worker.c.id)).scalars()))
    [job] = jobs.claim(tx, "read", worker=1, now=NOW, limit=1, start=0)
    return replace(late, job=job)


async def test_who_has_lost_its_lease_is_told_so_and_not_that_the_mail_cannot_be_stored(
    store: Store,
) -> None:
    [late] = await store.write(parsed, mail("one"))
    await store.write(readings.record, [await store.write(taken_over, late)])
    with pytest.raises(LeaseLost):
        await store.write_grouped(readings.record, late)
    assert (await store.read(rows))["one"].state == "parsed"
