"""The machine's clock jumps: nothing is run twice, nothing storms, nobody living is buried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy import String, cast, select, update

from inboxkit import InboxKit, Message, Router
from inboxkit.clock import Clock
from inboxkit.store import inboxes, jobs, limits, purge, runs, workers
from inboxkit.store.setbacks import Setbacks
from inboxkit.store.store import Store
from inboxkit.store.tables import job, message
from inboxkit.testing.settling import settle
from tests.mails import ANN, DESK, arrive, mail

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit.store.transactions import Tx


def deleted(tx: Tx, address: str) -> None:
    """Delete an inbox as another process does: our addresses are not told."""
    found = inboxes.find(tx.connection, address)
    assert found is not None
    purge.inbox(tx, found.id)


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


async def test_a_jump_back_lets_no_address_be_remembered_for_longer(database: str) -> None:
    clock = JumpingClock()
    async with InboxKit(database=database, clock=clock) as kit:
        store, addresses = kit.runtime.store, kit.runtime.addresses
        await kit.inbox(DESK)
        assert await addresses.resolve(DESK) is not None
        clock.offset = timedelta(hours=-1)
        await store.write(deleted, DESK)
        with anyio.fail_after(30):
            while await addresses.resolve(DESK) is not None:
                await store.bell.wait("none", 0, timeout=0.1)


async def test_a_jump_by_a_day_buries_no_living_neighbour(store: Store, database: str) -> None:
    clock = JumpingClock()
    other = Store(database, clock)
    await other.open()
    clock.offset = timedelta(days=1)
    await other.write(other.beat)
    assert await store.write(workers.beat, store.worker_id, store.clock.beat())
    await other.close()


def sends_due(connection: Connection, now: datetime) -> list[str]:
    """Return the subjects of the sends that are due."""
    mine = (job.c.kind == "send") & (job.c.key == cast(message.c.id, String))
    query = select(message.c.subject).join(job, mine).where(job.c.due_at <= now)
    return list(connection.execute(query).scalars())


@pytest.mark.sqlite
@pytest.mark.postgres
async def test_what_waited_when_the_clock_was_set_back_between_two_starts_is_done_at_once(
    database: str,
) -> None:
    before, clock, router, called = (
        InboxKit(database=database),
        JumpingClock(),
        Router(),
        anyio.Event(),
    )

    @router.on_message(to="desk@*")
    async def answer(_: Message) -> None:
        called.set()

    before.only_look()  # so that mail waits to be read
    async with before:
        await before.inbox(DESK)
        await before.runtime.accept.mail(mail(), mail_from=ANN, rcpt_to=[DESK])
    clock.offset = timedelta(hours=-1)
    async with InboxKit(router, database=database, clock=clock):
        with anyio.fail_after(30):
            await called.wait()


@pytest.mark.sqlite
@pytest.mark.postgres
async def test_what_waits_as_the_clock_is_set_back_is_due_at_once_and_what_is_scheduled_then(
    database: str,
) -> None:
    clock = JumpingClock()
    kit = InboxKit(database=database, clock=clock)
    kit.only_look()
    async with kit:
        store, desk = kit.runtime.store, await kit.inbox(DESK)
        await store.show_life()
        await desk.send(ANN, "Now", "Hello")
        clock.offset = timedelta(hours=-1)
        await desk.send(ANN, "Later", "Hello", at=clock.now() + timedelta(minutes=30))
        assert not await store.read(sends_due, clock.now())
        await store.show_life()
        assert await store.read(sends_due, clock.now()) == ["Now"]


def waiting(tx: Tx, kind: str, due_at: datetime) -> None:
    jobs.put(tx, [jobs.new_job(kind, 7, inbox_id=1, due_at=due_at)])


def due_at(connection: Connection) -> datetime:
    due: datetime = connection.execute(select(job.c.due_at)).scalar_one()
    return due


async def test_a_provider_is_left_alone_for_no_longer_when_the_clock_is_set_back(
    store: Store,
) -> None:
    now, pause, setbacks = store.clock.now(), timedelta(minutes=5), Setbacks()
    then = now + timedelta(days=1)
    await store.write(limits.pause, "smtp", then + pause, now=then, reason="it asked for that")
    await store.write(waiting, "send", then + pause)
    await store.write(setbacks.mend, then)
    setbacks.keep()
    await store.write(setbacks.mend, now)
    assert (await store.read(limits.circuits))["smtp"].until == now + pause
    assert await store.read(due_at) == now + pause


THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("kind", "due", "back", "is_moved"),
    [
        ("read", THEN - HOUR / 2, HOUR, True),
        ("send", THEN + MINUTE, HOUR, True),
        ("send", THEN + MINUTE + SECOND, HOUR, False),
        ("send", THEN - HOUR - SECOND, HOUR, False),
        ("timer", THEN - SECOND, HOUR, False),
        ("draft", THEN - SECOND, HOUR, False),
        ("run", THEN + SECOND, 2 * SECOND, True),
        ("run", THEN + SECOND, 1.9 * SECOND, False),
        ("run", THEN + SECOND, -MINUTE, False),
    ],
)
async def test_what_was_about_to_be_due_is_due_now_and_what_has_a_time_of_its_own_then(
    store: Store, kind: str, due: datetime, back: timedelta, is_moved: bool
) -> None:
    setbacks, now = Setbacks(), THEN - back
    await store.write(setbacks.mend, THEN)
    setbacks.keep()
    await store.write(waiting, kind, due)
    await store.write(setbacks.mend, now)
    assert await store.read(due_at) == (now if is_moved else due)


async def test_a_look_that_was_not_stored_does_not_count(store: Store) -> None:
    setbacks = Setbacks()
    await store.write(setbacks.mend, THEN)
    setbacks.keep()
    await store.write(waiting, "run", THEN + SECOND)
    await store.write(setbacks.mend, THEN - HOUR)
    await store.write(waiting_again, THEN + SECOND)
    await store.write(setbacks.mend, THEN - HOUR)
    assert await store.read(due_at) == THEN - HOUR


def waiting_again(tx: Tx, due_at: datetime) -> None:
    tx.connection.execute(update(job).values(due_at=due_at))
