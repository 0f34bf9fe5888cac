"""The transactions of the writer: what a unit of work is given, and the SAVEPOINTs of units."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from . import driver
from .refusals import is_fatal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from sqlalchemy import Connection

    from .leased import Job
    from .takers import Takers

_HURRY = "SET LOCAL lock_timeout TO '100ms'"
_TAKE_TURNS = "SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) AS number"


@dataclass(slots=True)
class Tx:
    """The open transaction that a unit of work runs in.

    ``wake`` names what the commit makes ready (a job kind, "event"); it is told after the commit,
    and ``leased``, jobs for this process's own steps, are handed over then.
    """

    connection: Connection
    takers: Takers | None = None
    woken: set[str] = field(default_factory=set[str])
    leased: list[Job] = field(default_factory=list["Job"])
    leases: set[int] = field(default_factory=set[int])  # their tokens, and those of claims
    is_committing: bool = False
    ended: int = 0  # of its statements, by the server, as they took too long
    is_hurried: bool = False  # it has waited in vain for a lock, and waits for no other as long

    def wake(self, *topics: str) -> None:
        self.woken.update(topics)

    def forget(self, woken: Iterable[str] = (), leased: Iterable[Job] = ()) -> None:
        """Tell nobody what was undone: only what is given here."""
        self.woken, self.leased = set(woken), list(leased)

    def take_turns(self, numbers: Iterable[int]) -> None:
        """Let no other transaction do the same for one of these numbers until this one ends.

        For what is decided by many rows together. SQLite has one writer at a time anyway.
        """
        if self.connection.dialect.name == "postgresql":
            wanted = sorted(set(numbers))  # in one order, or two would wait for each other
            self.connection.exec_driver_sql(_TAKE_TURNS, (wanted,))


class Gone(Exception):
    """A unit could not be undone: the transaction went with it."""


@contextmanager
def begun(tx: Tx, *, durable: bool) -> Generator[None]:
    """Begin a transaction and commit it."""
    with tx.connection.begin():
        if not durable and tx.connection.dialect.name == "postgresql":
            tx.connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
        if tx.is_hurried:
            hurry(tx)
        yield
        tx.is_committing = True


def hurry(tx: Tx) -> None:
    """Wait for no lock as long again: what else is in the transaction would wait each time.

    Whoever holds one for seconds holds what many units want, and the others stand behind them.
    """
    tx.is_hurried = True
    tx.connection.exec_driver_sql(_HURRY)


@contextmanager
def savepoint(connection: Connection) -> Generator[None]:
    """Undo what is done within when it fails; SQLAlchemy's own costs as much as a small unit."""
    driver.change(connection, "SAVEPOINT unit")
    try:
        yield
    except BaseException as error:
        if isinstance(error, DBAPIError) and is_fatal(error):
            raise  # there is no transaction any more
        try:
            driver.change(connection, "ROLLBACK TO SAVEPOINT unit")
            driver.change(connection, "RELEASE SAVEPOINT unit")
        except DBAPIError as lost:
            raise Gone(str(lost)) from error
        raise
    driver.change(connection, "RELEASE SAVEPOINT unit")
