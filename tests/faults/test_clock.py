"""The machine's clock jumps: nothing is run twice, nothing storms, nobody living is buried."""

from __future__ import annotations

from datetime import datetime, timedelta

import anyio
import pytest

from inboxkit import InboxKit, Message, Router
from inboxkit.clock import Clock
from inboxkit.store import runs, workers
from inboxkit.store.store import Store
from inboxkit.store.workers import DEAD_AFTER, Pulses
from inboxkit.testing.settling import settle
from tests.mails import DESK, arrive


class JumpingClock(Clock):
    """A wall clock that somebody sets."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.offset

    def beat(self) -> datetime:
        return super().beat() + self.offset


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=1)], ids=str)
async def test_after_a_jump_every_message_is_still_handled_once(
    database: str, jump: timedelta
) -> None:
    router, calls, clock = Router(), list[str](), JumpingClock()
    called, go_on = anyio.Event(), anyio.Event()

    @router.on_message(to="desk@*")
    async def answer(message: Message) -> None:
        calls.append(message.subject)
        called.set()
        await go_on.wait()

    async with InboxKit(router, database=database, clock=clock) as kit:
        await kit.inbox(DESK)
        await arrive(kit, subject="before")
        await called.wait()
        clock.offset = jump
        await kit.runtime.store.write(kit.runtime.store.beat)
        await arrive(kit, subject="after")
        go_on.set()
        await settle(kit, timeout=30)
        found = await kit.runtime.store.read(runs.listed)
    assert sorted(calls) == ["after", "before"]
    assert [run.attempts for run in found] == [1, 1]


async def test_a_jump_by_a_day_buries_no_living_neighbour(store: Store, database: str) -> None:
    clock = JumpingClock()
    other = Store(database, clock)
    await other.open()
    clock.offset = timedelta(days=1)
    await other.write(other.beat)
    assert await store.write(workers.beat, store.worker_id, store.clock.beat())
    await other.close()


def test_a_worker_is_still_when_its_beat_has_not_changed_for_ten_seconds() -> None:
    pulses, beat, long = Pulses(), Clock().now(), DEAD_AFTER.total_seconds()
    assert not pulses.is_still(1, beat, 0.0)
    assert not pulses.is_still(1, beat, long)
    assert pulses.is_still(1, beat, long + 0.1)
    assert not pulses.is_still(1, beat + timedelta(seconds=2), long + 0.2)
    assert not pulses.is_still(2, beat, long + 0.2)
