"""Users' handlers may hold all of anyio's threads: nothing of ours waits for one of those."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import to_thread

import inboxkit
from inboxkit.blocking import in_thread, uninterrupted

from .mails import ANN, DESK, mail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inboxkit import InboxKit
    from inboxkit.store.store import Store

SECONDS = 30
LARGE = {"report.txt": b"word " * 100_000}  # packed and read in threads
_BARE = re.compile(r"to_thread\.run_sync\((?![^)]*limiter=)")


@pytest.fixture
async def _no_threads() -> AsyncIterator[None]:  # pyright: ignore[reportUnusedFunction] - by name
    """Take all of anyio's threads, as forty handlers do that block."""
    users = to_thread.current_default_thread_limiter()
    holders = [object() for _ in range(int(users.total_tokens))]
    for holder in holders:
        users.acquire_on_behalf_of_nowait(holder)
    yield
    for holder in holders:
        users.release_on_behalf_of(holder)


@pytest.mark.usefixtures("_no_threads")
async def test_what_blocks_here_waits_for_no_handler() -> None:
    with anyio.fail_after(SECONDS):
        assert await in_thread(pow, 2, 5) == 32


@pytest.mark.usefixtures("_no_threads")
async def test_large_mail_is_accepted_and_read(kit: InboxKit) -> None:
    inbox, raw = await kit.inbox(DESK), mail(files=LARGE)
    with anyio.fail_after(SECONDS):
        await kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=[DESK])
        message = await inbox.wait_for_message(timeout=SECONDS)
        assert await message.raw() == raw
        assert await message.attachments[0].read() == LARGE["report.txt"]


@pytest.mark.usefixtures("_no_threads")
async def test_a_process_looks_for_what_others_did_and_beats(store: Store) -> None:
    seen = store.bell.count("read")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.keep_alive)
        with anyio.fail_after(SECONDS):
            await store.bell.wait("read", seen)
        tasks.cancel_scope.cancel()


def test_only_users_code_runs_in_the_threads_of_anyio() -> None:
    root = Path(inboxkit.__file__).parent
    of_theirs = {root / "cli", root / "testing"}  # programs of their own
    sources = [p for p in root.rglob("*.py") if not of_theirs.intersection(p.parents)]
    told = {"router.py", "watchdog.py"}  # say in words what a handler is to do
    assert [p for p in sources if p.name not in told and _BARE.search(p.read_text())] == []


async def test_what_is_not_to_be_interrupted_ends_before_the_cancel_is_raised() -> None:
    go, ended = asyncio.Event(), list[str]()

    async def work() -> None:
        await go.wait()
        ended.append("work")

    waiting = asyncio.create_task(uninterrupted(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["work"]


async def test_what_is_not_to_be_interrupted_gives_its_result_or_its_error() -> None:
    assert await uninterrupted(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ZeroDivisionError):
        await uninterrupted(in_thread(divmod, 1, 0))


async def test_a_timeout_around_what_is_not_to_be_interrupted_is_told_after_it() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await uninterrupted(asyncio.sleep(0))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await uninterrupted(asyncio.sleep(0))
        await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
