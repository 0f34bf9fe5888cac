"""The transactions of the writer, and the SAVEPOINTs of the units in them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from . import driver
from .refusals import is_fatal

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import Connection

    from .writer import Tx

_HURRY = "SET LOCAL lock_timeout TO '100ms'"


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
