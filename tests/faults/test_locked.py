"""A database locked by another process: nothing stays stuck, nothing is blamed for it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from inboxkit import InboxKit, Message, Retries, Router, StoreError
from inboxkit.pipeline.loops import Consumer
from inboxkit.pipeline.pace import Pace
from inboxkit.pipeline.read import Read
from inboxkit.store import backlog, jobs
from inboxkit.testing.settling import settle
from tests.mails import ANN, DESK, mail

from .delivering import send
from .locking import PARSED, impatient, locked, refusing
from .logs import said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
async def looking(database: str) -> AsyncIterator[InboxKit]:
    """A kit that takes mail in and leaves the work to others."""
    kit = InboxKit(database=database)
    kit.only_look()
    async with kit:
        await kit.inbox(DESK)
        yield kit


async def claim(store: Store, kind: str) -> list[Job]:
    return await store.write(
        jobs.claim, kind, worker=store.worker_id, now=store.clock.now(), limit=9, start=0
    )


async def take(kit: InboxKit, *raws: bytes) -> None:
    for raw in raws:
        await kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=[DESK])


async def states(kit: InboxKit) -> list[str]:
    return [message.state async for message in kit.search()]


async def test_a_step_that_cannot_write_takes_its_jobs_up_again(
    store: Store, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await impatient(store)
    worked, attempts, lock = anyio.Event(), list[int](), ExitStack()

    async def work(taken: list[Job]) -> None:
        attempts.append(taken[0].attempts)
        if len(attempts) == 1:
            lock.enter_context(locked(file))
        await store.write(jobs.complete, taken)
        worked.set()

    job = jobs.new_job("plan", 1, inbox_id=1, due_at=store.clock.now())
    await store.write(jobs.put, [job])
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Consumer(store, "plan", work, lambda: 9).run)
            await said(caplog, "could not be put back yet")
            lock.close()
            await worked.wait()
            tasks.cancel_scope.cancel()
    assert attempts == [1, 1]  # the database's refusal is no attempt of the job


async def test_a_handler_whose_end_cannot_be_written_is_called_again_and_replies_once(
    database: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    router, calls, lock = Router(retries=Retries(attempts=1)), list[str](), ExitStack()

    @router.on_message()
    async def answer(message: Message) -> None:
        calls.append(message.id)
        await message.reply("Here you are.", key="once")
        if len(calls) == 1:
            lock.enter_context(locked(file))

    async with InboxKit(router, database=database) as kit:
        await impatient(kit.runtime.store)
        inbox, ann = await kit.inbox(DESK), await kit.inbox("ann@inbox.example")
        await kit.runtime.accept.mail(
            mail(sender=ann.address), mail_from=ann.address, rcpt_to=[DESK]
        )
        await said(caplog, "could not be put back yet")
        lock.close()
        assert (await ann.wait_for_message(timeout=30)).subject == "Re: Question"
        assert len(calls) == 2
        assert len([m async for m in inbox.search("is:outbound")]) == 1


async def test_what_cannot_be_stored_for_now_is_not_marked_as_failed(
    looking: InboxKit, file: Path
) -> None:
    await take(looking, mail("one"), mail("two"))
    store = looking.runtime.store
    taken, read = await claim(store, "read"), Read(store, Pace())
    with refusing(file, PARSED, "database is locked"), pytest.raises(StoreError, match="locked"):
        await read.work(taken)
    assert await states(looking) == ["stored", "stored"]
    await read.work(taken)
    assert await states(looking) == ["parsed", "parsed"]


async def test_what_can_never_be_stored_is_kept_as_failed_and_holds_up_nobody(
    looking: InboxKit, file: Path
) -> None:
    await take(looking, mail("one"), mail("two", subject="Odd"))
    store = looking.runtime.store
    with refusing(file, f"{PARSED} AND NEW.subject = 'Odd'", "no such value"):
        await Read(store, Pace()).work(await claim(store, "read"))
    assert await states(looking) == ["failed", "parsed"]
    assert await store.read(backlog.count, ["read"]) == 0


async def test_a_result_that_can_never_be_stored_fails_the_run_in_the_end(
    database: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router(retries=Retries(attempts=1))

    @router.on_message()
    async def tag(message: Message) -> None:
        await message.label(add=["odd"])

    async with InboxKit(router, database=database) as kit:
        await kit.inbox(DESK)
        with refusing(file, "INSERT ON inboxkit_label", "no such value"):
            await take(kit, mail())
            await said(caplog, "attempt 1 of 1 failed: Unstorable")
        await settle(kit, timeout=30)
        assert await kit.runtime.store.read(backlog.count, ["run"]) == 0


async def test_a_sender_comes_again_when_the_database_was_locked(database: str, file: Path) -> None:
    async with InboxKit(database=database, smtp="127.0.0.1:0") as kit:
        await kit.inbox(DESK)
        await impatient(kit.runtime.store)
        with locked(file):
            assert await anyio.to_thread.run_sync(send, kit, mail()) == 451
        assert await anyio.to_thread.run_sync(send, kit, mail()) == 250


async def test_a_locked_database_is_not_ready_and_says_why(kit: InboxKit, file: Path) -> None:
    await impatient(kit.runtime.store)
    with locked(file):
        assert "locked" in await kit.runtime.problem()
    assert await kit.runtime.problem() == ""


async def test_a_sender_is_told_to_come_back_and_the_retry_is_stored_once(
    kit: InboxKit, file: Path
) -> None:
    await impatient(kit.runtime.store)
    await kit.inbox(DESK)
    raw = mail()
    with locked(file), pytest.raises(StoreError):
        await take(kit, raw)
    await take(kit, raw, raw)
    assert len(await states(kit)) == 1
