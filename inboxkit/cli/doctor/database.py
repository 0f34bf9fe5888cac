"""The database and the disk it lies on, the clock, and how the work that is stored there goes."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ... import matching
from ...errors import ConfigurationError, StoreError
from ...http.app import check_bind
from ...settings import without_secrets
from ...store import api_keys, domains, examination, inboxes, limits, schema
from ...store.database import sqlite_file
from ...store.examination import seen
from ...store.workers import DEAD_AFTER
from ..serving import HTTP, without_inbox
from .points import fault, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ...router import Router
    from ...settings import Settings
    from ...store.domains import DomainRecord
    from .points import Point

_MB = 1024 * 1024
_LEAST_FREE, _ENOUGH_FREE = 100 * _MB, 1024 * _MB
_SLOW_SYNC = 0.05  # seconds
_SYNCS = 5
_APART = timedelta(seconds=2)
_LONG, _TOO_LONG = timedelta(minutes=1), timedelta(minutes=15)
_OTHERS = 0o077
# A large mail, a purge or a checkpoint of the server may take seconds.
_LEAST = {
    "statement_timeout": timedelta(seconds=30),
    "transaction_timeout": timedelta(seconds=60),
    "idle_in_transaction_session_timeout": timedelta(seconds=5),
    "lock_timeout": timedelta(seconds=1),
}


def disk(settings: Settings) -> Iterator[Point]:
    """Whether the folder of an SQLite file can be written and has room, and how fast it is."""
    file = sqlite_file(settings.database)
    if file is None:
        return
    folder = _existing(file.absolute().parent)
    try:
        took, apart = _synced(folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        said = f"{folder} cannot be written: {error.strerror or error}"
        yield fault("disk", said, "give the user of this process the folder, or room")
        return
    yield _room(folder, free)
    yield _speed(took)
    yield _clock("the file system's", apart)
    if file.is_file() and os.name == "posix" and file.stat().st_mode & _OTHERS:
        said = f"others on this machine may read {file}, with mail, codes and keys"
        yield warning("permissions", said, f"chmod 600 {file}")


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there: the start makes the rest."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _synced(folder: Path) -> tuple[float, timedelta]:
    """Return how long an fsync takes, and how far the file system's clock is ahead.

    The file has no name that stays: it is gone when it is closed.
    """
    took: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
        apart = os.fstat(file.fileno()).st_mtime - time.time()
    return statistics.median(took), timedelta(seconds=apart)


def _room(folder: Path, free: int) -> Point:
    said, fix = f"{free // _MB} MB are free in {folder}", "make room: inboxkit purge, keep_days"
    if free < _LEAST_FREE:
        return fault("free space", said, fix)
    return warning("free space", said, fix) if free < _ENOUGH_FREE else ok("free space", said)


def _speed(took: float) -> Point:
    said = f"{took * 1000:.2f} ms"
    if took < _SLOW_SYNC:
        return ok("fsync", said)
    return warning("fsync", f"{said}: mail is accepted as slowly", "use a faster disk")


def _clock(whose: str, apart: timedelta) -> Point:
    seconds = apart.total_seconds()
    said = f"{abs(seconds):.1f} s {'behind' if seconds > 0 else 'ahead of'} {whose}"
    if abs(apart) < _APART:
        return ok("clock", f"goes with {whose}")
    return warning("clock", f"this machine's is {said}", "synchronize the clocks (NTP)")


def database(
    settings: Settings, routers: Sequence[Router[...]], names: Sequence[str]
) -> tuple[list[Point], dict[str, DomainRecord]]:
    """Look at the database and at the work in it; return also the domains of these names in it."""
    url, file = settings.database, sqlite_file(settings.database)
    known: dict[str, DomainRecord] = {}
    if file is not None and not file.is_file():
        told = [ok("database", f"{file} is not there yet: the first start makes it")]
        return [*told, *_open_port(settings, has_keys=False)], known
    found: list[Point] = []
    try:
        with seen(url) as connection:
            found += _itself(connection, url)
            version = schema.current(connection)
            if not schema.works_with(connection, version):
                return found, known
            for look in (_durable, _limits, _times, _work):
                found += look(connection)
            found += _open_port(settings, has_keys=api_keys.were_made(connection))
            found += _inboxes(connection, settings, routers)
            stored = ((name, domains.by_name(connection, name)) for name in names)
            known |= {name: record for name, record in stored if record is not None}
    except (ConfigurationError, StoreError) as error:
        what = "server up" if file is None else "file a database of ours that is whole"
        found.append(fault("database", str(error), f"is the {what}, and the URL right?"))
    return found, known


def _itself(connection: Connection, url: str) -> Iterator[Point]:
    version = schema.current(connection)
    yield ok("database", f"{without_secrets(url)} can be read")
    if schema.works_with(connection, version):
        if version == schema.HEAD:
            yield ok("schema", version)
        else:
            said = f"{version} is newer than this inboxkit ({schema.HEAD}), and made for it too"
            yield warning("schema", said, "upgrade inboxkit soon")
        if examination.is_restored(connection):
            said = "it was restored from another server, whose transactions it waits for"
            yield fault("event log", said, "inboxkit db upgrade")
    elif version > schema.HEAD:
        said = f"{version} is newer than this inboxkit ({schema.HEAD}), and not made for it"
        yield fault("schema", said, "upgrade inboxkit")
    elif connection.dialect.name == "sqlite":
        said = f"{version or 'none'}; this inboxkit needs {schema.HEAD}"
        yield warning("schema", f"{said}: the start upgrades it", "or now: inboxkit db upgrade")
    else:
        said = f"{version or 'none'}; this inboxkit needs {schema.HEAD}"
        yield fault("schema", said, "inboxkit db upgrade")
        return
    refused = examination.write_refusal(connection) if version else ""
    if "locked" in refused:
        said = f"{refused}: another process holds it for longer than any of ours does"
        yield warning("writes", said, "is a copy being made, or a shell of SQLite open in it?")
    elif refused:
        yield fault("writes", refused, "give the user of this process the right to write")
    else:
        yield ok("writes", "can be made")


def _durable(connection: Connection) -> Iterator[Point]:
    for name, value in examination.durability(connection).items():
        said = f"{name} = {value}"
        if name == "journal_mode" and value != "wal":
            yield warning("durability", said, "the next start sets it to wal; does its disk lock?")
        elif value == "off":
            lost = f"{said}: what was acknowledged may be lost in a crash"
            where = (
                "for the server or the role" if name == "synchronous_commit" else "for the server"
            )
            yield fault("durability", lost, f"set {name} = on {where}")
        else:
            yield ok("durability", said)


def _limits(connection: Connection) -> Iterator[Point]:
    """Whether somebody lets the server end what takes its time now and then."""
    found = examination.limits(connection)
    short = [name for name, least in _LEAST.items() if found.get(name, least) < least]
    for name in short:
        said = f"{name} = {found[name].total_seconds():g} s: what takes longer is tried again"
        fix = f"ALTER ROLE ... SET {name} = '{_LEAST[name].seconds}s', or more; 0 is no limit"
        yield warning("limits", said, fix)
    if found and not short:
        yield ok("limits", "statements and transactions have the time that they need")


def _times(connection: Connection) -> Iterator[Point]:
    begun = datetime.now(UTC)
    server = examination.servers_time(connection)
    now = datetime.now(UTC)
    if server is not None:
        yield _clock("the database's", server - begun - (now - begun) / 2)
    last = examination.last_at(connection)
    if last is not None and last - now > _APART:
        said = f"the last event is of {last:%Y-%m-%d %H:%M:%S} UTC, which is yet to come"
        yield warning("clock", said, "set this machine's clock (NTP): it went back, or is behind")


def _work(connection: Connection) -> Iterator[Point]:
    now = datetime.now(UTC)
    found = examination.work(connection, now - DEAD_AFTER)
    yield ok("processes", f"{found.living} at work on this database")
    waiting = examination.overdue(connection, now - _LONG)
    for jobs in waiting:
        late = now - jobs.since
        said = f"{jobs.count} {jobs.kind} due since {str(late).partition('.')[0]} h"
        if not found.living:
            yield warning("jobs", f"{said}, and nobody is at work", "start: inboxkit run")
        elif late < _TOO_LONG:
            yield warning("jobs", said, "is there more to do than can be done? see docs/scale.md")
        else:
            fix = "does a process with the role worker have its handlers? see its log"
            yield fault("jobs", said, fix)
    if not waiting:
        yield ok("jobs", "none waits for longer than a minute")
    if found.stale:
        fix = "a process that runs frees them within 10 s; if none does: inboxkit run"
        yield warning("leases", f"{found.stale} jobs are held by processes that are gone", fix)
    else:
        yield ok("leases", "all are held by processes that live")
    yield _counted(
        "Runs", found.failed, "failed", "inboxkit runs --failed, then inboxkit replay --failed"
    )
    yield from _held_back(connection, now)
    fix = "inboxkit messages -q state:unknown, then inboxkit resolve ID sent|retry"
    yield _counted("sends", found.unknown, "of unknown outcome", fix)


def _held_back(connection: Connection, now: datetime) -> Iterator[Point]:
    """Whether a provider is given nothing at present, and why."""
    for name, shut in limits.circuits(connection).items():
        if shut.until > now:
            said = (
                f"{name} is given nothing until {shut.until:%Y-%m-%d %H:%M:%S} UTC: {shut.reason}"
            )
            if shut.wrong_settings:
                yield fault("sends", said, "put its settings right, and restart the workers")
            else:
                yield warning("sends", said, "it is tried again by itself; is the provider up?")


def _counted(check: str, count: int, what: str, fix: str) -> Point:
    return warning(check, f"{count} {what}", fix) if count else ok(check, f"none {what}")


def _open_port(settings: Settings, *, has_keys: bool) -> Iterator[Point]:
    """Whether others could reach a server that asks for no key."""
    served = settings.model_copy(update={"http": settings.http or HTTP})
    try:
        check_bind(served, has_keys=has_keys)
    except ConfigurationError as error:
        yield fault("API key", str(error), "inboxkit key create NAME")


def _inboxes(
    connection: Connection, settings: Settings, routers: Sequence[Router[...]]
) -> Iterator[Point]:
    if settings.any_recipient or settings.catch_all:
        return
    known = [record.address for record in inboxes.everything(connection)]
    for router, pattern, address in without_inbox(routers, known, settings.domain):
        said = f"{router.name}: no inbox matches to={pattern!r}"
        yield warning("inboxes", said, f"inboxkit inbox create {address}")
    for one, other in matching.overlapping(routers):
        yield warning(
            "handlers", f"{one.id} and {other.id} may both answer a message", "narrow to="
        )
