"""Rates and circuits that two transactions begin at the same moment: neither undoes the other."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit.store import limits
from inboxkit.store.limit_tables import circuit, pace
from inboxkit.store.limits import Rate

from .at_once import overtaken
from .sending import NOW

if TYPE_CHECKING:
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

pytestmark = pytest.mark.postgres
HOUR = timedelta(hours=1)
RATE = Rate.parse("1/s")


async def test_two_that_reserve_at_a_rate_for_the_first_time_get_moments_of_their_own(
    store: Store,
) -> None:
    theirs: list[object] = []

    def reserve(tx: Tx) -> None:
        theirs.extend(limits.reserve(tx, "ses", [RATE], 2, NOW))

    with overtaken(store, f"FROM {pace.name}", reserve):
        mine = await store.write(limits.reserve, "ses", [RATE], 1, NOW)
    assert [*theirs, *mine] == [NOW + timedelta(seconds=s) for s in range(3)]


async def test_of_two_first_failures_both_are_counted(store: Store) -> None:
    fail = partial(limits.failed, provider="ses", begun_at=NOW, now=NOW, reason="down")
    with overtaken(store, f"FROM {circuit.name}", fail):
        await store.write(fail)
    rows = await store.read(lambda c: c.execute(select(circuit.c.failures)).scalars().all())
    assert rows == [2]


async def test_a_pause_outlives_a_failure_that_is_counted_at_the_same_moment(store: Store) -> None:
    pause = partial(limits.pause, provider="ses", until=NOW + HOUR, now=NOW, reason="429")
    with overtaken(store, f"FROM {circuit.name}", pause):
        await store.write(
            partial(limits.failed, provider="ses", begun_at=NOW, now=NOW, reason="down")
        )
    assert (await store.read(limits.circuits))["ses"].until == NOW + HOUR
