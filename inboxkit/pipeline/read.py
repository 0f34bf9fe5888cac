"""Read: parse what was accepted, place it in its thread, log it. Independent of any handler.

A message that exceeds a limit or breaks the parser is kept whole and marked; it blocks nobody.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, TypeAlias

from ..blocking import in_thread
from ..errors import StoreError
from ..parsing import guard, parse
from ..parsing.model import Limits, ParsedMessage
from ..parsing.worker import ParserProcess, needs_process
from ..router import Retries
from ..settings import Settings
from ..store import inboxes, jobs, readings, unread
from ..store.blobs import Unreadable
from ..store.jobs import LeaseLost
from ..store.refusals import TooSlow, Unstorable
from ..store.unread import Reading, Stored
from ..tokens import public_id
from . import authenticity
from .addresses import token_row
from .authenticity import Authenticity
from .crew import Crew
from .faults import fault
from .leases import give_all_back
from .pace import Pace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from anyio.abc import TaskGroup
    from sqlalchemy import Connection

    from ..store.leased import Job
    from ..store.store import Store
    from ..values import Auth

    Held: TypeAlias = tuple[Job, Stored]
    Judged: TypeAlias = tuple[tuple[Held, ParsedMessage], Auth | None]
    Owners: TypeAlias = Mapping[int, tuple[str, ...]]

log = logging.getLogger("inboxkit.read")
BATCH = 32
_SLICE_SECONDS = 2.0
_GLANCE_SECONDS = 0.1  # what is read is to be recorded soon
_AGAIN, _AGAIN_AT_MOST = Retries(first=timedelta(seconds=1), factor=2.0), timedelta(minutes=1)
_CHECKS = 64  # mails whose senders are looked up at once


@dataclass(frozen=True, slots=True)
class _Glance:
    """What one look at a batch gave, by row id; ``parsed`` lacks what needs a process.

    To ``left`` it did not come: the others had taken their time.
    """

    stored: Mapping[int, Stored]
    owners: Owners
    parsed: Mapping[int, ParsedMessage]
    auth: Mapping[int, Auth | None]
    left: Collection[int]


class Read:
    """The step from stored bytes to a parsed message in a thread."""

    def __init__(
        self,
        store: Store,
        pace: Pace,
        limits: Limits | None = None,
        *,
        checks: Authenticity | None = None,
        slice_seconds: float = _SLICE_SECONDS,
        glance_seconds: float = _GLANCE_SECONDS,
    ) -> None:
        self._slice_seconds = slice_seconds
        self._glance_seconds = glance_seconds
        self._store = store
        self._pace = pace
        self._limits = limits or Limits()
        self._process = ParserProcess()
        self._authenticity = checks or Authenticity(Settings(), store.blobs)
        self._unproven: dict[int, tuple[Stored, ParsedMessage, Owners]] = {}
        self._crew: Crew | None = None

    def join(self, tasks: TaskGroup) -> None:
        """Check senders in tasks of their own from now on, beside the reading of other mail."""
        self._crew = Crew(self._store, "read", tasks, self._check, size=_CHECKS)

    def room(self) -> int:
        """Return how many messages to take at once."""
        most = Pace.PORTION if self._pace.is_pressed else BATCH
        return most if self._crew is None else min(most, self._crew.room())

    async def work(self, taken: list[Job]) -> None:
        """Read a batch of messages, those first that take no time."""
        end = time.monotonic() + self._slice_seconds
        left = taken
        slow: list[tuple[Held, Owners]] = []
        while left:
            found = await self._store.read(self._glance, [int(j.key) for j in left])
            left = await self._take(left, found, slow)
            if left and time.monotonic() > end:
                await self._give_back(left)
                break
        await self._work_slowly(slow)
        await self._pace.pause()

    async def _take(
        self, taken: Sequence[Job], found: _Glance, slow: list[tuple[Held, Owners]]
    ) -> list[Job]:
        """Record what was parsed at a glance, add what is slow; return what was not looked at."""
        gone = [j for j in taken if int(j.key) not in found.stored]
        if gone:  # purged before it was read
            await self._store.write(jobs.complete, gone)
        left = [j for j in taken if int(j.key) in found.left]
        quick: list[Judged] = []
        for job in taken:
            item = found.stored.get(int(job.key))
            if item is None or item.id in found.left:
                continue
            if (parsed := found.parsed.get(item.id)) is not None:
                quick.append((((job, item), parsed), found.auth.get(item.id)))
            else:
                slow.append(((job, item), found.owners))
        await self._settle(quick, found.owners)
        return left

    def _glance(self, connection: Connection, ids: Sequence[int]) -> _Glance:
        """Load a batch, parse and judge what is small and plain: all in one turn of a thread.

        What is small may take a second as well, 60,000 tags for instance, and that with the
        interpreter's lock. So it ends early, and each inbox has its turn.
        """
        stored = unread.unread(connection, ids)
        owners = inboxes.names(connection, {item.inbox_id for item in stored.values()})
        parsed: dict[int, ParsedMessage] = {}
        left = _in_turn(stored.values())
        end = time.monotonic() + self._glance_seconds
        while left and not (parsed and time.monotonic() > end):
            item = left.pop()
            if (result := self._parsed(item)) is not None:
                parsed[item.id] = result
        auth = {i: self._authenticity.known(stored[i], result) for i, result in parsed.items()}
        return _Glance(stored, owners, parsed, auth, {item.id for item in left})

    async def _work_slowly(self, held: Sequence[tuple[Held, Owners]]) -> None:
        """Read what may take seconds, one by one; give back what is left when time is up.

        So a flood of such messages holds up those of other inboxes for one of them at most.
        """
        end = time.monotonic() + self._slice_seconds
        for number, ((job, item), owners) in enumerate(held):
            if number and time.monotonic() > end:
                await self._give_back([job for (job, _), _ in held[number:]])
                return
            try:
                result = await self._parse_large(item)
            except StoreError as error:
                await self._put_off(job, error)
            else:
                await self._finish((job, item), result, owners)

    async def _put_off(self, job: Job, error: StoreError) -> None:
        """Try a message again later: its bytes are not to be had now, those of others may be."""
        log.warning("message %s: %s; trying again", public_id("msg", int(job.key)), error)
        pause = min(_AGAIN.delay(job.attempts), _AGAIN_AT_MOST)
        await give_all_back(self._store, [job], str(error), after=pause)

    async def _give_back(self, left: Sequence[Job]) -> None:
        await give_all_back(self._store, left, "", after=timedelta(0), blameless=True)

    async def _finish(self, one: Held, parsed: ParsedMessage, owners: Owners) -> None:
        """Record what took its time to read."""
        auth = await in_thread(self._authenticity.known, one[1], parsed)
        await self._settle([((one, parsed), auth)], owners)

    async def _settle(self, judged: Sequence[Judged], owners: Owners) -> None:
        """Record what was read; what takes look-ups of its sender holds up nobody else."""
        await self._record(
            [
                self._reading(job, item, parsed, owners, auth)
                for ((job, item), parsed), auth in judged
                if auth is not None
            ]
        )
        for ((job, item), parsed), auth in judged:
            if auth is None:
                self._unproven[job.id] = (item, parsed, owners)
                await (self._check(job) if self._crew is None else self._crew.work([job]))

    async def _check(self, job: Job) -> None:
        item, parsed, owners = self._unproven.pop(job.id)
        auth = await self._authenticity.verify(item, parsed)
        await self._record([self._reading(job, item, parsed, owners, auth)])

    def _parsed(self, item: Stored) -> ParsedMessage | None:
        """Parse what is small and plain; None for what needs a process that can be ended."""
        if item.size > guard.ORDINARY_BYTES:
            return None
        try:
            raw = self._store.blobs.unpack(item.packed)
        except Unreadable as error:
            return _failed(error)
        except StoreError:
            return None  # it is not to be had now: alone it holds up no other
        if needs_process(raw):
            return None
        return parse(raw, mail_from=item.mail_from, limits=self._limits)

    async def _parse_large(self, item: Stored) -> ParsedMessage:
        try:
            raw = await in_thread(self._store.blobs.unpack, item.packed)
            return await self._process.parse(
                raw, mail_from=item.mail_from, limits=self._limits, lean=True
            )
        except Unreadable as error:
            return _failed(error)

    def _reading(
        self, job: Job, item: Stored, parsed: ParsedMessage, owners: Owners, auth: Auth
    ) -> Reading:
        if parsed.state != "parsed":
            log.warning(
                "message %s: %s: %s",
                public_id("msg", item.id),
                parsed.state,
                "; ".join(parsed.defects),
            )
        return Reading(
            stored=item,
            parsed=parsed,
            auth=authenticity.stored(auth),
            own=owners[item.inbox_id],
            token_row=token_row(item.rcpt_to, self._store.keys, self._store.clock.now()),
            job=job,
            now=self._store.clock.now(),
            labels=self._authenticity.labels(item, auth),
        )

    async def _record(self, items: Sequence[Reading]) -> None:
        """Store what was read; what the database cannot take is kept, marked and shown.

        Raise StoreError when the database takes nothing now: then nothing is wrong with the mail.
        """
        results = await self._store.write_each(readings.record, items)
        refusals: list[StoreError] = []
        for reading, result in zip(items, results, strict=True):
            if isinstance(result, LeaseLost):
                log.warning("message %s: read by another", public_id("msg", reading.stored.id))
            elif isinstance(result, TooSlow):
                await self._put_off(reading.job, result)
            elif isinstance(result, StoreError) and not isinstance(result, Unstorable):
                refusals.append(result)
            elif isinstance(result, Exception):
                await self._record_failed(reading, result)
        if refusals:
            raise refusals[0]

    async def _record_failed(self, reading: Reading, error: Exception) -> None:
        shown = public_id("msg", reading.stored.id)
        log.error("message %s: cannot be stored as read: %s", shown, fault(error))
        await self._store.write(readings.record, [replace(reading, parsed=_failed(error))])

    async def close(self) -> None:
        """End the parser process."""
        await self._process.close()


def _failed(error: Exception) -> ParsedMessage:
    return ParsedMessage(state="failed", defects=(f"store: {error}"[:500],))


def _in_turn(items: Iterable[Stored]) -> list[Stored]:
    """Return messages, to be taken from the end: one of each inbox, the shortest of these first.

    Those of one inbox stay in their order.
    """
    seen: Counter[int] = Counter()
    ranked: list[tuple[int, int, Stored]] = []
    for item in sorted(items, key=attrgetter("id")):
        seen[item.inbox_id] += 1
        ranked.append((seen[item.inbox_id], item.size, item))
    return [item for _, _, item in sorted(ranked, key=itemgetter(0, 1), reverse=True)]
