"""Plan: match a message, an event or a send with the handlers, and store one Run for each match.

Taken only by processes that loaded handlers. ``when=`` runs here, outside any transaction; if it
raises, the plan is tried again and shown.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from .. import matching
from ..errors import StoreError
from ..models import Actions, Event, Message
from ..router import Handler, HandlerKind, Retries, Router
from ..store import events, jobs, records, runs, succession, timers
from ..store.runs import NewRun
from ..tokens import row_id
from ..values import Direction, EventType
from .addresses import UNROUTED
from .faults import fault
from .replies import LOOP_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from ..store.leased import Job
    from ..store.store import Store
    from ..store.transactions import Tx
    from .handlers import Handlers

log = logging.getLogger("inboxkit.plan")
BATCH = 32
_RETRIES = Retries(attempts=20, first=timedelta(seconds=2))


@dataclass(frozen=True, slots=True)
class Planned:
    """What one plan job comes to."""

    job: Job
    runs: list[NewRun] = field(default_factory=list[NewRun])
    timers: list[timers.NewTimer] = field(default_factory=list[timers.NewTimer])
    loop: str = ""  # why a program's answer to our program is answered by none


class Plan:
    """Finds the handlers of what happened."""

    def __init__(self, store: Store, handlers: Handlers, actions: Actions) -> None:
        self._store = store
        self._handlers = handlers
        self._actions = actions

    async def work(self, taken: list[Job]) -> None:
        """Plan a batch in one transaction; what fails is tried again by itself."""
        messages = await self._messages(taken)
        happened = await self._events(taken)
        planned: list[Planned] = []
        for job in taken:
            try:
                planned.append(await self._match(job, messages, happened))
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - a user's ``when=`` is foreign code
                await self._again(job, error)
        await self._store.write(self._commit, planned)

    async def _messages(self, taken: list[Job]) -> dict[int, Message]:
        """Load the messages of a batch at once; none when no handler could want them."""
        wanted = [int(j.key) for j in taken if j.key.isdigit()]
        if not wanted or not any(router.handlers for router in self._handlers.routers):
            return {}
        found = await self._store.read(records.messages, wanted, self._actions)
        return {row_id("msg", m.id): m for m in found}

    async def _events(self, taken: list[Job]) -> dict[str, Event]:
        """Load the events of a batch at once: a send to thousands has as many, all of one message.

        None when no handler could want them, or when one cannot be loaded: then each by itself.
        """
        keys = (job.key.rpartition(":") for job in taken)
        wanted = [int(seq) for kind, _, seq in keys if kind == "event"]
        if not wanted or not self._hears_events():
            return {}
        try:
            found = await self._store.read(_happened, wanted, self._actions)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - what is stored of a mail came from outside
            log.warning("plans of events: %s; loaded one by one", fault(error))
            return {}
        return {event.id: event for event in found}

    def _hears_events(self) -> bool:
        handlers = (h for router in self._handlers.routers for h in router.handlers)
        return any(handler.kind == HandlerKind.EVENT for handler in handlers)

    async def _match(
        self, job: Job, messages: Mapping[int, Message], happened: Mapping[str, Event]
    ) -> Planned:
        kind, _, key = job.key.rpartition(":")
        if kind == "event":
            return Planned(job, await self._event(int(key), job, happened))
        if kind == "sent":
            return Planned(job, timers=await self._timers(int(key), job))
        message = messages.get(int(key))
        if message is None:
            return Planned(job)
        found = list(self._message_runs(message, job))
        withheld = next((run.withheld for run in found if run.withheld), "")
        return Planned(job, found, loop=withheld if _is_from_a_program_like_us(message) else "")

    async def _message(self, message_id: int) -> Message | None:
        found = await self._store.read(records.messages, [message_id], self._actions)
        return found[0] if found else None

    def _message_runs(self, message: Message, job: Job) -> Iterator[NewRun]:
        if message.direction != Direction.INBOUND or UNROUTED in message.labels:
            return
        for router in self._handlers.routers:
            yield from self._router_runs(router, message, job)

    def _router_runs(self, router: Router[...], message: Message, job: Job) -> Iterator[NewRun]:
        taker = matching.match_message(router, message)
        held = None if taker else matching.withheld(router, message)
        if taker is not None:
            yield self._run(router, taker, message, job)
        elif held is not None:
            yield self._run(router, held[0], message, job, withheld=held[1])
        reader = matching.match_otp(router, message) if message.otp is not None else None
        if reader is not None:
            yield self._run(router, reader, message, job, item="otp")
        for handler, part in matching.match_attachments(router, message):
            yield self._run(router, handler, message, job, item=part.id)
        for handler in self._received(router, message):
            yield self._run(router, handler, message, job, item="received")

    def _received(self, router: Router[...], message: Message) -> Iterator[Handler]:
        event = Event("", EventType.RECEIVED, message.received_at, message)
        handler = matching.match_event(router, event)
        if handler is not None:
            yield handler

    def _run(
        self,
        router: Router[...],
        handler: Handler,
        message: Message,
        job: Job,
        *,
        item: str = "",
        withheld: str = "",
    ) -> NewRun:
        thread_id = row_id("thd", message.thread_id) if message.thread_id else None
        return NewRun(
            message_id=row_id("msg", message.id),
            thread_id=thread_id,
            inbox_id=job.inbox_id,
            router=router.name,
            handler=handler.id,
            kind=str(handler.kind),
            item=item,
            lane=f"{thread_id}:{router.name}" if router.ordered and thread_id else None,
            withheld=withheld,
            record=bool(job.data.get("record")),
        )

    async def _event(self, seq: int, job: Job, happened: Mapping[str, Event]) -> list[NewRun]:
        if not self._hears_events():
            return []
        known = happened.get(events.cursor_id(seq))
        found = [known] if known else await self._store.read(_happened, [seq], self._actions)
        return [
            self._run(router, handler, event.message, job, item=event.id)
            for event in found
            for router in self._handlers.routers
            if (handler := matching.match_event(router, event)) is not None
        ]

    async def _timers(self, message_id: int, job: Job) -> list[timers.NewTimer]:
        message = await self._message(message_id)
        if message is None or not message.thread_id:
            return []
        return [
            timers.NewTimer(
                thread_id=row_id("thd", message.thread_id),
                inbox_id=job.inbox_id,
                router=router.name,
                handler=handler.id,
                message_id=message_id,
                due_at=job.due_at + handler.filters.after,
                before=succession.cited(message),
            )
            for router in self._handlers.routers
            for handler in matching.timers(router, message.tag)
        ]

    def _commit(self, tx: Tx, planned: list[Planned]) -> None:
        jobs.complete(tx, [p.job for p in planned])
        runs.insert_new(tx, [run for p in planned for run in p.runs], self._store.clock.now())
        timers.start(tx, [timer for p in planned for timer in p.timers])
        for stopped in planned:
            if stopped.loop:
                self._announce_loop(tx, stopped)

    def _announce_loop(self, tx: Tx, stopped: Planned) -> None:
        events.append(
            tx,
            EventType.LOOP_STOPPED,
            at=self._store.clock.now(),
            inbox_id=stopped.job.inbox_id,
            message_id=stopped.runs[0].message_id,
            thread_id=stopped.runs[0].thread_id,
            reason=f"an automatic answer, which no handler was called for: {stopped.loop}",
        )

    async def _again(self, job: Job, error: Exception) -> None:
        shown = f"{type(error).__name__}: {error}"
        log.error("plan of %s: %s; tried again", job.key, fault(error))
        due = self._store.clock.now() + _RETRIES.delay(job.attempts)
        await self._store.write(jobs.put_back, job, due_at=due, error=shown)


def _happened(connection: Connection, seqs: Sequence[int], actions: Actions) -> list[Event]:
    return records.events(connection, events.by_seqs(connection, seqs), actions)


def _is_from_a_program_like_us(message: Message) -> bool:
    return any(name.lower() == LOOP_HEADER for name in message.headers)
