"""The limit of those who must be answered soon."""

from __future__ import annotations

import anyio
import pytest

from inboxkit.errors import StoreError
from inboxkit.store.patience import Patience
from inboxkit.store.refusals import Unsure


class Silent:
    def __init__(self) -> None:
        self.answers = 0
        self.patience = Patience(lambda: self.answers)
        self.patience.seconds = 0.01

    async def ask(self) -> None:
        async with self.patience.within():
            await anyio.sleep_forever()


async def test_after_a_wait_in_vain_others_are_refused_until_anything_is_answered() -> None:
    database = Silent()
    with pytest.raises(Unsure):
        await database.ask()
    database.patience.seconds = 1_000
    with pytest.raises(StoreError) as refused:
        await database.ask()
    assert not isinstance(refused.value, Unsure)  # nothing was asked: what lies ready may go
    database.answers += 1
    database.patience.seconds = 0.01
    with pytest.raises(Unsure):
        await database.ask()


async def test_one_that_takes_long_beside_others_that_are_answered_stops_nobody() -> None:
    database = Silent()
    with pytest.raises(Unsure):
        async with database.patience.within():
            database.answers += 1
            await anyio.sleep_forever()
    with pytest.raises(Unsure):
        await database.ask()
