"""How far sends have come, written down for many at once with few statements."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    bindparam,
    case,
    literal_column,
    select,
    update,
)

from . import deliveries, driver
from .columns import Moment
from .deliveries import PENDING
from .limits import FREE
from .prepared import Prepared, among
from .tables import delivery, message

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .leased import Job
    from .limits import Rules
    from .transactions import Tx

WHOLE = 0  # the number of the one request of a send that needs no parts
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Step:
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
class Start(Step):
    """A send that is about to be given to a provider. Results in None, Later or LeaseLost.

    Raises Overtaken when what became of all its recipients was recorded after the last look.

    ``part`` is the number of the request, ``WHOLE`` for a send in one; ``dropped`` are recipients
    that the request before, to another provider and in vain, was to as well.
    """

    at: datetime
    part: int
    rules: Rules = FREE
    dropped: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Took(Step):
    """A send that its provider has taken for all of these recipients; ``last``: for all it is to.

    Otherwise the job goes on with the others. ``ids`` are those of single recipients.
    """

    provider_id: str
    aliases: Sequence[str]
    at: datetime
    last: bool = True
    ids: Mapping[str, str] = field(default_factory=dict[str, str])


class Many:
    """A statement for many rows, straight through the driver: see ``bulk``."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def __call__(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run it for each row; return how many rows of the table it met."""
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        sql = self._sql.replace("?", mark)
        return driver.change(connection, sql, list(rows), many=True)


def _listed(states: Sequence[str]) -> str:
    return ", ".join(f"'{state}'" for state in states)


_PAIR = f"message_id = ? AND recipient = ? AND state IN ({_listed(PENDING)})"
# What may have gone out under a key that sends once keeps the time when it was first given away.
_FIRST_AT = "CASE WHEN state = 'sending' THEN updated_at ELSE"
_SENDING = Many(
    f"UPDATE {delivery.name} SET updated_at = {_FIRST_AT} ? END, state = 'sending', part = ? "
    f"WHERE {_PAIR}"
)
_PENDING: ColumnElement[bool] = literal_column(f"state IN ({_listed(PENDING)})", Boolean())
_SENDING_WHOLE = Prepared(
    update(delivery)
    .where(among(delivery.c.message_id), _PENDING)
    .values(
        updated_at=case(
            (delivery.c.state == literal_column("'sending'"), delivery.c.updated_at),
            else_=bindparam("at", type_=Moment()),
        ),
        state=literal_column("'sending'"),
        part=literal_column(str(WHOLE)),
    )
)
_DROPPED = Many(f"UPDATE {delivery.name} SET state = 'queued', updated_at = ? WHERE {_PAIR}")
_SENDING_BY = Prepared(
    update(message)
    .where(among(message.c.id))
    .values(
        state=literal_column("'sending'"),
        updated_at=bindparam("at", type_=Moment()),
        provider=bindparam("by"),
    )
)


_ACCEPTED = Many(
    f"UPDATE {delivery.name} SET state = 'accepted', reason_class = '', reason = '', "
    f"updated_at = ? WHERE {_PAIR}"
)
_ACCEPTED_WHOLE = Prepared(
    update(delivery)
    .where(among(delivery.c.message_id), _PENDING)
    .values(
        state=literal_column("'accepted'"),
        reason_class=literal_column("''"),
        reason=literal_column("''"),
        updated_at=bindparam("at", type_=Moment()),
    )
)
_SET_ACCEPTED = (
    f"UPDATE {message.name} SET state = 'accepted', updated_at = ?, provider = ?, "
    "provider_id = told.provider_id, error = '' FROM "
)
_ACCEPTED_BY = {
    "sqlite": f"{_SET_ACCEPTED} (SELECT json_extract(value, '$[0]') AS id, "
    "json_extract(value, '$[1]') AS provider_id FROM json_each(?)) AS told "
    f"WHERE {message.name}.id = told.id",
    "postgresql": f"{_SET_ACCEPTED} unnest(?::bigint[], ?::text[]) AS told (id, provider_id) "
    f"WHERE {message.name}.id = told.id".replace("?", "%s"),
}
_PART_OF = Many(
    f"UPDATE {delivery.name} SET provider = ?, provider_id = ? WHERE message_id = ? "
    "AND recipient = ?"
)


_STATES = select(delivery.c.message_id, delivery.c.state).where(
    delivery.c.message_id.in_(bindparam("ids", expanding=True))
)


def set_sending(connection: Connection, going: Sequence[Start]) -> bool:
    """Set the recipients of these sends to sending; return whether some are further already."""
    whole = [s for s in going if s.part == WHOLE]
    pairs = [
        (_number(s.at), s.part, s.row_id, to)
        for s in going
        if s.part != WHOLE
        for to in s.recipients
    ]
    met = _SENDING(connection, pairs) if pairs else 0
    if whole:
        ids = [s.row_id for s in whole]
        met += _SENDING_WHOLE.number(connection, ids=ids, at=whole[-1].at)
    return met != len(pairs) + sum(len(s.recipients) for s in whole)


def sending(connection: Connection, ids: Sequence[int]) -> set[tuple[int, str]]:
    """Return, with their sends, the recipients that ``set_sending`` has set."""
    mine = delivery.c.message_id.in_(ids) & (delivery.c.state == "sending")
    rows = connection.execute(select(delivery.c.message_id, delivery.c.recipient).where(mine))
    return {(row.message_id, row.recipient) for row in rows}


def set_begun(connection: Connection, ids: Sequence[int], *, at: datetime, by: str) -> None:
    """Remember which provider is about to get these sends."""
    _SENDING_BY.number(connection, ids=ids, at=at, by=by)


def set_dropped(connection: Connection, going: Sequence[Start]) -> None:
    """Set those back whom the request before was to, and this one is not."""
    if rows := [(_number(s.at), s.row_id, to) for s in going for to in s.dropped]:
        _DROPPED(connection, rows)


def set_accepted(connection: Connection, taken: Sequence[Took]) -> bool:
    """Set the recipients of these sends to accepted; return whether some are further already."""
    whole = [t for t in taken if t.whole]
    pairs = [(_number(t.at), t.row_id, to) for t in taken if not t.whole for to in t.recipients]
    met = _ACCEPTED(connection, pairs) if pairs else 0
    if whole:
        ids = [t.row_id for t in whole]
        met += _ACCEPTED_WHOLE.number(connection, ids=ids, at=whole[-1].at)
    return met != len(pairs) + sum(len(t.recipients) for t in whole)


def set_provider(connection: Connection, provider: str, taken: Sequence[Took]) -> int:
    """Remember under which id a provider knows each of these sends; return how many there are."""
    name, at = connection.dialect.name, _number(taken[-1].at)
    ids, known = [t.row_id for t in taken], [t.provider_id or None for t in taken]
    told = (json.dumps(list(zip(ids, known, strict=True))),) if name == "sqlite" else (ids, known)
    return driver.change(connection, _ACCEPTED_BY[name], (at, provider, *told))


def belongs(
    tx: Tx, row_id: int, recipients: Sequence[str], provider: str, provider_id: str
) -> None:
    """Remember under which id a provider knows a part of a send: its events name that."""
    if provider_id:
        _PART_OF(tx.connection, [(provider, provider_id, row_id, to) for to in recipients])


def correct(tx: Tx, steps: Sequence[Step], at: datetime) -> None:
    """Let a send be as far as the furthest of its recipients, where others may be further."""
    if not steps:
        return
    states: defaultdict[int, set[str]] = defaultdict(set)
    for row_id, state in tx.connection.execute(_STATES, {"ids": [s.row_id for s in steps]}):
        states[row_id].add(state)
    for row_id, found in states.items():
        values = {"state": deliveries.furthest(found), "updated_at": at}
        tx.connection.execute(update(message).where(message.c.id == row_id).values(**values))


def _number(at: datetime) -> Any:
    """Return a moment as the tables hold it."""
    return (at - _EPOCH) // _MICROSECOND
