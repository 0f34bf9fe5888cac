"""Polling subscriptions: no more than ten of one place, however many ask at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import subscriptions
from inboxkit.store.pages import Page
from inboxkit.store.subscriptions import Scope, SubscriptionRecord

from .at_once import behind
from .sending import NOW

if TYPE_CHECKING:
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

EVERYWHERE = Scope(None, None)


def subscribe(tx: Tx, number: int) -> bool:
    wanted = SubscriptionRecord(
        client_id=f"c{number}", event_types=["x"], created_at=NOW, updated_at=NOW
    )
    return subscriptions.create(tx, EVERYWHERE, wanted) is not None


@pytest.mark.postgres
async def test_of_two_that_ask_for_the_last_place_one_gets_it(store: Store) -> None:
    for number in range(9):
        assert await store.write(subscribe, number)
    assert not await behind(store, partial(subscribe, number=9), store.write(subscribe, 10))
    assert len(await store.read(subscriptions.listed, EVERYWHERE, Page(50))) == 10
