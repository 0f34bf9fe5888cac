"""Dispatch: call the handlers of leased Runs; each ends with its sends in one transaction."""

from __future__ import annotations

import logging
import traceback
from asyncio import CancelledError
from dataclasses import dataclass
from datetime import timedelta
from random import random
from typing import TYPE_CHECKING, Any

import anyio

from ..errors import HandlerError, Reject, RetryLater, SendError, SkipHandler, StoreError
from ..models import Actions, Thread
from ..router import Handler, Retries, Router
from ..store import events, jobs, runs, threads
from ..store.inboxes import InboxGone
from ..store.jobs import LeaseLost
from ..store.refusals import TooSlow, Unstorable
from ..store.runs import NewRun
from ..tokens import public_id
from ..values import EventType
from . import items
from .calls import Calls
from .crew import Crew
from .faults import fault
from .leases import give_back
from .staging import Staging, carry_out, current

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from ..store.leased import Job
    from ..store.store import Store
    from ..store.transactions import Tx
    from .handlers import Handlers, Loaded

log = logging.getLogger("inboxkit.dispatch")
_CONCURRENCY = 64
_LONGEST = timedelta(days=36_500)  # nobody means more, and the calendar ends
_LOST = Retries(attempts=3, first=timedelta(seconds=30))
_UNENDED = Retries(attempts=5, first=timedelta(seconds=5))


@dataclass(frozen=True, slots=True)
class _Ended:
    """A Run that has ended, with what it staged."""

    job: Job
    row: Any
    ending: runs.Ending
    staging: Staging


class Dispatch:
    """Calls handlers, as many at once as their routers allow."""

    def __init__(
        self,
        store: Store,
        handlers: Handlers,
        actions: Actions,
        tasks: TaskGroup,
    ) -> None:
        self._store = store
        self._actions = actions
        self._handlers = handlers
        self._held: dict[int, items.Held] = {}
        self.calls = Calls(tasks)
        self.crew = Crew(store, "run", tasks, self._one, size=_CONCURRENCY, waits=True)

    def room(self) -> int:
        """Return how many more Runs may be leased now; who waits for its router takes no room."""
        return self.crew.room() + self._handlers.waiting

    def full(self) -> frozenset[int]:
        """Return the marks of the queues that are not to be leased from now.

        Else the backlog of one slow router would fill all places, and the others would starve.
        """
        return self._handlers.full()

    async def work(self, taken: list[Job]) -> None:
        """Start a task for each leased Run; what they need is loaded at once."""
        try:
            self._held |= await items.prefetch(self._store, self._actions, taken)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - each is loaded by itself then, and fails by itself
            log.error("runs %s: %s", [job.key for job in taken], fault(error))
        await self.crew.work(taken)

    async def _one(self, job: Job) -> None:
        held = self._held.pop(job.id, items.Held())
        row = held.run or await self._store.read(runs.by_id, int(job.key))
        if row is None:
            await self._store.write(jobs.complete, [job])
            return
        found = self._handlers.find(row.handler)
        if found is None:
            await self._miss(job, row)
            return
        loaded, handler = found
        if await self._is_put_off(job, row):
            return
        try:
            item = await items.load(self._store, self._actions, row, handler, held.message)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - what is stored of a mail came from outside
            await self._fail(job, row, error, loaded.router.retries)
            return
        if item is None:
            await self._settle(job, row, "done", Staging(row.key))
            return
        await self._in_turn(job, row, loaded, handler, item)

    async def _is_put_off(self, job: Job, row: Any) -> bool:
        """Put off or give up a Run that was begun more than once and never ended.

        Its handler may be what ends the process, with all that is under way beside it. So each such
        Run is called at a moment of its own, later each time, and at last no more.
        """
        unended = job.attempts - 1 - row.attempts
        if unended < 2 or job.data.get("unended") == unended:
            return False
        words = f"begun {unended} times and never ended: does its handler end the process?"
        if unended >= _UNENDED.attempts:
            await self._fail(job, row, HandlerError(words), Retries(attempts=1))
            return True
        log.warning("%s of %s: %s", public_id("run", row.id), row.handler, words)

        def commit(tx: Tx) -> None:
            now, data = self._store.clock.now(), {**job.data, "unended": unended}
            due = now + _UNENDED.delay(unended - 1) * (0.5 + random())
            jobs.put_back(tx, job, due_at=due, error=words, data=data, blameless=True)
            error = row.error or words
            runs.settle(tx, row.id, "retrying", attempts=row.attempts, now=now, error=error)

        await self._store.write(commit)
        return True

    async def _in_turn(
        self, job: Job, row: Any, loaded: Loaded, handler: Handler, item: Any
    ) -> None:
        """Call as soon as the router may have one more call.

        If it may not for a while, the Run goes back to its place in line: for another process, or
        for this one when a call has ended.
        """
        if not await loaded.places.take():
            await give_back(self._store, job, "", after=None, blameless=True)
            return
        if not self.crew.begin(job):
            loaded.places.free()
            return
        try:
            await self._call(job, row, loaded, handler, item)
        finally:
            if loaded.is_serial:
                loaded.places.free()

    async def _call(self, job: Job, row: Any, loaded: Loaded, handler: Handler, item: Any) -> None:
        """Call a handler in the place that the router has for it, and end its Run."""
        router = loaded.router
        staging = Staging(
            row.key,
            again=f":{job.id}" if job.data.get("send_again") else "",
            reminder=isinstance(item, Thread),
            record=bool(job.data.get("record")),
        )
        token = current.set(staging)
        try:
            with self.calls.noted(row, staging):
                await _run(loaded, handler, item, staging)
            await self._settle(job, row, "done", staging)
        except SkipHandler:
            await self._skip(job, row, router, item)
        except Reject as outcome:
            reason = _storable(str(outcome.reason))
            await self._settle(job, row, "rejected", Staging(row.key), error=reason)
        except RetryLater as outcome:
            await self._later(job, row, outcome)
        except (TooSlow, Unstorable) as error:
            await self._fail(job, row, error, router.retries)
        except (StoreError, LeaseLost):
            raise
        except (SendError, HandlerError, InboxGone) as error:  # trying again would change nothing
            await self._fail(job, row, error, Retries(attempts=1))
        except BaseException as error:  # a handler is foreign code: sys.exit() in it ends its Run
            if isinstance(error, (CancelledError, KeyboardInterrupt, GeneratorExit)):
                raise
            await self._fail(job, row, error, router.retries)
        finally:
            current.reset(token)

    async def _settle(
        self, job: Job, row: Any, state: str, staging: Staging, *, error: str = ""
    ) -> None:
        ending = runs.Ending(row.id, state, job.attempts, error)
        await self._store.write_grouped(self._end, _Ended(job, row, ending, staging))

    def _end(self, tx: Tx, ended: list[_Ended]) -> list[None]:
        """End Runs that meet in one commit; what each has staged is carried out with it."""
        now = self._store.clock.now()
        jobs.complete(tx, [e.job for e in ended])
        carry_out(tx, [one.staging for one in ended], now)
        for one in ended:
            if one.staging.reminder and one.row.thread_id is not None:
                threads.remind(tx, one.row.thread_id, int(one.row.item.rpartition(":")[2]))
        runs.end(tx, [e.ending for e in ended], now)
        return [None] * len(ended)

    async def _skip(self, job: Job, row: Any, router: Router[...], item: Any) -> None:
        """Offer the item to the next handler that matches."""
        before = await self._store.read(runs.skipped, row.message_id, row.item)
        following = items.next_handler(router, row, item, skip=before | {row.handler})

        def commit(tx: Tx) -> None:
            now = self._store.clock.now()
            jobs.complete(tx, [job])
            runs.settle(tx, row.id, "skipped", attempts=job.attempts, now=now)
            if following is not None:
                runs.insert_new(tx, [self._successor(job, row, router, following)], now)

        await self._store.write(commit)

    def _successor(self, job: Job, row: Any, router: Router[...], handler: Handler) -> NewRun:
        ordered = router.ordered and row.thread_id
        return NewRun(
            message_id=row.message_id,
            thread_id=row.thread_id,
            inbox_id=job.inbox_id,
            router=router.name,
            handler=handler.id,
            kind=str(handler.kind),
            item=row.item,
            lane=f"{row.thread_id}:{router.name}" if ordered else None,
            record=bool(job.data.get("record")),
        )

    async def _later(self, job: Job, row: Any, outcome: RetryLater) -> None:
        after: Any = outcome.after
        if not (isinstance(after, timedelta) and abs(after) <= _LONGEST):
            words = f"RetryLater({after!r}): a timedelta of at most {_LONGEST.days} days is wanted"
            await self._fail(job, row, HandlerError(words), Retries(attempts=1))
            return

        def commit(tx: Tx) -> None:
            now = self._store.clock.now()
            shown = _storable(str(outcome.reason)) or "RetryLater"
            jobs.put_back(tx, job, due_at=now + after, error=shown)
            runs.settle(tx, row.id, "retrying", attempts=job.attempts, now=now, error=shown)

        await self._store.write(commit)

    async def _miss(self, job: Job, row: Any) -> None:
        """Leave a Run to processes that have its handler; give up when it is found nowhere.

        It is no attempt of the Run's, and what its last attempt failed with stays to be seen.
        """
        missing = f"handler {row.handler} is not loaded; was it renamed?"
        times = int(job.data.get("missed", 0)) + 1
        if times >= _LOST.attempts:
            error = HandlerError("\n".join(filter(None, (row.error, missing))))
            await self._fail(job, row, error, Retries(attempts=1))
            return
        run_id = public_id("run", row.id)
        log.warning("%s: %s It is tried elsewhere or later", run_id, missing)

        def commit(tx: Tx) -> None:
            now = self._store.clock.now()
            due, data = now + _LOST.delay(times), {**job.data, "missed": times}
            jobs.put_back(tx, job, due_at=due, error=missing, data=data, blameless=True)
            attempts, error = job.attempts - 1, row.error or missing
            runs.settle(tx, row.id, "retrying", attempts=attempts, now=now, error=error)

        await self._store.write(commit)

    async def _fail(self, job: Job, row: Any, cause: BaseException, retries: Retries) -> None:
        """Try again after a while, or give up and say so; the text is for the Run alone."""
        last, error = job.attempts >= retries.attempts, _shown(cause)
        log.log(
            logging.ERROR if last else logging.WARNING,
            "%s of %s: attempt %d of %d failed: %s",
            public_id("run", row.id),
            row.handler,
            job.attempts,
            retries.attempts,
            fault(cause),
        )

        def commit(tx: Tx) -> None:
            now = self._store.clock.now()
            if not last:
                due = now + retries.delay(job.attempts)
                jobs.put_back(tx, job, due_at=due, error=error)
                runs.settle(tx, row.id, "retrying", attempts=job.attempts, now=now, error=error)
                return
            jobs.complete(tx, [job])
            there = runs.settle(tx, row.id, "failed", attempts=job.attempts, now=now, error=error)
            if there and row.kind != "event":  # or a failing on_event handler would call itself
                self._announce(tx, job, row, error)

        await self._store.write(commit)

    def _announce(self, tx: Tx, job: Job, row: Any, error: str) -> None:
        events.append(
            tx,
            EventType.HANDLER_FAILED,
            at=self._store.clock.now(),
            inbox_id=job.inbox_id,
            message_id=row.message_id,
            thread_id=row.thread_id,
            reason=f"{row.handler}: {error.strip().splitlines()[-1]}",
            data={"run": row.id, "handler": row.handler},
        )


async def _run(loaded: Loaded, handler: Handler, item: Any, staging: Staging) -> None:
    """Call a handler; raise TimeoutError that says so when it takes too long.

    Its place in the router is free after, before the Run's end is stored: those that end at the
    same time share a commit, however few of them may be called at once. Where only one may, the
    next one finds all that it did.
    """
    timeout = loaded.router.timeout
    scope: anyio.CancelScope | None = None
    try:
        with anyio.fail_after(timeout) as scope:
            await handler.function(item, *loaded.arguments)
    except TimeoutError as error:
        if scope is None or not scope.cancelled_caught:  # a timeout of its own, such as WaitTimeout
            raise
        raise TimeoutError(f"took longer than {timeout} s") from error
    finally:
        staging.over = True
        if not loaded.is_serial:
            loaded.places.free()


def _shown(error: BaseException) -> str:
    """Return the traceback without the runtime's own frames on top."""
    shown = "".join(traceback.format_exception(error, limit=-8))
    return _storable(shown)


def _storable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which fit in no database."""
    return text.encode("utf-8", "replace").decode()
