"""Posts: one event to one endpoint, signed, tried again on a schedule, every attempt logged."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .. import signatures
from ..store import attempts, endpoints, events, jobs
from ..store.attempts import AttemptRecord
from ..values import EventType
from .crew import Crew
from .posting import Poster, signed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from anyio.abc import TaskGroup

    from ..egress import Guard
    from ..store.endpoints import EndpointRecord
    from ..store.leased import Job
    from ..store.store import Store
    from ..store.transactions import Tx

    Render = Callable[[int, str], Awaitable[bytes | None]]

log = logging.getLogger("inboxkit.posts")
# After the first attempt; the schedule of Svix, which receivers know.
SCHEDULE = tuple(
    timedelta(seconds=s) for s in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
)
_IN_ORDER = 3  # attempts that later events of the inbox wait for; about five minutes
_GIVE_UP_AFTER = timedelta(days=5)
_AT_ONCE = 64
_GONE = 410  # Standard Webhooks, "Webhook consumer": the endpoint wants no more
_OWN_PREFIXES = ("webhook-", "svix-")
_OWN_HEADERS = frozenset(
    "host content-type content-length content-encoding transfer-encoding connection upgrade te "
    "trailer expect user-agent".split()
)


def is_own_header(name: str) -> bool:
    """Whether we set a header ourselves, so that nobody else may."""
    return name.lower() in _OWN_HEADERS or name.lower().startswith(_OWN_PREFIXES)


class Posts:
    """Posts what was queued; ``render`` makes the body of an event of the type that it
    had when it was queued, None when it is gone."""

    def __init__(self, store: Store, guard: Guard, render: Render, tasks: TaskGroup) -> None:
        self._store = store
        self._render = render
        self._poster = Poster(guard)
        self.close = self._poster.close
        crew = Crew(store, endpoints.TOPIC, tasks, self._one, size=_AT_ONCE)
        self.work, self.room = crew.work, crew.room

    async def _one(self, job: Job) -> None:
        endpoint_id, seq = (int(part) for part in job.key.split(":"))
        endpoint = await self._store.read(endpoints.by_id, endpoint_id, self._store.clock.now())
        wanted = endpoint is not None and endpoint.enabled
        body = await self._render(seq, job.data.get("type", "")) if wanted else None
        if endpoint is None or body is None:  # deleted or disabled, or the message was deleted
            await self._store.write(_drop, job)
            return
        begun, now = time.monotonic(), self._store.clock.now()
        headers = headers_of(endpoint, events.cursor_id(seq), body, now)
        answer = await self._poster.post(endpoint.url, body, headers, now)
        made = AttemptRecord(
            endpoint_id=endpoint.id,
            event_seq=seq,
            number=job.attempts,
            status=answer.status,
            error=answer.error,
            milliseconds=round((time.monotonic() - begun) * 1000),
            at=self._store.clock.now(),
        )
        await self._store.write(_record, job, endpoint, made, answer.pause)


def headers_of(endpoint: EndpointRecord, id: str, body: bytes, now: datetime) -> Mapping[str, str]:
    """Return all headers of a post; the signatures bear the time of this attempt."""
    keys = [signatures.Key.of(secret) for secret in endpoint.signing(now)]
    return {**endpoint.headers, **signed(keys, id, now, body)}


def _drop(tx: Tx, job: Job) -> None:
    jobs.complete(tx, [job])
    tx.wake(endpoints.TOPIC)  # the next of its lane may be ready


def _record(
    tx: Tx, job: Job, endpoint: EndpointRecord, made: AttemptRecord, pause: timedelta
) -> None:
    """Log an attempt, and decide what comes next."""
    attempts.add(tx, made)
    if made.is_good:
        endpoints.recovered(tx, endpoint.id)
        _drop(tx, job)
        return
    since = endpoints.failed(tx, endpoint.id, made.at)
    if made.status == _GONE:
        _disable(tx, endpoint, made, "it answered 410 Gone")
    elif made.at - since >= _GIVE_UP_AFTER:
        _disable(tx, endpoint, made, f"it took nothing for {_GIVE_UP_AFTER.days} days")
    if made.number > len(SCHEDULE):
        log.warning("webhook %s: given up: %s", urlsplit(endpoint.url).hostname, made.error)
        _drop(tx, job)
        return
    _retry(tx, job, made, pause)


def _retry(tx: Tx, job: Job, made: AttemptRecord, pause: timedelta) -> None:
    """Try again by the schedule, and not before the receiver wants it."""
    due = made.at + max(SCHEDULE[made.number - 1], pause)
    jobs.put_back(tx, job, due_at=due, error=made.error)
    if made.number >= _IN_ORDER:  # one event that is always refused must not hold up the others
        jobs.leave_lane(tx, job.id)
        tx.wake(endpoints.TOPIC)


def _disable(tx: Tx, endpoint: EndpointRecord, made: AttemptRecord, because: str) -> None:
    """Serve an endpoint no more, and say so in the log, by the event that it did not take."""
    if not endpoints.disable(tx, endpoint.id, made.at, because):
        return
    about = events.by_seq(tx.connection, made.event_seq)
    host = urlsplit(endpoint.url).hostname
    log.error("webhook %s is disabled: %s", host, because)
    if about is not None:
        events.append(
            tx,
            EventType.WEBHOOK_DISABLED,
            at=made.at,
            inbox_id=about.inbox_id,
            message_id=about.message_id,
            thread_id=about.thread_id,
            reason=f"{host}: {because}",
            data={"webhook_id": endpoints.public(endpoint.id)},
        )
