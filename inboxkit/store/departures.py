"""Sends that leave, many in one transaction: looked at, begun, and taken by their provider.

What goes otherwise than well is recorded one by one: see ``deliveries``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection, bindparam, insert, select, update

from ..values import EventType
from . import deliveries, jobs, limits, sends
from .bulk import BulkInsert, Finder
from .deliveries import PENDING
from .jobs import Job, LeaseLost
from .limits import FREE, Rules
from .tables import delivery, event, job, message

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from .writer import Tx

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FULL = timedelta(milliseconds=250)  # until a slot may be free
_STALE = timedelta(seconds=5)  # a reserved moment that was missed is another's


class Many:
    """A statement for many rows, straight through the driver: see ``bulk``."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def __call__(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run it for each row; return how many rows of the table it met."""
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        sql = self._sql.replace("?", mark)
        return connection.exec_driver_sql(sql, list(rows)).rowcount


def _listed(states: Sequence[str]) -> str:
    return ", ".join(f"'{state}'" for state in states)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a send with one provider; ``row`` is that of its Look."""

    job: Job
    row: Any
    recipients: Sequence[str]
    provider: str

    @property
    def row_id(self) -> int:
        return int(self.row.id)

    @property
    def whole(self) -> bool:
        """Whether it is for everybody the send is for."""
        return len(self.recipients) == len(self.row.rcpt_to)


@dataclass(frozen=True, slots=True)
class Start(_Step):
    """A send that is about to be given to a provider. Results in None, Later or LeaseLost.

    ``part`` is the number of the request; ``dropped`` are recipients that the request before,
    to another provider and in vain, was to as well.
    """

    at: datetime
    part: int
    rules: Rules = FREE
    dropped: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Took(_Step):
    """A send that its provider has taken for all of these recipients; ``last``: for all it is to.

    Otherwise the job goes on with the others.
    """

    provider_id: str
    aliases: Sequence[str]
    at: datetime
    last: bool = True


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: the provider is given no more messages for the moment.

    ``shut``: it takes none at all. ``data`` keeps the moment that was reserved.
    """

    until: datetime
    reason: str
    shut: bool = False
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


Step: TypeAlias = Start | Took


def proceed(tx: Tx, steps: list[Step]) -> list[Later | LeaseLost | None]:
    """Record many steps at once; raise LeaseLost when one that was taken is no longer ours."""
    done: dict[int, Later | LeaseLost | None] = {}
    starts = [step for step in steps if isinstance(step, Start)]
    if starts:
        done = {id(step): outcome for step, outcome in _start(tx, starts)}
    _take(tx, [step for step in steps if isinstance(step, Took)])
    return [done.get(id(step)) for step in steps]


# begun

_LEASED = Finder(job.c.id, job.c.id, job.c.token)
_PAIR = f"message_id = ? AND recipient = ? AND state IN ({_listed(PENDING)})"
# What may have gone out under a key that sends once keeps the time when it was first given away.
_SENDING = Many(
    f"UPDATE {delivery.name} SET updated_at = CASE WHEN state = 'sending' THEN updated_at ELSE ? "
    f"END, state = 'sending', part = ? WHERE {_PAIR}"
)
_DROPPED = Many(f"UPDATE {delivery.name} SET state = 'queued', updated_at = ? WHERE {_PAIR}")
_SENDING_BY = Many(
    f"UPDATE {message.name} SET state = 'sending', updated_at = ?, provider = ? WHERE id = ?"
)


def _start(tx: Tx, starts: Sequence[Start]) -> Iterator[tuple[Start, Later | LeaseLost | None]]:
    tokens = dict(_LEASED(tx.connection, [s.job.id for s in starts]))
    ours = [s for s in starts if tokens.get(s.job.id) == s.job.token]
    going: list[Start] = []
    for provider, group in groupby(sorted(ours, key=_provider), key=_provider):
        held = list(group)
        late = dict(_held_back(tx, provider, held))
        going += [s for s in held if id(s) not in late]
        yield from ((s, late[id(s)]) for s in held if id(s) in late)
    if going:
        pairs = [(_number(s.at), s.part, s.row_id, to) for s in going for to in s.recipients]
        if dropped := [(_number(s.at), s.row_id, to) for s in going for to in s.dropped]:
            _DROPPED(tx.connection, dropped)
        overtaken = _SENDING(tx.connection, pairs) != len(pairs)
        _SENDING_BY(tx.connection, [(_number(s.at), s.provider, s.row_id) for s in going])
        _correct(tx, [s for s in going if overtaken or not s.whole], going[0].at)
    yield from ((s, None) for s in going)
    for start in starts:
        if tokens.get(start.job.id) != start.job.token:
            yield start, LeaseLost(f"job {start.job.id}: the lease was taken over")


def _provider(step: Start) -> str:
    return step.provider


def _held_back(tx: Tx, provider: str, held: Sequence[Start]) -> Iterator[tuple[int, Later]]:
    """Yield which of these sends to one provider may not go now."""
    now, rules = held[0].at, held[0].rules
    first, others = limits.closed(tx, provider, now)
    for start, shut in zip(held, [first] + [others] * (len(held) - 1), strict=True):
        if shut is not None:
            yield id(start), Later(shut.until, shut.reason, shut=True)
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
    sends.note(tx, row_id, later.reason)
    jobs.put_back(tx, held, due_at=later.until, error=later.reason, data=later.data or held.data)
    uncounted = update(job).where(job.c.id == held.id).values(attempts=job.c.attempts - 1)
    tx.connection.execute(uncounted)
    if later.shut:
        limits.postpone(tx, later.until, now)


def go_on(tx: Tx, held: Job, now: datetime) -> None:
    """Let a send go on with its other parts, which have attempts of their own. Raise LeaseLost."""
    jobs.put_back(tx, held, due_at=now, error="", data={})
    tx.connection.execute(update(job).where(job.c.id == held.id).values(attempts=0))


# taken

_GONE = Many(f"DELETE FROM {job.name} WHERE id = ? AND token = ?")
_ACCEPTED = Many(
    f"UPDATE {delivery.name} SET state = 'accepted', reason_class = '', reason = '', "
    f"updated_at = ? WHERE {_PAIR}"
)
_ACCEPTED_BY = Many(
    f"UPDATE {message.name} SET state = 'accepted', updated_at = ?, provider = ?, "
    "provider_id = ?, error = '' WHERE id = ?"
)
_LOGGED = select(event.c.message_id, event.c.recipient).where(
    event.c.message_id.in_(bindparam("ids", expanding=True)),
    event.c.type == str(EventType.ACCEPTED),
)
_STATES = select(delivery.c.message_id, delivery.c.state).where(
    delivery.c.message_id.in_(bindparam("ids", expanding=True))
)


def _take(tx: Tx, taken: Sequence[Took]) -> None:
    if not taken:
        return
    _let_go(tx, taken)
    pairs = [(_number(t.at), t.row_id, to) for t in taken for to in t.recipients]
    moved = _ACCEPTED(tx.connection, pairs)
    rows = [(_number(t.at), t.provider, t.provider_id or None, t.row_id) for t in taken]
    _ACCEPTED_BY(tx.connection, rows)
    overtaken = moved != len(pairs)  # by events: they have told more already
    _correct(tx, [t for t in taken if overtaken or not t.whole], taken[0].at)
    _log(tx, taken, _known(tx.connection, taken) if overtaken else set())
    for took in taken:
        if not took.whole:
            belongs(tx, took.row_id, took.recipients, took.provider, took.provider_id)
        sends.learn_aliases(tx, took.row_id, took.aliases)
    limits.succeeded(tx, {t.provider for t in taken}, taken[0].at)
    tx.wake("done", "event")


def _let_go(tx: Tx, taken: Sequence[Took]) -> None:
    """Have done with the jobs of sends that have left; raise LeaseLost if one is not ours."""
    done = [(t.job.id, t.job.token) for t in taken if t.last]
    going_on = [t.job for t in taken if not t.last]
    tokens = dict(_LEASED(tx.connection, [j.id for j in going_on]))
    held = all(tokens.get(j.id) == j.token for j in going_on)
    if not held or (done and _GONE(tx.connection, done) != len(done)):
        raise LeaseLost(f"jobs {[t.job.id for t in taken]}: a lease was taken over")


_PART_OF = Many(
    f"UPDATE {delivery.name} SET provider = ?, provider_id = ? WHERE message_id = ? "
    "AND recipient = ?"
)


def belongs(
    tx: Tx, row_id: int, recipients: Sequence[str], provider: str, provider_id: str
) -> None:
    """Remember under which id a provider knows a part of a send: its events name that."""
    if provider_id:
        _PART_OF(tx.connection, [(provider, provider_id, row_id, to) for to in recipients])


def _correct(tx: Tx, steps: Sequence[Step], at: datetime) -> None:
    """Let a send be as far as the furthest of its recipients, where others may be further."""
    if not steps:
        return
    states: defaultdict[int, set[str]] = defaultdict(set)
    for row_id, state in tx.connection.execute(_STATES, {"ids": [s.row_id for s in steps]}):
        states[row_id].add(state)
    for row_id, found in states.items():
        values = {"state": deliveries.furthest(found), "updated_at": at}
        tx.connection.execute(update(message).where(message.c.id == row_id).values(**values))


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


def _number(at: datetime) -> Any:
    """Return a moment as the tables hold it."""
    return (at - _EPOCH) // _MICROSECOND
