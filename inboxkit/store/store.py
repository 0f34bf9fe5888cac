"""The Store: one open database, its writer thread, its readers, its wake-ups and this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import anyio
from sqlalchemy.exc import SQLAlchemyError

from ..blocking import in_thread, uninterrupted
from ..errors import ConfigurationError, StoreError
from ..settings import without_secrets
from ..tokens import Keyring, new_id
from . import arrivals, jobs, schema, shortcut, token_keys, workers
from .bell import Bell
from .blobs import Blobs
from .breakable import Breakable
from .chunks import Chunks
from .database import Database, open_database
from .doorbell import Doorbell
from .patience import Patience
from .presence import Presence
from .readers import Readers
from .refusals import TooSlow, is_slow, words
from .setbacks import Setbacks
from .takers import Takers
from .turns import Turns
from .watch import Watch
from .workers import BEAT_SECONDS, LockFile
from .writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from ..clock import Clock
    from .leased import Job
    from .links import Links
    from .notices import Notices
    from .objects import Objects
    from .transactions import Tx

log = logging.getLogger("inboxkit.store")

# What one process tells the others: kinds of jobs, and changes that a step waits for.
TOPICS = (
    "read",
    "plan",
    "run",
    "send",
    "webhook",
    "timer",
    "draft",
    "mailgun",
    "post",
    "endpoint",
    "event",
)

_READERS = 4
_LONG_READERS = 2
_LONGEST_QUERY = 30.0  # seconds
_SILENCE_SECONDS = 8.0  # at the end: longer than a wait for a lock
_CUT_SECONDS = 2.0  # for what notices that its connection is gone

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """Opens with ``open``; every change goes through ``write``, every look through ``read``.

    Searches, lists and counts that somebody asks for go through ``read_at_length``.
    """

    def __init__(
        self, url: str, clock: Clock, *, bucket: str = "", options: Mapping[str, str] | None = None
    ) -> None:
        """Connect to nothing yet; ``bucket`` is the URL of where large messages go, with options.

        Raise ConfigurationError for what cannot be.
        """
        self.clock = clock
        self.bell = Bell()
        self.worker_id = new_id()
        self.database: Database = open_database(url)
        self._bucket = open_bucket(bucket, options or {}) if bucket else None
        self._chunks = Chunks(self.database.reader) if self.database.file is None else None
        self.blobs = Blobs(self.files_folder, self._bucket, self._chunks)
        self.identity = b""  # this database's own secret; what is derived from it never changes
        self.keys = Keyring(())
        self.takers = Takers(self.worker_id, clock, self.bell)
        self._turns = None if self.files_folder is None else Turns(self.files_folder)
        self._writer = Writer(
            self.database.writer,
            self._committed,
            takers=self.takers,
            threads=self.database.writers,
            shortcuts={arrivals.accept: shortcut.accept} if self.database.file else None,
            turns=self._turns,
            presence=None if self.database.file is None else Presence(self.database.file),
        )
        self._readers = Readers(_READERS)
        self.patience = Patience(self._answers)
        self._long_readers = Readers(_LONG_READERS)
        self.longest_query = _LONGEST_QUERY
        self._doorbell: Doorbell | Notices | None = None
        self._lock: LockFile | None = None
        self._pulses = workers.Pulses(clock)
        self._setbacks = Setbacks()
        self._closing: asyncio.Task[None] | None = None
        self._has_left = False

    def _answers(self) -> int:
        """How often the database has answered anything."""
        return self._writer.answers + self._readers.answers

    @property
    def files_folder(self) -> Path | None:
        """Where large messages and lock files lie, beside the SQLite file."""
        file = self.database.file
        return None if file is None else file.with_name(file.name + ".files")

    async def open(self) -> None:
        """Bring the schema up to date and start; raise ConfigurationError or StoreError."""
        try:
            await self._open()
        except BaseException as error:
            await uninterrupted(self._release())
            if not isinstance(error, SQLAlchemyError):
                raise
            url = without_secrets(str(self.database.url))
            raise StoreError(f"database {url}: cannot be opened: {words(error)}") from error

    async def _open(self) -> None:
        # A thread goes on when its wait is cancelled, and would open what has just been closed.
        await uninterrupted(in_thread(schema.ensure, self.database))
        if self._turns is not None and self.files_folder is not None:
            self.files_folder.mkdir(mode=0o700, exist_ok=True)
            self._turns.open()
        await uninterrupted(in_thread(self._writer.start))
        self._readers.start()
        self._long_readers.start()
        self.bell.attach()
        if self.database.file is not None and self.files_folder is not None:
            self._lock = LockFile(workers.lock_path(self.files_folder, self.worker_id))
            self._doorbell = Doorbell(self.database.file, str(self.worker_id))
            self._doorbell.listen(self.bell.ring)
        else:
            self._doorbell = _notices(self.database.writer)
            await uninterrupted(in_thread(self._doorbell.listen, self.bell.ring_from_thread))
        self.identity = await self.write(token_keys.identity)
        self.database.remember(self.identity)
        self.keys = await self.read(token_keys.load, self.identity)
        if self._bucket is not None:
            self._bucket.belong_to(self.identity)
        await self.write(workers.register, self.worker_id, self.clock.beat())

    @property
    def secret(self) -> bytes:
        """The key that signs what this database hands out: addresses, ids, links, page tokens."""
        return self.keys.signing(self.clock.now())

    async def close(self) -> None:
        """Finish what is queued, give back what is leased, close; leave a server that is silent.

        What had its answer is stored. Others take over what this process has leased.
        """
        closing = self._closing = asyncio.create_task(self._finish())
        if self.database.links is not None:
            await self._answered(closing)
            if not closing.done():
                self._leave(self.database.links)
                if not (await asyncio.wait({closing}, timeout=_CUT_SECONDS))[0]:
                    return
        await closing

    async def _answered(self, closing: asyncio.Task[None]) -> None:
        """Return when it is closed, or the database has answered nothing for a while."""
        silence = min(_SILENCE_SECONDS, self.patience.seconds)
        seen = -1
        while not closing.done() and seen != self._answers():
            seen = self._answers()
            await asyncio.wait({closing}, timeout=silence)

    def _leave(self, links: Links) -> None:
        """Break the connections, for whose answers threads wait; say what that leaves undone."""
        undone = self._writer.give_up()
        if undone or not self._has_left:
            log.error(
                "the database does not answer: closed without it; changes that this process had "
                "not stored: %d; what it has leased is taken over by others, or by the next start",
                undone,
            )
        else:
            log.warning("closed without waiting for queries that have no answer yet")
        if self._doorbell is not None and not isinstance(self._doorbell, Doorbell):
            self._doorbell.stop()
        links.cut()

    async def _finish(self) -> None:
        """Close in this order: what has ended would be given back, and done once more."""
        self._writer.refuse()
        with contextlib.suppress(StoreError, SQLAlchemyError):
            await in_thread(self._writer.stop, partial(workers.leave, workers=[self.worker_id]))
            self._has_left = True
        await self._release()

    async def _release(self) -> None:
        """Close what is open."""
        self._writer.refuse()
        for readers in (self._readers, self._long_readers):
            readers.stop()
        for readers in (self._readers, self._long_readers):
            await in_thread(readers.join)
        await in_thread(self._writer.stop)
        if self._turns is not None:
            self._turns.close()
        for place in (self._bucket, self._chunks):
            if place is not None:
                await in_thread(place.close)
        if isinstance(self._doorbell, Doorbell):  # which belongs to this event loop
            self._doorbell.close()
        elif self._doorbell is not None:
            await in_thread(self._doorbell.close)
        if self._lock is not None:
            self._lock.close()
        self.database.close()

    async def write(
        self, function: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a unit of work; return once it is committed and on the disk."""
        return await self._writer.run(partial(_applied, function, args, kwargs))

    async def write_lightly(
        self, function: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Like ``write`` without an fsync of its own: for leases and heartbeats."""
        return await self._writer.run(partial(_applied, function, args, kwargs), durable=False)

    async def write_grouped(self, function: Callable[[Tx, list[Any]], Sequence[T]], item: Any) -> T:
        """Like ``write``; units of the same function that meet run as one on a list."""
        return await self._writer.run_grouped(function, item)

    async def write_each(
        self, function: Callable[[Tx, list[Any]], Sequence[T]], items: Sequence[Any]
    ) -> list[T | BaseException]:
        """Run a grouped unit for each item; return results and errors in their order."""
        units = [self._writer.run_grouped(function, item) for item in items]
        return await asyncio.gather(*units, return_exceptions=True)

    async def read(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a query in a reader thread."""
        return await self._asked(self._readers, lambda c: function(c, *args, **kwargs))

    async def read_at_length(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a query that may take long, such as a search: only others of its kind wait for it.

        Raise TooLong when it takes more than ``longest_query`` s.
        """
        query = Breakable(self.longest_query)

        def limited(connection: Connection) -> T:
            return query.run(connection, lambda: function(connection, *args, **kwargs))

        return await query.watch(self._asked(self._long_readers, limited))

    async def _asked(self, readers: Readers, query: Callable[[Connection], T]) -> T:
        def work() -> T:
            with self.database.reader.connect() as connection:
                return query(connection)

        try:
            return await readers.run(work)
        except SQLAlchemyError as error:
            kind = TooSlow if is_slow(error) else StoreError
            raise kind(f"the database refused a query: {words(error)}") from error

    def _committed(self, topics: set[str], leased: list[Job]) -> None:
        if topics:
            self.bell.ring_from_thread(topics)
        if leased:
            self.bell.call_from_thread(self.takers.hand, leased)
        shared = topics.intersection(TOPICS)
        if self._doorbell is not None and shared:
            self._doorbell.ring(shared)

    async def keep_alive(self) -> None:
        """Beat every two seconds, bury dead workers, and notice commits whose ring was lost."""
        async with anyio.create_task_group() as tasks:
            if self.database.file is not None:
                tasks.start_soon(self._look_out)
            tasks.start_soon(self.beat_on)

    async def beat_on(self) -> None:
        """Beat every two seconds."""
        while True:
            with contextlib.suppress(StoreError):  # ``/readyz`` says when it lasts
                await self.show_life()
                await self.give_up_leases()
            if self.database.file is None:  # which tells nobody whether it has changed
                self.bell.ring(TOPICS)
            await anyio.sleep(BEAT_SECONDS)

    async def _look_out(self) -> None:
        """Notice what other processes change, and copy the WAL: no beat waits for that."""
        watch = Watch(self.database)
        try:
            while True:
                if await in_thread(watch.changed):
                    self.bell.ring(TOPICS)
                    await in_thread(watch.checkpoint)
                await anyio.sleep(BEAT_SECONDS)
        finally:
            watch.close()

    async def give_up_leases(self) -> None:
        """Free the jobs whose lease broke off in its commit: stored, perhaps, and given to nobody.

        And those that were handed over as this process began to stop. Only it could free them: to
        the others it lives, and so do its leases.
        """
        if doubted := self.takers.doubted():
            await self.write_lightly(jobs.give_up, self.worker_id, doubted)
            self.takers.given_up(doubted)
        if unused := self.takers.unused():
            await self.write_lightly(jobs.give_back, unused, due_at=None, error="", blameless=True)
            self.takers.forget(unused)

    async def show_life(self) -> None:
        """Beat once; how silent others were then counts only if it could be written."""
        await self.write_lightly(self.beat)
        self._pulses.keep()
        self._setbacks.keep()

    def beat(self, tx: Tx) -> None:
        """Say that this process lives, bury those that do not, look at the keys."""
        now = self.clock.beat()
        if not workers.beat(tx, self.worker_id, now):  # buried while this machine slept
            workers.register(tx, self.worker_id, now)
        if self._lock is not None:
            self._lock.keep()
        workers.bury(tx, now, locks=self.files_folder, myself=self.worker_id, pulses=self._pulses)
        self._setbacks.mend(tx, self.clock.now())
        self.keys = token_keys.load(tx.connection, self.identity)  # somebody may have rotated them


def open_bucket(url: str, options: Mapping[str, str]) -> Objects:
    """Open the bucket of large messages; raise ConfigurationError for what cannot be."""
    try:
        from .objects import Objects  # of the extra ``s3``: only who has a bucket needs it
    except ImportError as error:
        raise ConfigurationError(
            f"object_store: {error.name or 'obstore'} is missing; pip install 'inboxkit[s3]'"
        ) from None
    return Objects(url, options)


def _notices(engine: Engine) -> Notices:
    from .notices import Notices  # needs the driver, which an extra brings

    return Notices(engine, TOPICS)


def _applied(
    function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any], tx: Tx
) -> T:
    return function(tx, *args, **kwargs)
