"""Retention: by age and by count, rows and files together, while mail comes in."""

from __future__ import annotations

import os
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import insert, select

from inboxkit import InboxKit, Settings
from inboxkit.clock import Clock
from inboxkit.pipeline.janitor import Janitor
from inboxkit.store import housekeeping, inboxes
from inboxkit.store.api_tables import attempt
from inboxkit.store.limit_tables import replies
from inboxkit.store.mailgun_tables import mailgun_list
from inboxkit.store.store import Store
from inboxkit.store.tables import inbox, message, webhook
from inboxkit.testing.settling import settle
from tests.bucket import URL, away
from tests.mails import DESK, arrive
from tests.store.sending import stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection, Table

    from inboxkit.store.transactions import Tx

FILE = {"large.bin": secrets.token_bytes(100_000)}


@pytest.fixture
async def planning(database: str) -> AsyncIterator[InboxKit]:
    kit = InboxKit(database=database)
    kit.plan_messages()
    async with kit:
        await kit.inbox(DESK)
        await kit.inbox("help@inbox.example")
        yield kit


def janitor(kit: InboxKit, **keep: int) -> Janitor:
    return Janitor(kit.runtime.store, Settings.model_validate(keep))


async def subjects(kit: InboxKit) -> list[str]:
    return sorted([message.subject async for message in kit.search()])


def files(kit: InboxKit) -> int:
    folder = kit.runtime.store.files_folder
    assert folder is not None
    return len(list(folder.rglob("*.zst")))


@pytest.mark.sqlite
async def test_each_inbox_keeps_its_newest_messages(planning: InboxKit) -> None:
    for number in range(4):
        await arrive(planning, subject=f"desk {number}", files=FILE)
    await arrive(planning, to="help@inbox.example", subject="help 0", files=FILE)
    await settle(planning, timeout=30)
    assert await janitor(planning, keep_messages=2).retain() == 2
    assert await subjects(planning) == ["desk 2", "desk 3", "help 0"]
    assert files(planning) == 3


@pytest.mark.sqlite
async def test_what_is_too_old_goes(planning: InboxKit) -> None:
    await arrive(planning, subject="old", files=FILE)
    await settle(planning, timeout=30)
    planning.clock.advance(timedelta(days=31))
    await arrive(planning, subject="new")
    await settle(planning, timeout=30)
    assert await janitor(planning, keep_days=30).retain() == 1
    assert await subjects(planning) == ["new"]
    assert files(planning) == 0


async def test_everything_is_kept_unless_somebody_says_otherwise(planning: InboxKit) -> None:
    await arrive(planning)
    await settle(planning, timeout=30)
    planning.clock.advance(timedelta(days=4_000))
    assert await janitor(planning).retain() == 0


async def test_what_is_not_done_with_is_kept(database: str) -> None:
    kit = InboxKit(database=database)
    kit.only_look()
    async with kit:
        await kit.inbox(DESK)
        await kit.runtime.accept.mail(b"Subject: x\r\n\r\n", mail_from="", rcpt_to=[DESK])
        kit.clock.advance(timedelta(days=2))
        assert await janitor(kit, keep_days=1).retain() == 0


@pytest.mark.sqlite
async def test_of_files_those_go_that_no_row_has_named_for_a_day(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await arrive(kit, files=FILE)
    folder = kit.runtime.store.files_folder
    assert folder is not None
    (named,) = folder.rglob("*.zst")
    orphans = [named.with_name(name) for name in ("old.zst", "new.zst")]
    for file in orphans:
        file.write_bytes(b"x")
    long_ago = named.stat().st_mtime - 24 * 3600 - 60
    for file in (named, orphans[0]):
        os.utime(file, (long_ago, long_ago))
    gone = named.with_name("renamed-as-it-is-looked-at.zst-new")
    gone.symlink_to("nowhere")  # listed, and not there
    assert await janitor(kit).sweep() == 1
    assert set(folder.rglob("*.zst")) == {named, orphans[1]}


class Patient(Clock):
    """A clock that says at once that hours have passed."""

    passed = timedelta(0)

    def beat(self) -> datetime:
        return super().beat() + self.passed


SECOND = timedelta(seconds=1)
YEAR, MONTH, WEEK, HOURS = (timedelta(hours=n) for n in (24 * 365, 24 * 30, 24 * 7, 2))
A_POST: dict[str, Any] = {"endpoint_id": 1, "event_seq": 1, "number": 1, "status": 200, "error": ""}
A_REQUEST: dict[str, Any] = {
    "provider": "p",
    "method": "POST",
    "url": "",
    "headers": {},
    "body": b"",
    "error": "",
}
A_LIST: dict[str, Any] = {"scope": "", "lookup": False, "quantity": 0, "processed": 0, "counts": {}}


def leave_traces(tx: Tx, now: datetime) -> None:
    """Leave of each kind something just old enough to go (1), and something younger (2)."""
    for number, by in ((1, SECOND), (2, timedelta(seconds=-60))):
        post = {**A_POST, "id": number, "milliseconds": 1, "at": now - MONTH - by}
        request = {**A_REQUEST, "dedupe": str(number), "received_at": now - WEEK - by}
        names = {**A_LIST, "name": str(number), "created_at": now - MONTH - by}
        minute = int((now - HOURS - 61 * by).timestamp() // 60)
        counted = {"inbox_id": number, "about": "", "minute": minute, "number": 1}
        values: tuple[tuple[Table, dict[str, Any]], ...] = (
            (attempt, post),
            (webhook, {**request, "id": number, "state": "done"}),
            (webhook, {**request, "id": 3 * number, "state": "failed", "dedupe": f"f{number}"}),
            (mailgun_list, {**names, "id": number, "status": "uploaded"}),
            (mailgun_list, {**names, "id": 3 * number, "status": "created", "name": f"c{number}"}),
            (replies, counted),
        )
        for table, row in values:
            tx.connection.execute(insert(table).values(**row))
        inboxes.create(tx, f"{number}@inbox.example", now=now, expires_at=now - by)
        stored(tx, state="sent", subject=str(number), received_at=now - YEAR - by)


def traces(connection: Connection) -> dict[str, list[Any]]:
    """Return what is left of each kind."""
    ids = (attempt.c.id, webhook.c.id, mailgun_list.c.id, replies.c.inbox_id)
    columns = (*ids, inbox.c.address, message.c.subject)
    return {
        str(column.table): sorted(connection.execute(select(column)).scalars())
        for column in columns
    }


LEFT: dict[str, list[Any]] = {
    "inboxkit_inbox": ["2@inbox.example", "support@shop.example"],
    "inboxkit_message": ["2"],
    "inboxkit_webhook": [2, 3, 6],
    "inboxkit_mailgunlist": [2, 3, 6],
    "inboxkit_attempt": [2],
    "inboxkit_replies": [2],
}


@pytest.fixture(params=["no bucket", "bucket away"])
async def traced(database: str, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """A database with something of each kind that is over; a sweep fails where a bucket is away."""
    bucket = URL if request.param == "bucket away" else ""
    store = Store(database, Patient(), bucket=bucket, options=away().options)
    await store.open()
    await store.write(leave_traces, store.clock.now())
    yield store
    await store.close()


async def keep_house(store: Store, *, after: timedelta) -> None:
    """Let a process that was just started do so until nothing is left to do, some time later."""
    assert isinstance(store.clock, Patient)
    work = Janitor(store, Settings(keep_days=365))
    store.clock.passed += after
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.run)
        with anyio.fail_after(20):
            while await store.read(traces) != LEFT:
                await store.bell.wait("none", 0, timeout=0.01)
        tasks.cancel_scope.cancel()


async def is_due(store: Store) -> bool:
    now = store.clock.beat()
    return await store.read(housekeeping.is_due, now, timedelta(hours=6))


async def test_a_round_deletes_what_is_over_and_nothing_younger(traced: Store) -> None:
    await keep_house(traced, after=timedelta(hours=6, seconds=1))
    assert await traced.read(traces) == LEFT


async def test_processes_that_live_for_minutes_do_what_is_done_every_six_hours(
    traced: Store,
) -> None:
    await traced.write(housekeeping.done, traced.clock.beat() - timedelta(hours=6))
    await keep_house(traced, after=timedelta(minutes=2))
    assert await traced.read(traces) == LEFT


@pytest.mark.parametrize(("hours", "due"), [(5, False), (6, True), (-1, True)])
async def test_what_any_process_did_is_done_for_all(traced: Store, hours: int, due: bool) -> None:
    for _ in range(2):
        await traced.write(housekeeping.done, traced.clock.beat() - timedelta(hours=hours))
    assert await is_due(traced) is due
