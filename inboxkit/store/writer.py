"""The writer thread: units of work, committed together, each in a SAVEPOINT of its own.

Group commit without linger: what is queued when the thread comes round (at most 256 units) shares
one transaction and one fsync. A unit that fails takes only itself back.
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy.exc import DBAPIError

from ..errors import StoreError
from .calls import called
from .refusals import LOOKS, Unsure, is_fatal, is_late, is_slow, may_pass, refusal
from .transactions import Gone, Tx, begun, hurry, savepoint
from .units import Result, Unit, deliver, place_in_batch, settling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Engine

    from .leased import Job
    from .presence import Presence
    from .takers import Takers
    from .turns import Turns

T = TypeVar("T")
_BATCH = 256
_MOST_ENDED = 3  # statements in one transaction
_GIVEN_UP = "the database is closed, and did not answer"
_PAUSES = (0.02, 0.05, 0.2, 0.5, 1.0, 2.0)


Shortcut: TypeAlias = "Callable[[Tx, list[Any]], Sequence[Any] | None]"


class _Failed(Exception):
    """Carries a unit's own exception out of the transaction that it was alone in."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Writer:
    """Makes every change of the database: one thread with one connection, on PostgreSQL several."""

    def __init__(
        self,
        engine: Engine,
        on_commit: Callable[[set[str], list[Job]], None],
        *,
        threads: int = 1,
        takers: Takers | None = None,
        shortcuts: Mapping[Callable[..., Any], Shortcut] | None = None,
        turns: Turns | None = None,
        presence: Presence | None = None,
    ) -> None:
        """``shortcuts`` do a whole batch of a grouped function in a transaction of their own."""
        self._engine = engine
        self._on_commit = on_commit
        self._takers = takers
        self._shortcuts = shortcuts or {}
        self._turns = turns
        self._presence = presence
        self._queue: queue.SimpleQueue[list[Unit] | None] = queue.SimpleQueue()
        self._waiting: dict[asyncio.AbstractEventLoop, list[Unit]] = {}
        self._number = threads
        self._is_over = False
        self._is_given_up = False
        self._begun: dict[int, int] = {}  # by thread, the durable units that are being committed
        self._threads: list[threading.Thread] = []
        self._durable = True
        self.answers = 0  # of the database, to whole batches

    def start(self) -> None:
        """Connect and begin; raise SQLAlchemyError when the database cannot be reached."""
        for number in range(self._number):
            thread = threading.Thread(
                target=self._work,
                args=(self._engine.connect(),),
                name=f"inboxkit-writer-{number}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    def refuse(self) -> None:
        """Take nothing from now on: StoreError. What was taken is finished by ``stop``."""
        self._is_over = True
        self._flush(asyncio.get_running_loop())

    def stop(self, last: Callable[[Tx], object] | None = None) -> None:
        """Finish what is queued, end the threads, then run ``last`` in a transaction.

        Raise StoreError or SQLAlchemyError when the database refuses that, or was given up.
        """
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        if last is not None:
            if self._is_given_up:
                raise StoreError(_GIVEN_UP)
            future: Future[object] = Future()
            with self._engine.connect() as connection:
                unit = Unit(last, (), False, True, settling(future), None)
                self._commit(connection, [unit])
            future.result()

    def give_up(self) -> int:
        """Refuse what is queued and try nothing again; return how many durable units are not done.

        Those of them that are under way end when their connections do.
        """
        self._is_given_up = True
        left: list[Unit] = []
        with suppress(queue.Empty):
            while True:
                left += self._queue.get_nowait() or []
        for _ in self._threads:
            self._queue.put(None)
        deliver(left, [(None, StoreError(_GIVEN_UP))] * len(left))
        return _durable(left) + sum(self._begun.values())

    async def run(self, function: Callable[..., T], *args: Any, durable: bool = True) -> T:
        """Run ``function(tx, *args)`` in a transaction; return when it is committed.

        ``durable=False`` spares the fsync for what may be lost with the machine's power, such as
        a lease. Raise StoreError when the database refuses, or what the function raised.
        """
        value: T = await self._submit(function, args, grouped=False, durable=durable)
        return value

    async def run_grouped(self, function: Callable[[Tx, list[Any]], Sequence[T]], item: Any) -> T:
        """Like ``run``, but units of the same function in one batch run as one call on a list."""
        value: T = await self._submit(function, (item,), grouped=True, durable=True)
        return value

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run a unit from another thread, blocking until it is committed."""
        future: Future[T] = Future()
        self._queue.put([Unit(function, args, False, True, settling(future), None)])
        return future.result()

    async def _submit(
        self, function: Callable[..., Any], args: tuple[Any, ...], *, grouped: bool, durable: bool
    ) -> Any:
        if self._is_over:
            raise StoreError("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def done(value: Any, error: BaseException | None) -> None:
            if future.done():  # the caller was cancelled; the work is committed all the same
                return
            future.set_result(value) if error is None else future.set_exception(error)

        self._hand_over(Unit(function, args, grouped, durable, done, loop), loop)
        return await future

    def _hand_over(self, unit: Unit, loop: asyncio.AbstractEventLoop) -> None:
        """Give the thread what one turn of the loop has brought, so that it shares a commit."""
        waiting = self._waiting.setdefault(loop, [])
        waiting.append(unit)
        if len(waiting) == 1:
            loop.call_soon(self._flush, loop)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._queue.put(self._waiting.pop(loop, []))

    def _work(self, connection: Connection) -> None:
        with connection:
            while True:
                batch, last = self._take()
                self._begun[threading.get_ident()] = _durable(batch)
                for part in self._parts(batch):
                    self._commit(connection, part)
                self._begun[threading.get_ident()] = 0
                if last:
                    return

    def _parts(self, batch: list[Unit]) -> Iterator[list[Unit]]:
        """Yield what has a shortcut first: alone it is quick, and senders wait for it."""
        parts: tuple[list[Unit], list[Unit]] = ([], [])
        for unit in batch:
            parts[not (unit.grouped and unit.function in self._shortcuts)].append(unit)
        yield from filter(None, parts)

    def _take(self) -> tuple[list[Unit], bool]:
        units = self._queue.get()
        batch: list[Unit] = []
        while units is not None:
            batch += units
            if len(batch) >= _BATCH:
                return batch, False
            try:
                units = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, connection: Connection, batch: list[Unit]) -> None:
        tx = Tx(connection, self._takers)
        # Units of one batch wait for nothing of each other. In one order everywhere, so that
        # transactions that take turns at several things do not wait for each other in a circle.
        batch.sort(key=place_in_batch)
        try:
            results = self._persist(connection, tx, batch)
        except _Failed as failed:  # the only unit of its transaction; nothing was committed
            results = [(None, failed.error)]
            tx.forget()
        except Exception as error:  # noqa: BLE001 - the thread outlives whatever broke a batch
            results = [(None, refusal(error, committing=tx.is_committing))] * len(batch)
            tx.forget()
            if self._takers is not None:  # a commit that broke off may have been made
                self._takers.doubt(tx.leases)
        self.answers += 1
        deliver(batch, results)
        if tx.woken or tx.leased:
            self._on_commit(tx.woken, tx.leased)

    def _persist(self, connection: Connection, tx: Tx, batch: list[Unit]) -> Sequence[Result]:
        """Run a batch; again when another process was in its way or the server went away.

        When it went during the commit, nobody knows what became of it, and it is not repeated.
        """
        durable = any(unit.durable for unit in batch)
        for attempt, pause in enumerate(_PAUSES):
            try:
                return self._once(connection, tx, batch, durable)
            except DBAPIError as error:
                passes = may_pass(error, attempt, committing=tx.is_committing)
                if self._is_given_up or not passes:
                    raise
                tx.forget()
                time.sleep(pause * random.uniform(0.5, 1.5))  # not in step with the other
        return self._once(connection, tx, batch, durable)

    def _once(
        self, connection: Connection, tx: Tx, batch: list[Unit], durable: bool
    ) -> Sequence[Result]:
        tx.is_committing = False
        self._set_durable(connection, durable)
        with nullcontext() if self._turns is None else self._turns.mine():
            if self._presence is not None:
                self._presence.check()
            results = self._together(connection, tx, batch, durable)
            return results or self._apart(connection, tx, batch, durable)

    def _together(
        self, connection: Connection, tx: Tx, batch: list[Unit], durable: bool
    ) -> Sequence[Result] | None:
        """Run a batch of one grouped function without SAVEPOINT; None when it must be undone."""
        function = batch[0].function
        if not all(unit.grouped and unit.function == function for unit in batch):
            return None
        items = [unit.args[0] for unit in batch]
        try:
            shortcut = self._shortcuts.get(function)
            values = shortcut(tx, items) if shortcut else None
            if values is None:
                with begun(tx, durable=durable):
                    values = function(tx, items)
            return [(value, None) for value in values]
        except Exception as error:  # which of them it was is found out one by one
            if isinstance(error, Unsure) or (isinstance(error, DBAPIError) and is_fatal(error)):
                raise
            tx.forget()
            tx.is_hurried = isinstance(error, DBAPIError) and is_late(error)
            return None

    def _apart(
        self, connection: Connection, tx: Tx, batch: list[Unit], durable: bool
    ) -> Sequence[Result]:
        tx.is_committing = False
        with begun(tx, durable=durable):
            return list(self._run_all(tx, batch))

    def _set_durable(self, connection: Connection, durable: bool) -> None:
        """Skip the fsync of a commit that may be lost; WAL keeps the order of what follows."""
        if connection.dialect.name != "sqlite" or durable == self._durable:
            return
        level = "FULL" if durable else "NORMAL"
        assert connection.connection.dbapi_connection is not None
        connection.connection.dbapi_connection.execute(f"PRAGMA synchronous={level}")
        self._durable = durable

    def _run_all(self, tx: Tx, batch: list[Unit]) -> Iterator[Result]:
        for function, group in groupby(batch, key=lambda u: u.function if u.grouped else u):
            units = list(group)
            if not units[0].grouped:
                yield self._alone(tx, units[0].function, units[0].args, only=len(batch) == 1)
            else:
                yield from self._grouped(tx, function, units)

    def _alone(
        self, tx: Tx, function: Callable[..., Any], args: tuple[Any, ...], *, only: bool = False
    ) -> Result:
        woken, leased = set(tx.woken), list(tx.leased)
        if tx.ended >= _MOST_ENDED:  # the others of the batch would wait as long for each
            return None, StoreError("the database is slow: it ended what came before")
        for attempt in range(LOOKS):
            try:
                if only:  # its own transaction takes it back: no SAVEPOINT needed
                    return called(function, tx, *args), None
                with savepoint(tx.connection):
                    return called(function, tx, *args), None
            except Gone:
                raise
            except DBAPIError as error:
                if only or is_fatal(error):
                    raise
                tx.forget(woken, leased)
                tx.ended += is_slow(error)
                if is_late(error):
                    hurry(tx)
                if not may_pass(error, attempt):
                    return None, refusal(error)
            except Exception as error:  # the caller of the unit gets it
                if only:
                    raise _Failed(error) from error
                tx.forget(woken, leased)
                return None, error
        raise AssertionError

    def _grouped(self, tx: Tx, function: Any, units: list[Unit]) -> Iterator[Result]:
        values, error = self._alone(tx, function, ([unit.args[0] for unit in units],))
        if error is None:
            yield from ((value, None) for value in values)
            return
        for unit in units:
            values, error = self._alone(tx, function, ([unit.args[0]],))
            yield (values[0] if error is None else None), error


def _durable(batch: Sequence[Unit]) -> int:
    return sum(unit.durable for unit in batch)
