"""Metrics: counts of events, amounts stored, rates of bounces; and for monitoring systems."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from ...store import measures
from ...store.measures import Span
from ...values import EventType
from .envelope import ApiError, invalid
from .routing import EVERYWHERE, Route
from .schemas.events import RECEIVED, TYPES, types_named
from .schemas.metrics import (
    RATES,
    USAGES,
    EventMetrics,
    EventMetricsQuery,
    MetricBucket,
    MetricsQuery,
    RateMetrics,
    RatePoint,
    RatesQuery,
    UsageMetrics,
    UsagePoint,
    UsageQuery,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ..parts import Parts
    from .access import Access
    from .call import Call

T = TypeVar("T")
_DAY = timedelta(days=1)
_LONGEST = timedelta(days=90)
_PERIOD = timedelta(hours=1)
_MOST_STRETCHES = 10_000
_ALIVE = timedelta(seconds=10)
_SENT = str(EventType.ACCEPTED)
_OF_RATES = {"bounce": str(EventType.BOUNCED), "complaint": str(EventType.COMPLAINED)}


async def events(call: Call[EventMetricsQuery]) -> EventMetrics:
    """Count events by type, in stretches of ``period`` seconds (one hour if none is given)."""
    asked, span = call.given, _span(call)
    names = asked.event_types or sorted(TYPES)
    plain = {kind for name in names for kind in types_named(name)}
    counted = await call.store.read_at_length(measures.events, call.reach, sorted(plain), span)
    hidden = {
        f"{RECEIVED}.{label}": await call.store.read_at_length(
            measures.received_with, call.reach, label, span
        )
        for label in measures.VARIANTS
    }
    series = {name: hidden.get(name) or _total(counted, name, hidden.values()) for name in names}
    wanted = {name: found for name, found in series.items() if found or asked.event_types}
    return EventMetrics({name: _buckets(found, span, asked) for name, found in wanted.items()})


def _total(counted: Mapping[str, Mapping[int, int]], name: str, hidden: Any) -> Mapping[int, int]:
    """Return the counts of all kinds of entries with this name; a variant is counted apart."""
    if name.startswith(f"{RECEIVED}."):
        return {}
    found: dict[int, int] = {}
    for kind in types_named(name):
        for place, count in counted.get(kind, {}).items():
            found[place] = found.get(place, 0) + count
    if name == RECEIVED:
        for place, count in itertools.chain.from_iterable(one.items() for one in hidden):
            found[place] = max(0, found.get(place, 0) - count)
    return {place: count for place, count in found.items() if count}


def _buckets(found: Mapping[int, int], span: Span, asked: MetricsQuery) -> Sequence[MetricBucket]:
    points = [MetricBucket(timestamp=span.at(n), count=found[n]) for n in sorted(found)]
    return _page(points, asked)


async def usage(call: Call[UsageQuery]) -> UsageMetrics:
    """Return how much there was at the end of each stretch, of what is still there."""
    asked, span = call.given, _span(call)
    found: dict[str, Sequence[UsagePoint]] = {}
    for name in asked.usage_types or USAGES:
        before, during = await call.store.read_at_length(measures.usage, call.reach, name, span)
        sums = itertools.accumulate((during.get(n, 0) for n in _stretches(span)), initial=before)
        ends = [min(span.at(n + 1), span.end) for n in _stretches(span)]
        points = zip(ends, list(sums)[1:], strict=True)
        found[name] = _page([UsagePoint(timestamp=at, value=value) for at, value in points], asked)
    return UsageMetrics(found)


async def rates(call: Call[RatesQuery]) -> RateMetrics:
    """Return which part of what was sent bounced or was complained of, in the window before."""
    asked, span = call.given, _span(call)
    window = timedelta(seconds=asked.window)
    before = -(-window // span.period) * span.period  # whole stretches, so that windows add up
    wide = Span(span.start - before, span.end, span.period)
    if len(_stretches(wide)) > _MOST_STRETCHES:
        raise invalid("is too long for such short periods", "window")
    kinds = [_SENT, *_OF_RATES.values()]
    counted = await call.store.read_at_length(measures.events, call.reach, kinds, wide)
    reach = before // span.period
    found = {
        name: _page(_points(counted, _OF_RATES[name], wide, reach, _stretches(span)), asked)
        for name in asked.rate_types or RATES
    }
    return RateMetrics(found)


def _points(
    counted: Mapping[str, Mapping[int, int]], kind: str, span: Span, reach: int, stretches: range
) -> list[RatePoint]:
    """Return a point for each stretch; it looks back over ``reach`` stretches."""
    size = len(stretches) + reach
    sent, hits = _sums(counted.get(_SENT, {}), size), _sums(counted.get(kind, {}), size)
    points: list[RatePoint] = []
    for number in stretches:
        end = number + reach + 1
        all_sent = sent[end] - sent[end - reach]
        rate = (hits[end] - hits[end - reach]) / all_sent if all_sent else None
        points.append(RatePoint(timestamp=min(span.at(end), span.end), rate=rate, sent=all_sent))
    return points


def _sums(counts: Mapping[int, int], size: int) -> list[int]:
    """Return how many there were before each stretch."""
    return list(itertools.accumulate((counts.get(n, 0) for n in range(size)), initial=0))


def _span(call: Call[Any]) -> Span:
    """Return the time that is asked for; raise ApiError for one that cannot be."""
    asked: MetricsQuery = call.given
    end = min(asked.end or call.now, call.now)
    oldest = call.now - _LONGEST - _DAY
    if end < oldest:
        raise invalid(f"is more than {_LONGEST.days} days ago", "end")
    start = asked.start or end - _DAY
    if start >= end:
        raise invalid("is not before end", "start")
    if start < oldest:
        raise invalid(f"is more than {_LONGEST.days} days ago", "start")
    span = Span(start, end, timedelta(seconds=asked.period) if asked.period else _PERIOD)
    if len(_stretches(span)) > _MOST_STRETCHES:
        raise invalid(f"makes more than {_MOST_STRETCHES} points", "period")
    return span


def _stretches(span: Span) -> range:
    return range(-(-(span.end - span.start) // span.period))


def _page(points: list[T], asked: MetricsQuery) -> list[T]:
    ordered = points[::-1] if asked.descending else points
    return ordered[: asked.limit]


def prometheus(
    parts: Parts, access: Access
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of ``/metrics``: gauges in Prometheus' text format."""

    async def answer(request: web.Request) -> web.StreamResponse:
        who = await access.identify(request)
        if not who.allows("metrics_read") or who.pod_id or who.inbox_id:
            raise ApiError("missing_permission", "The key lacks the permission metrics_read")
        since: datetime = parts.store.clock.beat() - _ALIVE
        found = await parts.store.read_at_length(measures.gauges, since)
        text = "".join(f"inboxkit_{name} {value}\n" for name, value in sorted(found.items()))
        return web.Response(text=text, content_type="text/plain", charset="utf-8")

    return answer


_READ = "metrics_read"
ROUTES: tuple[Route[Any], ...] = (
    Route("GET", "/metrics/events", events, EventMetricsQuery, EventMetrics, _READ, EVERYWHERE),
    Route("GET", "/metrics/usage", usage, UsageQuery, UsageMetrics, _READ, EVERYWHERE),
    Route("GET", "/metrics/rates", rates, RatesQuery, RateMetrics, _READ, EVERYWHERE),
)
