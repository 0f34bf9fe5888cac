"""What is stored by one process wakes the step of another one that waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from inboxkit.clock import Clock
from inboxkit.pipeline.loops import Consumer
from inboxkit.store import endpoints, jobs
from inboxkit.store.store import Store

if TYPE_CHECKING:
    from inboxkit.store.leased import Job

KINDS = ("read", "plan", "run", "send", "webhook", "timer", "draft", "mailgun", "post")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_job_is_heard_of_in_another_process(store: Store, database: str, kind: str) -> None:
    other = Store(database, Clock())
    await other.open()
    try:
        with anyio.fail_after(10):
            while not other.bell.count(kind):  # the first may come before the other one listens
                await store.write(jobs.put, [new_job(store, kind)])
                await other.bell.wait(kind, 0, timeout=0.5)
    finally:
        await other.close()


def new_job(store: Store, kind: str) -> dict[str, object]:
    key = str(store.bell.count(kind))
    return jobs.new_job(kind, key, inbox_id=1, due_at=store.clock.now())


async def test_a_step_that_no_other_process_would_wake_is_not_begun(store: Store) -> None:
    async def work(taken: list[Job]) -> None: ...

    assert endpoints.TOPIC in KINDS
    with pytest.raises(AssertionError, match="'polish'"):
        Consumer(store, "polish", work, lambda: 1)
