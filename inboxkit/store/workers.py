"""Which processes live: a row with a heartbeat, and on SQLite a lock file that dies with them."""

from __future__ import annotations

import os
import socket
import time
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from . import jobs
from .tables import worker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .writer import Tx

BEAT_SECONDS = 2.0
DEAD_AFTER = timedelta(seconds=10)


class LockFile:
    """A file locked for the life of this process: whoever gets the lock knows that it is dead."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("wb")
        _lock(self._file)

    def close(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def lock_path(folder: Path, worker_id: int) -> Path:
    """Return where the lock of a worker lies."""
    return folder / f"worker-{worker_id}.lock"


def is_dead(path: Path) -> bool:
    """Whether the lock file's owner is gone; a missing file says nothing."""
    try:
        with path.open("r+b") as file:
            return _lock(file)
    except OSError:
        return False


def _lock(file: IO[bytes]) -> bool:
    try:
        if os.name == "nt":
            import msvcrt  # exists on Windows only

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl  # exists on Unix only

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def register(tx: Tx, worker_id: int, now: datetime) -> None:
    """Add this process's row."""
    row = {
        "id": worker_id,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started_at": now,
        "beat_at": now,
    }
    tx.connection.execute(insert(worker), [row])


def beat(tx: Tx, worker_id: int, now: datetime) -> bool:
    """Say that this process lives; False when others have declared it dead."""
    living = worker.c.id == worker_id
    return bool(tx.connection.execute(update(worker).where(living).values(beat_at=now)).rowcount)


class Pulses:
    """How long the beats of others have not changed, by our own monotonic clock.

    Wall clocks jump, and those of two hosts differ: a living worker must not be buried for that.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[datetime, float]] = {}

    def is_still(self, worker_id: int, beat_at: datetime, moment: float) -> bool:
        """Whether the last beat is the one that was seen ``DEAD_AFTER`` ago."""
        known = self._seen.get(worker_id)
        if known is None or known[0] != beat_at:
            self._seen[worker_id] = (beat_at, moment)
            return False
        return moment - known[1] > DEAD_AFTER.total_seconds()


def bury(
    tx: Tx, now: datetime, *, locks: Path | None, myself: int, pulses: Pulses | None = None
) -> list[int]:
    """Take dead workers out and free what they held; return their ids.

    Without ``pulses`` a worker is dead that has not beaten for ``DEAD_AFTER`` before ``now``.
    """
    dead: list[int] = []
    for worker_id, beat_at in tx.connection.execute(select(worker.c.id, worker.c.beat_at)):
        if pulses is None:
            gone = now - beat_at > DEAD_AFTER
        else:
            gone = pulses.is_still(worker_id, beat_at, time.monotonic())
        if not gone and locks is not None:
            gone = is_dead(lock_path(locks, worker_id))
        if gone and worker_id != myself:
            dead.append(worker_id)
    leave(tx, dead)
    for worker_id in dead if locks is not None else ():
        lock_path(locks, worker_id).unlink(missing_ok=True) if locks else None
    return dead


def leave(tx: Tx, workers: Sequence[int]) -> None:
    """Take workers out and give back what they held."""
    if workers:
        jobs.release(tx, workers)
        tx.connection.execute(delete(worker).where(worker.c.id.in_(workers)))
