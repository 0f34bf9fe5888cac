"""Two requests under one idempotency key at the same moment: one send, and one answer to both."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from inboxkit.store import purge
from inboxkit.store.acceptance import Acceptance
from inboxkit.store.idempotency import Claim, is_there
from inboxkit.store.tables import message

from .at_once import behind
from .sending import ANN, NOW, staged, stored

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit.store.sends import Staged
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

pytestmark = pytest.mark.postgres


def answer(tx: Tx, thread_id: int) -> Staged:
    """Return an answer in a thread, which whoever stores it locks."""
    return replace(staged(tx, ANN), thread_id=thread_id)


def accept(tx: Tx, item: Staged, *, living: bool) -> list[int]:
    holds = is_there if living else None
    claim = Claim("key", "k-1", "reply", NOW + timedelta(days=1), holds)
    return Acceptance((), claim, NOW).store(tx, [item])


def sent(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(message)).scalar_one()


def thread_of(connection: Connection, row_id: int) -> int:
    query = select(message.c.thread_id).where(message.c.id == row_id)
    found: int = connection.execute(query).scalar_one()
    return found


@pytest.mark.parametrize("living", [False, True], ids=["a key's", "the very same request's"])
async def test_an_answer_that_is_asked_for_twice_is_sent_once(store: Store, living: bool) -> None:
    thread_id = await store.read(thread_of, await store.write(stored, ANN))
    first, again = [await store.write(answer, thread_id) for _ in range(2)]
    repeated = store.write(accept, again, living=living)
    got = await behind(store, lambda tx: accept(tx, first, living=living), repeated)
    assert got == [first.id]
    assert await store.read(sent) == 2


async def test_what_was_taken_back_is_sent_once_when_it_is_asked_for_twice(store: Store) -> None:
    thread_id = await store.read(thread_of, await store.write(stored, ANN))
    gone, first, again = [await store.write(answer, thread_id) for _ in range(3)]
    await store.write(accept, gone, living=True)
    await store.write(purge.messages, [gone.id])
    repeated = store.write(accept, again, living=True)
    assert await behind(store, lambda tx: accept(tx, first, living=True), repeated) == [first.id]
    assert await store.read(sent) == 2
