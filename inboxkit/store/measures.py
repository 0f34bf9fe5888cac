"""Measures: how many events there were in each stretch of time, and how much is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, exists, func, not_, select, text, true, type_coerce
from sqlalchemy.types import BigInteger

from . import backlog
from .api_tables import domain, endpoint, pod
from .tables import event, inbox, label, message, thread, worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .reach import Reach

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
VARIANTS = ("spam", "blocked", "unauthenticated")


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` up to before ``end``, in stretches of ``period`` that begin at ``start``."""

    start: datetime
    end: datetime
    period: timedelta

    def at(self, place: int) -> datetime:
        """Return when a stretch begins."""
        return self.start + place * self.period


def events(
    connection: Connection, reach: Reach, kinds: Sequence[str], span: Span
) -> Mapping[str, Mapping[int, int]]:
    """Return how many entries of each kind there were, by stretch; those with none are left out."""
    place = _place(event.c.at, span)
    query = (
        select(event.c.type, place, func.count())
        .where(*_during(event.c.at, span), event.c.type.in_(kinds), reach.owns(event.c.inbox_id))
        .where(_shown(reach, event.c.message_id))
        .group_by(event.c.type, place)
    )
    found: dict[str, dict[int, int]] = {}
    for kind, number, count in connection.execute(query):
        found.setdefault(kind, {})[number] = count
    return found


def received_with(connection: Connection, reach: Reach, name: str, span: Span) -> Mapping[int, int]:
    """Return how many messages came that carry a variant's label, and none before it, by stretch.

    As they are told: a message is of one variant.
    """
    place = _place(event.c.at, span)
    labelled = _carries(event.c.message_id, [name])
    before = VARIANTS[: VARIANTS.index(name)]
    query = (
        select(place.label("place"), func.count().label("amount"))
        .where(*_during(event.c.at, span), event.c.type == "received", labelled)
        .where(not_(_carries(event.c.message_id, before)))
        .where(reach.owns(event.c.inbox_id), _shown(reach, event.c.message_id))
        .group_by(place)
    )
    return {row.place: row.amount for row in connection.execute(query)}


def usage(
    connection: Connection, reach: Reach, name: str, span: Span
) -> tuple[int, Mapping[int, int]]:
    """Return how much there was of something before a span, and how much came in each stretch."""
    amount, at, mine = _measured(reach, name)
    before = select(amount).where(mine, at < span.start)
    place = _place(at, span)
    during = select(place, amount).where(mine, *_during(at, span)).group_by(place)
    rows = connection.execute(during).all()
    return int(connection.execute(before).scalar() or 0), {n: int(a or 0) for n, a in rows}


def _measured(reach: Reach, name: str) -> tuple[Any, Any, Any]:
    """Return the amount, the moment and the condition of what is measured."""
    messages = reach.owns(message.c.inbox_id) & _shown(reach, message.c.id)
    match name:
        case "storage_bytes":
            return func.sum(message.c.size), message.c.created_at, messages
        case "message_count":
            return func.count(), message.c.created_at, messages
        case "thread_count":
            return func.count(), thread.c.created_at, _threads(reach)
        case "inbox_count":
            return func.count(), inbox.c.created_at, reach.inboxes()
        case "pod_count":
            return func.count(), pod.c.created_at, _of_pod(reach, pod.c.id)
        case _:
            return func.count(), domain.c.created_at, _of_pod(reach, domain.c.pod_id)


def _threads(reach: Reach) -> Any:
    """Return what holds for threads with a message that a caller may see; merged ones have none."""
    mine = reach.owns(thread.c.inbox_id) & thread.c.merged_into.is_(None)
    if not reach.forbidden:
        return mine
    return mine & exists().where(message.c.thread_id == thread.c.id, _shown(reach, message.c.id))


def _shown(reach: Reach, message_id: Any) -> Any:
    """Return what holds where a message carries no label that is forbidden."""
    return not_(_carries(message_id, reach.forbidden)) if reach.forbidden else true()


def _carries(message_id: Any, names: Sequence[str]) -> Any:
    """Return what holds where a message carries one of these labels."""
    return exists().where(label.c.message_id == message_id, label.c.label.in_(names))


def _of_pod(reach: Reach, column: Any) -> Any:
    return true() if reach.pod_id is None else column == reach.pod_id


def _during(at: Any, span: Span) -> tuple[Any, Any]:
    return at >= span.start, at < span.end


def _place(at: Any, span: Span) -> Any:
    """Return the number of the stretch that a moment lies in; both databases divide as C does."""
    start, period = (span.start - _EPOCH) // _MICRO, span.period // _MICRO
    return (type_coerce(at, BigInteger) - start) // period


def _events_ever(connection: Connection) -> int:
    """Return how many events there have been; a monitoring system knows counters that begin anew.

    PostgreSQL counts them itself, since its statistics began: their numbers hold more than a count.
    """
    if connection.dialect.name == "sqlite":
        return connection.execute(select(func.max(event.c.seq))).scalar() or 0
    told = text("SELECT n_tup_ins FROM pg_stat_all_tables WHERE relid = CAST(:name AS regclass)")
    return connection.execute(told, {"name": event.name}).scalar() or 0


def gauges(connection: Connection, alive_since: datetime) -> Mapping[str, int]:
    """Return what a monitoring system watches, by name with labels."""
    failing = endpoint.c.failing_since.is_not(None)
    alive = worker.c.beat_at > alive_since
    one = connection.execute
    count = select(func.count())
    found = {
        "events_total": _events_ever(connection),
        "inboxes": one(count.select_from(inbox)).scalar_one(),
        "workers": one(count.select_from(worker).where(alive)).scalar_one(),
        "webhooks_failing": one(count.select_from(endpoint).where(failing)).scalar_one(),
        "webhooks_disabled": one(
            count.select_from(endpoint).where(endpoint.c.enabled.is_(False))
        ).scalar_one(),
    }
    for name, number in backlog.summary(connection).items():
        kind, _, state = name.partition(" ")
        found[f'jobs{{kind="{kind}",state="{state}"}}'] = number
    return found
