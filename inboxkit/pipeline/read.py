"""Read: parse what was accepted, place it in its thread, log it. Independent of any handler.

A message that exceeds a limit or breaks the parser is kept whole and marked; it blocks nobody.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from ..parsing import parse
from ..parsing.model import Limits, ParsedMessage
from ..parsing.worker import ParserProcess, needs_process
from ..store import inboxes, jobs, readings
from ..store.jobs import Job, LeaseLost
from ..store.readings import Reading, Stored
from ..tokens import public_id
from .addresses import token_row
from .pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from ..store.store import Store

log = logging.getLogger("inboxkit.read")
BATCH = 32


class Read:
    """The step from stored bytes to a parsed message in a thread."""

    def __init__(self, store: Store, pace: Pace, limits: Limits | None = None) -> None:
        self._store = store
        self._pace = pace
        self._limits = limits or Limits()
        self._process = ParserProcess()

    def room(self) -> int:
        """Return how many messages to take at once."""
        return Pace.PORTION if self._pace.is_pressed else BATCH

    async def work(self, taken: list[Job]) -> None:
        """Read a batch of messages."""
        stored = await self._store.read(readings.unread, [int(j.key) for j in taken])
        gone = [j for j in taken if int(j.key) not in stored]
        if gone:  # purged before it was read
            await self._store.write(jobs.complete, gone)
        held = [(j, stored[int(j.key)]) for j in taken if int(j.key) in stored]
        parsed = await self._parse([item for _, item in held])
        owners = await self._store.read(_owners, {item.inbox_id for _, item in held})
        read = [
            self._reading(job, item, result, owners[item.inbox_id])
            for (job, item), result in zip(held, parsed, strict=True)
        ]
        await self._record(read)
        if self._pace.is_pressed:
            await anyio.sleep(Pace.PAUSE_SECONDS)

    async def _parse(self, items: Sequence[Stored]) -> list[ParsedMessage]:
        raws = await to_thread.run_sync(self._unpack, items)
        small = [(i, raw) for i, raw in enumerate(raws) if not needs_process(raw)]
        results: dict[int, ParsedMessage] = {}
        parsed = await to_thread.run_sync(self._parse_small, items, small)
        results.update(zip((i for i, _ in small), parsed, strict=True))
        for i, raw in enumerate(raws):
            if i not in results:
                results[i] = await self._process.parse(
                    raw, mail_from=items[i].mail_from, limits=self._limits
                )
        return [results[i] for i in range(len(items))]

    def _unpack(self, items: Sequence[Stored]) -> list[bytes]:
        return [self._store.blobs.unpack(item.packed) for item in items]

    def _parse_small(
        self, items: Sequence[Stored], small: Sequence[tuple[int, bytes]]
    ) -> list[ParsedMessage]:
        return [parse(raw, mail_from=items[i].mail_from, limits=self._limits) for i, raw in small]

    def _reading(
        self, job: Job, item: Stored, parsed: ParsedMessage, own: tuple[str, ...]
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
            auth={},
            own=own,
            token_row=token_row(item.rcpt_to, self._store.secret),
            job=job,
            now=self._store.clock.now(),
        )

    async def _record(self, items: Sequence[Reading]) -> None:
        """Store what was read; what the database refuses is kept, marked and shown."""
        results = await self._store.write_each(readings.record, items)
        for reading, result in zip(items, results, strict=True):
            if isinstance(result, LeaseLost):
                log.warning("message %s: read by another", public_id("msg", reading.stored.id))
            elif isinstance(result, Exception):
                log.error(
                    "message %s: cannot be stored as read: %s",
                    public_id("msg", reading.stored.id),
                    result,
                )
                broken = ParsedMessage(state="failed", defects=(f"store: {result}"[:500],))
                await self._store.write(readings.record, [replace(reading, parsed=broken)])

    async def close(self) -> None:
        """End the parser process."""
        await self._process.close()


def _owners(connection: Connection, ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
    """Return the addresses of each inbox, none for one that was deleted meanwhile."""
    found = {i: inboxes.by_id(connection, i) for i in ids}
    return {i: (owner.address, *owner.aliases) if owner else () for i, owner in found.items()}
