"""Several processes on one SQLite file: wake-ups, waits, leases, and what a dead one leaves."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from inboxkit import InboxKit, WaitTimeout
from inboxkit.clock import Clock
from inboxkit.store import events, jobs, workers
from inboxkit.store.store import Store
from inboxkit.values import EventType
from tests.cli.processes import Process
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from inboxkit.store.transactions import Tx

HOLDS_A_JOB = """
import asyncio, sys
from inboxkit.clock import Clock
from inboxkit.store import jobs
from inboxkit.store.store import Store

async def main(url):
    store = Store(url, Clock())
    await store.open()
    now = store.clock.now()
    taken = await store.write(
        jobs.claim, "run", worker=store.worker_id, now=now, limit=1, start=0
    )
    print(store.worker_id, len(taken), flush=True)
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
async def neighbour(database: str, store: Store) -> AsyncIterator[Store]:
    """A second opening of the same file; neither of the two polls."""
    opened = Store(database, Clock())
    await opened.open()
    yield opened
    await opened.close()


def log(tx: Tx) -> int:
    now = Clock().now()
    return events.append(tx, EventType.RECEIVED, at=now, inbox_id=1, message_id=1)


async def rung(store: Store, other: Store, *, within: float = 30) -> bool:
    """Whether a commit of one store wakes the other within so many seconds."""
    seen = store.bell.count("event")
    await other.write(log)
    await store.bell.wait("event", seen, timeout=within)
    return store.bell.count("event") > seen


async def test_a_commit_wakes_the_neighbour_without_polling(store: Store, neighbour: Store) -> None:
    for _ in range(5):
        assert await rung(store, neighbour)
        assert await rung(neighbour, store)


async def test_a_neighbour_that_came_later_is_woken(store: Store, database: str) -> None:
    await store.write(log)
    later = Store(database, Clock())
    await later.open()
    try:
        async with asyncio.timeout(30):
            while not await rung(later, store, within=1):
                continue
    finally:
        await later.close()


@pytest.mark.sqlite
async def test_a_commit_stands_though_the_doorbells_folder_is_gone(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    store, clock = Store(database, Clock()), Clock()
    await store.open()
    shutil.rmtree(tmp_path / "tmp")
    other = Store(database, clock)
    await other.open()
    shutil.rmtree(tmp_path / "tmp")
    async with asyncio.timeout(30):
        end = time.monotonic() + 0.7  # longer than a list of the neighbours is good for
        while time.monotonic() < end:
            await store.write(log)
            await other.write(log)
        await other.close()
        await store.close()


async def test_a_wait_is_woken_by_mail_taken_in_another_process(
    kit: InboxKit, database: str, tmp_path: Path
) -> None:
    inbox = await kit.inbox(DESK)
    waiting = asyncio.create_task(inbox.wait_for_message(timeout=30))
    command = ("--database", database, "receive", "--to", DESK, "--mail-from", ANN)
    with Process(tmp_path, *command, stdin=mail("from afar")) as receiving:
        found = await waiting
        assert found.text.strip() == "from afar"
        assert await asyncio.to_thread(receiving.wait) == 0


async def test_waits_of_two_processes_never_get_the_same_message(
    kit: InboxKit, database: str, tmp_path: Path
) -> None:
    await kit.inbox(DESK)
    command = ("--database", database, "wait", DESK, "--timeout", "30")
    with Process(tmp_path, *command) as one, Process(tmp_path, *command) as two:
        for text in ("first", "second"):
            await kit.receive(mail(text), mail_from=ANN, rcpt_to=[DESK])
        said = [await asyncio.to_thread(waiting.line, "") for waiting in (one, two)]
    assert sorted(said) == ["first", "second"]
    inbox = await kit.inbox(DESK, since=None)
    with pytest.raises(WaitTimeout):
        await inbox.wait_for_message(timeout=0)


def queue_job(tx: Tx) -> None:
    now = Clock().now()
    jobs.put(tx, [jobs.new_job("run", 1, inbox_id=1, due_at=now)])


@pytest.mark.sqlite
async def test_what_a_killed_process_held_is_free_at_once(store: Store, database: str) -> None:
    await store.write(queue_job)
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDS_A_JOB, database, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    worker, held = map(int, (await asyncio.wait_for(holder.stdout.readline(), 30)).split())
    assert held == 1
    assert await buried(store) == []  # it lives
    holder.kill()
    await holder.communicate()
    assert await buried(store) == [worker]
    again = await store.write(
        jobs.claim, "run", worker=store.worker_id, now=store.clock.now(), limit=1, start=0
    )
    assert [(job.key, job.attempts) for job in again] == [("1", 2)]
    assert store.files_folder is not None
    assert not workers.lock_path(store.files_folder, worker).exists()


async def buried(store: Store) -> list[int]:
    now = store.clock.beat()
    return await store.write(workers.bury, now, locks=store.files_folder, myself=store.worker_id)
