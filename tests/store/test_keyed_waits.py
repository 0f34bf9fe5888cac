"""Waits under a key: what was returned is returned again to who asks again, and to nobody else."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit import InboxKit, Message, WaitTimeout
from inboxkit.errors import KeyReused
from inboxkit.models import Want
from inboxkit.store import inboxes, keyed_waits
from inboxkit.store.keyed_waits import Keyed, keyed
from inboxkit.tokens import row_id
from tests.mails import DESK, arrive

if TYPE_CHECKING:
    from inboxkit.store.inboxes import InboxRecord
    from inboxkit.waits import Waits

KEPT = timedelta(minutes=10)


class Desk:
    """An inbox that is waited at under keys."""

    def __init__(self, kit: InboxKit, record: InboxRecord) -> None:
        self._kit = kit
        self.record = record

    @property
    def waits(self) -> Waits:
        return self._kit.runtime.actions.waits

    def keyed(self, key: str, request: str = "r") -> Keyed:
        return keyed("wait", key, request, self._kit.runtime.store.clock.now() + KEPT)

    async def wait(self, keyed: Keyed, *, timeout: float = 0, without: str = "") -> Message:
        want = Want(without=frozenset({without}))
        return await self.waits.message(self.record, want, timeout=timeout, keyed=keyed)


@pytest.fixture
async def desk(kit: InboxKit) -> Desk:
    await kit.inbox(DESK)
    return Desk(kit, await kit.runtime.store.read(inboxes.require, DESK))


async def test_the_same_key_has_the_same_message_and_a_new_one_has_not(
    kit: InboxKit, desk: Desk
) -> None:
    first, second = await arrive(kit), await arrive(kit)
    assert [await desk.wait(desk.keyed("k")) for _ in range(3)] == [first] * 3
    assert await desk.wait(desk.keyed("j")) == second
    with pytest.raises(WaitTimeout):
        await desk.wait(desk.keyed("i"))
    with pytest.raises(KeyReused, match="'k'"):
        await desk.wait(desk.keyed("k", "another"))


async def test_a_key_is_forgotten_in_time(kit: InboxKit, desk: Desk) -> None:
    first, second = await arrive(kit), await arrive(kit)
    assert await desk.wait(desk.keyed("k")) == first
    kit.runtime.store.clock.advance(KEPT)
    assert await desk.wait(desk.keyed("k")) == second


async def test_what_is_given_back_its_key_has_no_longer(kit: InboxKit, desk: Desk) -> None:
    came, had = await arrive(kit), desk.keyed("k")
    assert await desk.wait(had) == came
    await desk.waits.give_back(desk.record, came, had)
    assert await desk.wait(desk.keyed("j")) == came
    with pytest.raises(WaitTimeout):
        await desk.wait(desk.keyed("k"))
    later = await arrive(kit)
    assert [await desk.wait(desk.keyed("k")) for _ in range(2)] == [later] * 2


async def test_what_was_returned_again_is_given_back_by_nobody(kit: InboxKit, desk: Desk) -> None:
    came, first, second = await arrive(kit), desk.keyed("k"), desk.keyed("k")
    assert await desk.wait(first) == await desk.wait(second) == came
    for had in (first, second):
        await desk.waits.give_back(desk.record, came, had)
        with pytest.raises(WaitTimeout):
            await desk.wait(desk.keyed("j"))


async def test_calls_under_one_key_that_wait_at_once_have_one_message(
    kit: InboxKit, desk: Desk
) -> None:
    waiting = [asyncio.create_task(desk.wait(desk.keyed("k"), timeout=30)) for _ in range(3)]
    await asyncio.sleep(0)
    first, second = await arrive(kit), await arrive(kit)
    assert await asyncio.gather(*waiting) == [first] * 3
    assert await desk.wait(desk.keyed("j")) == second


async def test_the_same_moment_is_no_other_answer(kit: InboxKit, desk: Desk) -> None:
    came, had = await arrive(kit), desk.keyed("k")
    assert await desk.wait(had) == came and had.at is not None
    row, store = row_id("msg", came.id), kit.runtime.store
    assert await store.write(keyed_waits.mark_again, had.claim, row, had.at, had.at)
    assert await store.read(keyed_waits.known, had.claim, store.clock.now()) == (row, had.at)


async def test_what_its_caller_may_not_see_any_more_a_key_does_not_return(
    kit: InboxKit, desk: Desk
) -> None:
    first, second = await arrive(kit), await arrive(kit)
    assert await desk.wait(desk.keyed("k")) == first
    await first.label(add="trash")
    assert await desk.wait(desk.keyed("k"), without="trash") == second
    assert await desk.wait(desk.keyed("k"), without="trash") == second
