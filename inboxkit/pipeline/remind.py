"""Timers that are due: each becomes a Run of its ``on_no_reply`` handler, and may be set again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..store import jobs, runs, threads, timers
from ..store.runs import NewRun

if TYPE_CHECKING:
    from ..router import Handler
    from ..store.leased import Job
    from ..store.store import Store
    from ..store.transactions import Tx
    from .handlers import Handlers

log = logging.getLogger("inboxkit.timers")
BATCH = 32


class Remind:
    """Fires timers; one that names a handler nobody has is reported, not lost."""

    def __init__(self, store: Store, handlers: Handlers) -> None:
        self._store = store
        self._handlers = handlers

    async def work(self, taken: list[Job]) -> None:
        """Turn due timers into Runs."""
        for job in taken:
            await self._store.write(self._fire, job)

    def _fire(self, tx: Tx, job: Job) -> None:
        if timers.put_back(tx, job):
            return
        data = job.data
        thread = threads.resolve(tx.connection, data["thread"])
        found = self._handlers.find(data["handler"])
        jobs.complete(tx, [job])
        if thread is None or thread.waiting_since is None:
            return
        if found is None:
            log.error("timer of thread %s: no handler %s is loaded", thread.id, data["handler"])
        runs.insert_new(tx, [self._run(job, thread)], self._store.clock.now())
        if found is not None and data["count"] < found[1].filters.repeat:
            jobs.put(tx, [self._next(job, found[1])])

    def _run(self, job: Job, thread: Any) -> NewRun:
        data = job.data
        return NewRun(
            message_id=data["message"],
            thread_id=thread.id,
            inbox_id=job.inbox_id,
            router=data["router"],
            handler=data["handler"],
            kind="timer",
            item=f"timer:{data['count']}",
            lane=f"{thread.id}:{data['router']}",
        )

    def _next(self, job: Job, handler: Handler) -> dict[str, Any]:
        data = {**job.data, "count": job.data["count"] + 1}
        due = job.due_at + handler.filters.after
        return jobs.new_job("timer", job.key, inbox_id=job.inbox_id, due_at=due, data=data)
