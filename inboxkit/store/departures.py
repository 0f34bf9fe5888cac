"""Sends that leave, many in one transaction: begun, and taken by their provider.

What goes otherwise than well is recorded one by one: see ``deliveries``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from ..values import EventType
from . import jobs, limits, progress, sends
from .bulk import BulkInsert, Finder
from .jobs import LeaseLost
from .prepared import Prepared, among
from .progress import Start, Took
from .tables import event, job, message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from .leased import Job
    from .limits import Rules
    from .transactions import Tx

_FULL = timedelta(milliseconds=250)  # until a slot may be free
_STALE = timedelta(seconds=5)  # a reserved moment that was missed is another's


class Overtaken(Exception):
    """Of what was about to leave there is nothing left to send: others have told meanwhile."""


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: the provider is given no more messages for the moment.

    ``shut``: ``provider`` takes none at all. ``data`` keeps the moment that was reserved.
    """

    until: datetime
    reason: str
    shut: bool = False
    provider: str = ""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


def proceed(tx: Tx, steps: list[Start | Took]) -> list[Later | LeaseLost | None]:
    """Record many steps at once; raise LeaseLost when one that was taken is no longer ours.

    Raise Overtaken when one that is to begin has nobody left to send to.
    """
    done: dict[int, Later | LeaseLost | None] = {}
    starts = [step for step in steps if isinstance(step, Start)]
    if starts:
        done = {id(step): outcome for step, outcome in _start(tx, starts)}
    _take(tx, [step for step in steps if isinstance(step, Took)])
    return [done.get(id(step)) for step in steps]


# begun

_LEASED = Finder(job.c.id, job.c.id, job.c.token, keep="NO KEY UPDATE")


def _start(tx: Tx, starts: Sequence[Start]) -> Iterator[tuple[Start, Later | LeaseLost | None]]:
    tokens = dict(_LEASED(tx.connection, [s.job.id for s in starts]))
    ours = [s for s in starts if tokens.get(s.job.id) == s.job.token]
    going: list[Start] = []
    for provider, group in groupby(sorted(ours, key=_provider), key=_provider):
        held = list(group)
        late = dict(_held_back(tx, provider, held))
        going += [s for s in held if id(s) not in late]
        yield from ((s, late[id(s)]) for s in held if id(s) in late)
        if ids := [s.row_id for s in held if id(s) not in late]:
            progress.set_begun(tx.connection, ids, at=held[-1].at, by=provider)
    if going:
        progress.set_dropped(tx.connection, going)
        overtaken = progress.set_sending(tx.connection, going)
        if overtaken:
            _check_left(tx.connection, going)
        progress.correct(tx, [s for s in going if overtaken or not s.whole], going[0].at)
    yield from ((s, None) for s in going)
    for start in starts:
        if tokens.get(start.job.id) != start.job.token:
            yield start, LeaseLost(f"job {start.job.id}: the lease was taken over")


def _check_left(connection: Connection, going: Sequence[Start]) -> None:
    """Raise Overtaken when nobody is left of a send: who lost its lease had sent it, or an event.

    What was written down for it is undone with that.
    """
    left = progress.sending(connection, [s.row_id for s in going])
    for start in going:
        if not any((start.row_id, recipient) in left for recipient in start.recipients):
            raise Overtaken(f"send {start.row_id}: meanwhile it was sent or taken back")


def _provider(step: Start) -> str:
    return step.provider


def _held_back(tx: Tx, provider: str, held: Sequence[Start]) -> Iterator[tuple[int, Later]]:
    """Yield which of these sends to one provider may not go now."""
    now, rules = held[0].at, held[0].rules
    first, others = limits.closed(tx, provider, now)
    for start, shut in zip(held, [first] + [others] * (len(held) - 1), strict=True):
        if shut is not None:
            yield id(start), Later(shut.until, shut.reason, shut=True, provider=provider)
    open_ = [] if first is not None else list(held if others is None else held[:1])
    if rules.slots and open_:
        count = limits.take_slots(tx, provider, rules, [s.job for s in open_])
        full = Later(now + _FULL, f"{provider} has {rules.slots} sends under way")
        yield from ((id(s), full) for s in open_[count:])
        open_ = open_[:count]
    if rules.rates and open_:
        yield from _paced(tx, provider, rules, open_, now)


def _paced(
    tx: Tx, provider: str, rules: Rules, held: Sequence[Start], now: datetime
) -> Iterator[tuple[int, Later]]:
    new = [s for s in held if not _is_reserved(s, now)]
    moments = limits.reserve(tx, provider, rules.rates, len(new), now) if new else []
    for start, moment in zip(new, moments, strict=True):
        if moment > now:
            data = {**start.job.data, "reserved": [provider, moment.timestamp()]}
            yield id(start), Later(moment, f"waits its turn at {provider}", data=data)


def _is_reserved(start: Start, now: datetime) -> bool:
    provider, moment = start.job.data.get("reserved", ("", 0.0))
    late = now.timestamp() - moment
    return bool(provider == start.provider and -0.001 <= late <= _STALE.total_seconds())


def put_off(tx: Tx, held: Job, row_id: int, later: Later, now: datetime) -> None:
    """Put a send back that may not go now; the attempt does not count. Raise LeaseLost."""
    if later.shut:
        later = _looked_up_again(tx, later, now)
    sends.note(tx, row_id, later.reason)
    jobs.put_back(tx, held, due_at=later.until, error=later.reason, data=later.data or held.data)
    uncounted = update(job).where(job.c.id == held.id).values(attempts=job.c.attempts - 1)
    tx.connection.execute(uncounted)
    if later.shut:
        limits.postpone(tx, later.until, now)


def _looked_up_again(tx: Tx, later: Later, now: datetime) -> Later:
    """Return until when a provider takes none: another send may have shown that it is back."""
    shut = limits.still_closed(tx, later.provider, now)
    return replace(later, until=now if shut is None else shut.until, shut=shut is not None)


def go_on(tx: Tx, held: Job, now: datetime) -> None:
    """Let a send go on with its other parts, which have attempts of their own. Raise LeaseLost."""
    jobs.put_back(tx, held, due_at=now, error="", data={})
    tx.connection.execute(update(job).where(job.c.id == held.id).values(attempts=0))


# taken

_GONE = Prepared(
    delete(job).where(among(job.c.id), job.c.token == bindparam("held", type_=BigInteger))
)
_LEFT = Finder(message.c.id, message.c.id)
_LOGGED = select(event.c.message_id, event.c.recipient).where(
    event.c.message_id.in_(bindparam("ids", expanding=True)),
    event.c.type == str(EventType.ACCEPTED),
)


def _take(tx: Tx, taken: Sequence[Took]) -> None:
    if not taken:
        return
    _let_go(tx, taken)
    # by events: they have told more already
    overtaken = progress.set_accepted(tx.connection, taken)
    there = _provided(tx, taken)
    progress.correct(tx, [t for t in there if overtaken or not t.whole], taken[0].at)
    _log(tx, there, _known(tx.connection, there) if overtaken else set())
    for took in there:
        if not took.whole:
            progress.belongs(tx, took.row_id, took.recipients, took.provider, took.provider_id)
        for recipient, id in took.ids.items():
            progress.belongs(tx, took.row_id, [recipient], took.provider, id)
        sends.learn_aliases(tx, took.row_id, took.aliases)
    limits.succeeded(tx, {t.provider for t in taken}, taken[0].at)
    tx.wake("done", "event")


def _provided(tx: Tx, taken: Sequence[Took]) -> Sequence[Took]:
    """Remember which provider has each of these sends; return those not deleted under way."""
    met = 0
    for provider in {t.provider for t in taken}:
        mine = [t for t in taken if t.provider == provider]
        met += progress.set_provider(tx.connection, provider, mine)
    if met == len(taken):
        return taken
    left = {row[0] for row in _LEFT(tx.connection, [t.row_id for t in taken])}
    return [t for t in taken if t.row_id in left]


def _let_go(tx: Tx, taken: Sequence[Took]) -> None:
    """Have done with the jobs of sends that have left; raise LeaseLost if one is not ours."""
    going_on = [t.job for t in taken if not t.last]
    tokens = dict(_LEASED(tx.connection, [j.id for j in going_on]))
    held = all(tokens.get(j.id) == j.token for j in going_on)
    for token in {t.job.token for t in taken if t.last}:
        ids = [t.job.id for t in taken if t.last and t.job.token == token]
        held &= _GONE.number(tx.connection, ids=ids, held=token) == len(ids)
    if not held:
        raise LeaseLost(f"jobs {[t.job.id for t in taken]}: a lease was taken over")


def _known(connection: Connection, taken: Sequence[Took]) -> set[tuple[int, str]]:
    """Return for which recipients it is logged already that their mail was taken."""
    rows = connection.execute(_LOGGED, {"ids": [t.row_id for t in taken]})
    return {(row.message_id, row.recipient) for row in rows}


def _log(tx: Tx, taken: Sequence[Took], known: AbstractSet[tuple[int, str]]) -> None:
    """Log that each recipient's mail was taken, once, whoever tells of it; and plan handlers."""
    rows = [
        _event(t, recipient)
        for t in taken
        for recipient in t.recipients
        if (t.row_id, recipient) not in known
    ]
    if rows:
        numbers = _numbered(tx.connection, rows)
        jobs.put(tx, [_plan(n, row) for n, row in zip(numbers, rows, strict=True)])


_insert_events = BulkInsert(event, omit=("seq",))


def _numbered(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    """Add events to the log; return their places in it."""
    if connection.dialect.name == "sqlite":  # one writer and AUTOINCREMENT: they follow each other
        _insert_events(connection, rows)
        last: int = connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
        return range(last - len(rows) + 1, last + 1)
    statement = insert(event).returning(event.c.seq, sort_by_parameter_order=True)
    return connection.execute(statement, rows).scalars().all()


def _plan(seq: int, row: Mapping[str, Any]) -> dict[str, Any]:
    return jobs.new_job("plan", f"event:{seq}", inbox_id=row["inbox_id"], due_at=row["at"])


def _event(took: Took, recipient: str) -> dict[str, Any]:
    return {
        "type": str(EventType.ACCEPTED),
        "at": took.at,
        "inbox_id": took.row.inbox_id,
        "message_id": took.row.id,
        "thread_id": took.row.thread_id,
        "recipient": recipient,
        "hard": False,
        "reason_class": "",
        "reason": "",
        "data": {"happened_at": took.at.isoformat(), "id": ""},
    }
