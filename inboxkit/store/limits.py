"""What holds sends back, as rows that all processes share: rates, slots, and the circuit.

The circuit opens after several failures in a row: then one send at a time tries whether the
provider is back. A provider that asks for a pause opens it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sqlalchemy import (
    Connection,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    update,
)

from .limit_tables import circuit, pace, slot
from .prepared import Prepared
from .tables import job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from .leased import Job
    from .transactions import Tx

_PERIODS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_IS_READY = "state = 'ready'"  # to the letter that of the partial index, or it is not used
_RATE = re.compile(r"([1-9]\d{0,8})/([smhd])")
_FAILURES = 5
_WRONG_SETTINGS = -1  # in place of the number of failures
_FIRST = timedelta(seconds=30)
_LONGEST = timedelta(minutes=10)
_UNDER_WAY = 256  # sends that may have reserved a moment and do not wait for it yet
_SKEW = timedelta(minutes=1)
_PROBE = timedelta(seconds=60)  # how long one send may take to show whether the provider is back


@dataclass(frozen=True, slots=True)
class Rate:
    """So many sends in a second, minute, hour or day."""

    text: str
    interval: timedelta
    burst: timedelta

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read ``14/s``; raise ValueError.

        Sends leave evenly, at most a tenth of the number at once; what is counted by the hour or
        the day may leave all at once.
        """
        found = _RATE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no rate, such as 14/s or 50000/d")
        count, per = int(found[1]), _PERIODS[found[2]]
        at_once = count if found[2] in "hd" else max(1, count // 10)
        return cls(text, per / count, (per / count) * (at_once - 1))


@dataclass(frozen=True, slots=True)
class Rules:
    """How fast a provider may be given messages; ``slots`` at once, 0 for any number."""

    rates: tuple[Rate, ...] = ()
    slots: int = 0


FREE = Rules()


@dataclass(frozen=True, slots=True)
class Closed:
    """A provider that is given nothing before ``until``."""

    until: datetime
    reason: str
    wrong_settings: bool = False


# rates


def reserve(
    tx: Tx, provider: str, rates: Sequence[Rate], count: int, now: datetime
) -> list[datetime]:
    """Return when each of ``count`` sends may leave; these moments are theirs (GCRA)."""
    mine = pace.c.provider == provider
    rows = tx.connection.execute(select(pace.c.rate, pace.c.next_at).where(mine).with_for_update())
    known = {row.rate: row.next_at for row in rows}
    due = {rate: max(known.get(rate.text, now), now) for rate in rates}
    if any(at - rate.burst > now + _slack(rate) for rate, at in due.items()):
        last = max(_LAST_DUE(tx.connection)[0]["due_at"] or now, now)
        due = {rate: min(at, last + rate.burst + _slack(rate)) for rate, at in due.items()}
    starts: list[datetime] = []
    for _ in range(count):
        start = max([now, *(at - rate.burst for rate, at in due.items())])
        due = {rate: max(at, start) + rate.interval for rate, at in due.items()}
        starts.append(start)
    for rate, at in due.items():
        key = {"provider": provider, "rate": rate.text}
        _put(tx, pace, key, {"next_at": at}, is_known=rate.text in known)
    return starts


def _slack(rate: Rate) -> timedelta:
    """Return how far moments may lie ahead of the last send that waits for its own.

    Further ahead they were reserved by a clock that has been set back since.
    """
    return rate.interval * _UNDER_WAY + _SKEW


# requests under way


def take_slots(tx: Tx, provider: str, rules: Rules, held: Sequence[Job]) -> int:
    """Give slots to as many of these jobs as there are free; return how many."""
    tx.take_turns([_number(provider)])  # or two that count at once would both find it free
    living = exists().where(job.c.id == slot.c.job_id, job.c.token == slot.c.token)
    tx.connection.execute(delete(slot).where(slot.c.provider == provider, ~living))
    # whoever asks has no request under way, but the slot of its last one may be left
    tx.connection.execute(delete(slot).where(slot.c.job_id.in_([j.id for j in held])))
    query = select(func.count()).select_from(slot).where(slot.c.provider == provider)
    free = max(0, rules.slots - tx.connection.execute(query).scalar_one())
    rows = [{"job_id": j.id, "token": j.token, "provider": provider} for j in held[:free]]
    if rows:
        tx.connection.execute(insert(slot), rows)
    return len(rows)


def _number(provider: str) -> int:
    """Return a provider's own number for turns; those of inboxes are far larger."""
    return 1 + crc32(provider.encode())


# the circuit


def closed(tx: Tx, provider: str, now: datetime) -> tuple[Closed | None, Closed | None]:
    """Return why the first send, and why the others, may not be given to a provider now.

    After failures the first one alone may try.
    """
    row = _circuit(tx.connection, provider)
    if row is None:
        return None, None
    shut = Closed(row.until, row.reason)
    if row.until > now:
        return shut, shut
    if row.failures < _FAILURES:
        return None, None
    _set(tx, provider, {"until": now + _PROBE, "changed_at": now}, is_known=True)
    return None, Closed(now + _PROBE, row.reason)


def still_closed(tx: Tx, provider: str, now: datetime) -> Closed | None:
    """Return why a provider is given nothing now; that holds until this transaction ends."""
    row = _circuit(tx.connection, provider)
    return Closed(row.until, row.reason) if row is not None and row.until > now else None


def failed(tx: Tx, provider: str, *, begun_at: datetime, now: datetime, reason: str) -> None:
    """Count a failure; those that were under way when the circuit opened are not counted again."""
    row = _circuit(tx.connection, provider)
    if row is not None and row.failures >= _FAILURES and begun_at < row.changed_at:
        return
    failures = 1 if row is None else row.failures + 1
    until = now if row is None else row.until
    values = {"failures": failures, "reason": reason[:500], "changed_at": now, "until": until}
    if failures >= _FAILURES:
        doubled = min(2 ** (failures - _FAILURES), 1_000)
        values["until"] = max(until, now + min(_FIRST * doubled, _LONGEST))
    _set(tx, provider, values, is_known=row is not None)


def pause(
    tx: Tx,
    provider: str,
    until: datetime,
    *,
    now: datetime,
    reason: str,
    wrong: bool = False,
) -> None:
    """Give a provider nothing before ``until``: it asked for that, or its settings are ``wrong``.

    Whoever answers so is there: failures before that are forgotten.
    """
    row = _circuit(tx.connection, provider)
    latest = until if row is None else max(row.until, until)
    failures = _WRONG_SETTINGS if wrong else 0
    values = {"until": latest, "reason": reason[:500], "changed_at": now, "failures": failures}
    _set(tx, provider, values, is_known=row is not None)


def wrong_settings(provider: str, why: str) -> str:
    """Return why a provider takes nothing whose settings are wrong; of its jobs, the error."""
    return f"provider {provider}: {why}"


def settings_changed(tx: Tx, now: datetime) -> None:
    """Let one send try each provider whose settings were wrong: a start may have read others.

    What else waited for it stays until that one was taken.
    """
    for found in _CIRCUITS(tx.connection):
        row = _Circuit(**found)
        if row.failures != _WRONG_SETTINGS or row.until <= now:
            continue
        values = {"until": now, "changed_at": now, "failures": _FAILURES}
        _set(tx, row.provider, values, is_known=True)
        said = job.c.error.startswith(wrong_settings(row.provider, ""), autoescape=True)
        tried = and_(job.c.kind == "send", job.c.state == "ready", said, job.c.due_at > now)
        for waits in (_waits_until(row.until), update(job).where(tried)):
            tx.connection.execute(waits.values(due_at=now))
        tx.wake("send")


def succeeded(tx: Tx, providers: AbstractSet[str], now: datetime) -> None:
    """Close the circuits of providers that have taken a message; what waited for them is due.

    A pause that a provider asked for goes on.
    """
    for found in _CIRCUITS(tx.connection):
        row = _Circuit(**found)
        if row.provider not in providers or (row.until > now and not row.failures):
            continue
        seen = (circuit.c.provider == row.provider) & (circuit.c.changed_at == row.changed_at)
        seen &= (circuit.c.until == row.until) & (circuit.c.failures == row.failures)
        if not tx.connection.execute(delete(circuit).where(seen)).rowcount:
            continue  # it was told otherwise meanwhile
        if tx.connection.execute(_waits_until(row.until).values(due_at=now)).rowcount:
            tx.wake("send")


def _waits_until(until: datetime) -> Update:
    waits = and_(job.c.kind == "send", job.c.state == "ready", job.c.due_at == until)
    return update(job).where(waits)


def circuits(connection: Connection) -> Mapping[str, Closed]:
    """Return what is known against providers."""
    rows = connection.execute(select(circuit))
    return {
        row.provider: Closed(row.until, row.reason, row.failures == _WRONG_SETTINGS) for row in rows
    }


def postpone(tx: Tx, until: datetime, now: datetime) -> int:
    """Move all sends that are due to a later time, as no provider takes any; return how many.

    So a backlog is not taken up send by send only to be put back.
    """
    due = and_(job.c.kind == "send", job.c.state == "ready", job.c.due_at <= now)
    return tx.connection.execute(update(job).where(due).values(due_at=until)).rowcount


_LAST_DUE = Prepared(
    select(func.max(job.c.due_at).label("due_at")).where(job.c.kind == "send", text(_IS_READY))
)
# Every commit of the outbox asks these: built once.
_CIRCUITS = Prepared(select(circuit))
_CIRCUIT = Prepared(
    select(circuit).where(circuit.c.provider == bindparam("name")).with_for_update()
)


@dataclass(frozen=True, slots=True)
class _Circuit:
    """A row of the table: what is known against a provider."""

    provider: str
    failures: int
    until: datetime
    changed_at: datetime
    reason: str


def _circuit(connection: Connection, provider: str) -> _Circuit | None:
    row = _CIRCUIT.first(connection, name=provider)
    return None if row is None else _Circuit(**row)


def _set(tx: Tx, provider: str, values: Mapping[str, Any], *, is_known: bool) -> None:
    _put(tx, circuit, {"provider": provider}, values, is_known=is_known)


def _put(
    tx: Tx, table: Table, key: Mapping[str, Any], values: Mapping[str, Any], *, is_known: bool
) -> None:
    """Change the row that was looked at and is held, or make it where there was none.

    One that another has made since then is not changed: the work is done again, and finds it.
    """
    if is_known:
        mine = and_(*(table.c[name] == value for name, value in key.items()))
        tx.connection.execute(update(table).where(mine).values(**values))
    else:
        tx.connection.execute(insert(table), [{**key, **values}])
