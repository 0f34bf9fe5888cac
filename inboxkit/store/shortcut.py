"""Accepting on SQLite in one statement that commits itself.

The driver lets go of the GIL at every step of a statement and gets it back only when the event
loop pauses: a busy listener's commit of seven statements took several times what its work takes.
A temporary view of the writer's connection takes the rows of a mail, and its trigger does what
``arrivals.accept`` does for a mail with one copy.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError

from . import jobs
from .arrivals import Arrival, message_row, raw_row, read_job
from .blobs import Packed
from .bulk import BoundColumn, BoundRow
from .inboxes import DELETING, PAUSED
from .refusals import Unsure
from .tables import inbox, job, message, raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Column, Table

    from .leased import Job
    from .transactions import Tx

    Stored = list[tuple[int, bool]] | None

_SIZES = (1, 2, 4, 8, 16, 32)  # few, so that the driver's cache holds every statement
_ROWS_A_MAIL = 3  # message, raw, job
_IS_FRESH = (
    f"EXISTS (SELECT 1 FROM {inbox.name} WHERE id = NEW.inbox_id "
    f"AND status <> '{DELETING}') AND NOT EXISTS "
    f"(SELECT 1 FROM {message.name} WHERE dedupe = NEW.dedupe AND inbox_id = NEW.inbox_id)"
)
_PAUSED = f"SELECT status = '{PAUSED}' AS paused FROM {inbox.name} WHERE id = NEW.inbox_id"
# Where the columns come from that differ from mail to mail; all others are the same in every row.
_MESSAGE = {
    "id": "id",
    "inbox_id": "inbox_id",
    "message_id": "message_id",
    "dedupe": "dedupe",
    "mail_from": "mail_from",
    "rcpt_to": "rcpt_to",
    "trace": "trace",
    "received_at": "received_at",
    "size": "size",
    "sha256": "sha256",
    "created_at": "received_at",
    "updated_at": "received_at",
}
_RAW = {"message_id": "id", "data": "data", "location": "location"}
_JOB = {
    "id": "job_id",
    "key": "job_key",
    "inbox_id": "inbox_id",
    "queue": "inbox_id",
    "due_at": "received_at",
    "state": "job_state",
    "worker_id": "job_worker",
    "token": "job_token",
    "attempts": "job_attempts",
}
_READY = {"state": "'ready'", "worker_id": "NULL", "token": "NULL", "attempts": "0"}
_VIEW = "inboxkit_arriving"
# Changes nothing, and counts as a change: a lease that is not to be had is seen by their number.
# (Three would count as much as a mail that came again lacks; at most two are leased at birth.)
_NOT_LEASED = (
    f"UPDATE {job.name} SET state = state WHERE id = NEW.job_id AND state <> NEW.job_state;"
)
_COLUMNS = tuple(dict.fromkeys((*_MESSAGE.values(), *_RAW.values(), *_JOB.values())))
_PADDING = (None,) * len(_COLUMNS)
_DIALECT = sqlite.dialect()


def _bound(column: Column[Any], name: str = "") -> BoundColumn:
    return BoundColumn(
        name or column.name, column.type.dialect_impl(_DIALECT).bind_processor(_DIALECT), {}
    )


_SOURCES = {
    name: table.columns[column]
    for table, given in ((job, _JOB), (raw, _RAW), (message, _MESSAGE))
    for column, name in given.items()
}
_bound_row = BoundRow([_bound(_SOURCES[name], name) for name in _COLUMNS])
_SAMPLE = Arrival(
    id=0,
    inbox_id=0,
    received_at=datetime(2000, 1, 1, tzinfo=UTC),
    mail_from="",
    rcpt_to=(),
    packed=Packed(None, ""),
    size=0,
    sha256="",
)


def accept(tx: Tx, arrivals: Sequence[tuple[Arrival, ...]]) -> list[Stored] | None:
    """Store mails as ``arrivals.accept`` does, in a transaction of its own.

    None when they must go the long way: nothing was stored then. Raise OperationalError when the
    database refuses, Unsure when it stored them and does not say which of them are new.
    """
    mails = [mail for copies in arrivals for mail in copies]
    if not len(mails) == len(arrivals) <= _SIZES[-1] or any(map(_is_special, mails)):
        return None
    driver: Any = tx.connection.connection.dbapi_connection
    before = driver.total_changes
    works = [read_job(mail) for mail in mails]
    leased = jobs.lease_at_birth(tx, works)
    tx.is_committing = True  # the statement does
    try:
        _insert(driver, mails, [leased.get(work["id"], work) for work in works])
    except sqlite3.OperationalError as error:  # locked, full
        raise OperationalError("accepting", None, error) from error
    except sqlite3.Error:  # which of them it is, the long way finds out
        return None
    is_plain = driver.total_changes - before == _ROWS_A_MAIL * len(mails)
    tx.leased += map(jobs.born, leased.values()) if is_plain else _begun(driver, leased)
    if len(tx.leased) < len(mails):
        tx.wake("read")
    if is_plain:
        return [[(mail.id, False)] for mail in mails]
    try:
        return _told_apart(driver, mails)
    except sqlite3.Error as error:
        raise Unsure(f"accepted mail was not found again: {error}") from error


def _is_special(mail: Arrival) -> bool:
    return bool(mail.labels or mail.silent or mail.record)


def _begun(driver: sqlite3.Connection, leased: Mapping[int, Mapping[str, Any]]) -> Iterator[Job]:
    """Yield the jobs that are leased: not those of mails that were here before, or are to wait."""
    if not leased:
        return
    query = f"SELECT id FROM {job.name} WHERE id IN ({', '.join('?' * len(leased))})"
    try:
        rows = driver.execute(f"{query} AND state = 'leased'", list(leased)).fetchall()
    except sqlite3.Error:  # the mail is stored; whose lease is none finds out when it ends
        rows = [(row_id,) for row_id in leased]
    for (row_id,) in rows:
        yield jobs.born(leased[row_id])


def _insert(
    driver: sqlite3.Connection, mails: Sequence[Arrival], works: Sequence[Mapping[str, Any]]
) -> None:
    size = next(size for size in _SIZES if size >= len(mails))
    values = [value for pair in zip(mails, works, strict=True) for value in _values(*pair)]
    values += _PADDING * (size - len(mails))
    row = f"({', '.join('?' * len(_COLUMNS))})"
    statement = f"INSERT INTO {_VIEW} VALUES {', '.join([row] * size)}"
    try:
        driver.execute(statement, values).close()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        _prepare(driver)
        driver.execute(statement, values).close()


def _values(mail: Arrival, work: Mapping[str, Any]) -> list[Any]:
    row = {**raw_row(mail), **message_row(mail)}
    row |= {name: work[column] for column, name in _JOB.items() if name not in row}
    return _bound_row(row)


def _told_apart(driver: sqlite3.Connection, mails: Sequence[Arrival]) -> list[Stored]:
    """Return what became of each when some were here before or their inbox is gone."""
    ids = {row[0] for row in _find(driver, "id", [mail.id for mail in mails])}
    keys = [mail.dedupe for mail in mails if mail.id not in ids and mail.dedupe is not None]
    known = {(row[1], row[2]): row[0] for row in _find(driver, "dedupe", keys)}
    results: list[Stored] = []
    for mail in mails:
        first = known.get((mail.inbox_id, mail.dedupe))
        if mail.id in ids:
            results.append([(mail.id, False)])
        else:
            results.append(None if first is None else [(first, True)])
    return results


def _find(driver: sqlite3.Connection, column: str, values: Sequence[Any]) -> list[Any]:
    marks = ", ".join("?" * len(values))
    query = f"SELECT id, inbox_id, dedupe FROM {message.name} WHERE {column} IN ({marks})"
    return driver.execute(query, values).fetchall()


def _prepare(driver: sqlite3.Connection) -> None:
    """Make the view and its trigger; both belong to this connection and end with it."""
    nothing = ", ".join(f"NULL AS {name}" for name in _COLUMNS)
    driver.execute(f"CREATE TEMP VIEW {_VIEW} AS SELECT {nothing}").close()
    works = [read_job(_SAMPLE, is_paused=paused)["data"] for paused in (False, True)]
    awake, paused = (_literal(_bound(job.c.data).bound(work)) for work in works)
    work = _new(_JOB)  # of a paused inbox: to be claimed, as its data differs
    work |= {name: _unless_paused(work[name], ready) for name, ready in _READY.items()}
    work["data"] = _unless_paused(awake, paused)
    stored = (
        _copied(message, _new(_MESSAGE), message_row(_SAMPLE), _IS_FRESH),
        _copied(raw, _new(_RAW), raw_row(_SAMPLE), "changes() = 1"),
        _copied(job, work, read_job(_SAMPLE), "changes() = 1", source=f"FROM ({_PAUSED})"),
        _NOT_LEASED,
    )
    driver.execute(
        f"CREATE TEMP TRIGGER {_VIEW}_mail INSTEAD OF INSERT ON {_VIEW} "
        f"WHEN NEW.id IS NOT NULL BEGIN {' '.join(stored)} END"
    ).close()


def _new(given: Mapping[str, str]) -> dict[str, str]:
    return {column: f"NEW.{name}" for column, name in given.items()}


def _unless_paused(usual: str, paused: str) -> str:
    return f"CASE WHEN paused THEN {paused} ELSE {usual} END"


def _copied(
    table: Table, given: Mapping[str, str], same: Mapping[str, Any], when: str, source: str = ""
) -> str:
    """Return the INSERT of one table's row from the view's."""
    values = [
        given[c.name] if c.name in given else _literal(_bound(c).bound(same[c.name]))
        for c in table.columns
    ]
    columns = ", ".join(f'"{c.name}"' for c in table.columns)
    chosen = f"{', '.join(values)} {source} WHERE {when}"
    return f"INSERT INTO {table.name} ({columns}) SELECT {chosen};"


def _literal(value: str | int | None) -> str:
    if value is None:
        return "NULL"
    return str(int(value)) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
