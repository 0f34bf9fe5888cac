"""Large messages in PostgreSQL, parted among rows, so that no reader holds one as a whole.

The rows are there before the row of the message that names them. They belong to one message and
are never changed. Rows that no message names are orphans of a crash; they are swept when a day old.
"""

from __future__ import annotations

import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from ..errors import StoreError
from .blobs import ROWS, Unreadable
from .columns import Moment, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator

    from sqlalchemy import Connection, Engine

log = logging.getLogger("inboxkit.chunks")
_PIECE_BYTES = 512 * 1024
_PORTION = 100  # messages whose rows are deleted at once
_ORPHAN_AGE = timedelta(days=1)
_QUICKLY = text("SET synchronous_commit TO off")
_DURABLY = text("RESET synchronous_commit")
chunk = Table(
    "inboxkit_chunk",
    metadata,
    Column("name", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
)
_PIECE = select(chunk.c.data).where(
    chunk.c.name == bindparam("name"), chunk.c.number == bindparam("number")
)


def _now() -> datetime:
    return datetime.now(UTC)


class Chunks:
    """Rows for large messages. All methods but ``remove`` block: call them in threads."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = _now) -> None:
        """``engine`` commits each statement: a transaction as long as an upload delays events."""
        self._engine = engine
        self._now = now
        self._deleting = ThreadPoolExecutor(1, "inboxkit-chunks")

    def write(self, pieces: Iterator[bytes]) -> str:
        """Store the pieces durably and return their location; raise StoreError.

        Only the last commit waits for the disk; that of all before is done with it.
        """
        name, created_at = secrets.token_hex(16), self._now()
        with _speaking("takes no message"), self._engine.connect() as connection:
            try:
                connection.execute(_QUICKLY)
                for number, (data, is_last) in enumerate(_parted(pieces)):
                    if is_last:
                        connection.execute(_DURABLY)
                    row = {"name": name, "number": number, "data": data, "created_at": created_at}
                    connection.execute(insert(chunk), [row])
            except BaseException:
                connection.invalidate()  # or the next to use it would not be durable
                raise
        return ROWS + name

    def read(self, location: str) -> Iterator[bytes]:
        """Iterate over the bytes, a row at a time; raise Unreadable or StoreError."""
        name, number = location.removeprefix(ROWS), 0
        while (data := self._piece(name, number)) is not None:
            yield data
            number += 1
        if not number:
            raise Unreadable(f"no rows {name} in the database")

    def _piece(self, name: str, number: int) -> bytes | None:
        with _speaking("cannot be read"), self._engine.connect() as connection:
            return connection.execute(_PIECE, {"name": name, "number": number}).scalar()

    def remove(self, locations: Collection[str]) -> None:
        """Delete rows soon, in another thread; what fails is swept when it is a day old."""
        names = [location.removeprefix(ROWS) for location in locations]
        if names:
            self._deleting.submit(self._delete_softly, names)

    def _delete_softly(self, names: list[str]) -> None:
        try:
            self._delete(names)
        except StoreError as error:
            log.warning("the rows of %s messages are left to be swept: %s", len(names), error)

    def _delete(self, names: list[str]) -> None:
        with _speaking("deletes nothing"), self._engine.connect() as connection:
            for start in range(0, len(names), _PORTION):
                gone = chunk.c.name.in_(names[start : start + _PORTION])
                connection.execute(delete(chunk).where(gone))

    def sweep(self, known: Collection[str]) -> int:
        """Delete what is a day old and named by no message; return how many there were."""
        with _speaking("cannot be listed"), self._engine.connect() as connection:
            orphans = [name for name in self._old(connection) if ROWS + name not in known]
        self._delete(orphans)
        return len(orphans)

    def _old(self, connection: Connection) -> list[str]:
        old = chunk.c.created_at < self._now() - _ORPHAN_AGE
        return list(connection.execute(select(chunk.c.name).where(old).distinct()).scalars())

    def close(self) -> None:
        """Finish the deletions that are under way."""
        self._deleting.shutdown()


def _parted(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Iterate over the same bytes in rows' sizes, and whether it is the last."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) > _PIECE_BYTES:
            yield bytes(waiting[:_PIECE_BYTES]), False
            del waiting[:_PIECE_BYTES]
    yield bytes(waiting), True


@contextmanager
def _speaking(what: str) -> Generator[None]:
    """Raise what goes wrong as StoreError."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise StoreError(f"the database {what}: {type(cause).__name__}") from error
