"""Which processes live: a row with a heartbeat, and on SQLite a lock file that dies with them."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select, update

from . import jobs
from .filelock import try_lock
from .tables import job, worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..clock import Clock
    from .transactions import Tx

BEAT_SECONDS = 2.0
DEAD_AFTER = timedelta(seconds=10)
_LOOK_SECONDS = 1.25 * BEAT_SECONDS  # of silence at most, that a look adds


class LockFile:
    """A file locked for the life of this process: whoever gets the lock knows that it is dead."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._locked()

    def _locked(self) -> IO[bytes]:
        file = self._path.open("wb")
        with suppress(OSError):
            try_lock(file)
        return file

    def keep(self) -> None:
        """Make it again when others, who took this process for dead, have deleted it.

        In a transaction: nobody else looks at locks meanwhile, not before it is locked.
        """
        if not self._path.exists():
            self._file.close()
            with suppress(OSError):  # the folder is gone as well: silence alone tells then
                self._file = self._locked()

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
            return try_lock(file)
    except OSError:
        return False


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
    """For how long the beats of others have not changed, by our own monotonic clock.

    Wall clocks jump, and those of two hosts differ: a living worker must not be buried for that.
    Silence is added up from look to look, hardly more than a beat for each: while we could not
    look, or not write, the others could not either (the database was gone, the disk full, the
    machine paused). When that is over each has several looks of ours to beat again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept = self._look = _Look(clock.seconds(), {})

    def still(self, beats: Mapping[int, datetime | None]) -> set[int]:
        """Look once; return whose silence has lasted for ``DEAD_AFTER``.

        None is the beat of a worker that has none.
        """
        at = self._clock.seconds()
        passed = min(at - self._kept.at, _LOOK_SECONDS)
        silences = {i: self._silence(i, beat_at, passed) for i, beat_at in beats.items()}
        self._look = _Look(at, {i: (beats[i], silence) for i, silence in silences.items()})
        return {i for i, silence in silences.items() if silence > DEAD_AFTER.total_seconds()}

    def _silence(self, worker_id: int, beat_at: datetime | None, passed: float) -> float:
        known = self._kept.heard.get(worker_id)
        return 0.0 if known is None or known[0] != beat_at else known[1] + passed

    def keep(self) -> None:
        """Let the last look count: what was written with it is stored."""
        self._kept = self._look


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found at a moment: of each worker its beat, and for how long it was the same."""

    at: float
    heard: Mapping[int, tuple[datetime | None, float]]


def bury(
    tx: Tx, now: datetime, *, locks: Path | None, myself: int, pulses: Pulses | None = None
) -> list[int]:
    """Take dead workers out and free what they held; return their ids.

    Without ``pulses`` a worker is dead that has not beaten for ``DEAD_AFTER`` before ``now``.
    """
    beats = _beats(tx.connection)
    if pulses is None:
        gone = {i for i, at in beats.items() if at is None or now - at > DEAD_AFTER}
    else:
        gone = pulses.still(beats)
    if locks is not None:
        gone |= {i for i in beats if i != myself and is_dead(lock_path(locks, i))}
    dead = sorted(gone - {myself})
    leave(tx, dead)
    if locks is not None:
        for worker_id in dead:
            lock_path(locks, worker_id).unlink(missing_ok=True)
    return dead


def _beats(connection: Connection) -> dict[int, datetime | None]:
    """Return the last beat of each worker; None for one that holds jobs and has no row.

    It was buried, leased more before it noticed, and will register again unless it has died. The
    index of leased jobs by worker tells who holds any, however many others wait.
    """
    holding = select(job.c.worker_id).where(job.c.worker_id.is_not(None)).distinct()
    found: dict[int, datetime | None] = dict.fromkeys(connection.execute(holding).scalars())
    rows = connection.execute(select(worker.c.id, worker.c.beat_at))
    return found | {row.id: row.beat_at for row in rows}


def leave(tx: Tx, workers: Sequence[int]) -> None:
    """Take workers out and give back what they held."""
    if workers:
        jobs.release(tx, workers)
        tx.connection.execute(delete(worker).where(worker.c.id.in_(workers)))
