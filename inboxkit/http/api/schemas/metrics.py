"""Metrics on the wire: series by name, each a list of points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, RootModel

from .events import EventTypes
from .wire import Moment, Request, Stamp, Wire, Words

_MOST_SECONDS = 90 * 24 * 3600
_MOST_POINTS = 1_000
USAGES = (
    "storage_bytes",
    "message_count",
    "thread_count",
    "inbox_count",
    "pod_count",
    "domain_count",
)
RATES = ("bounce", "complaint")
_Period = Annotated[int, Field(ge=60, le=_MOST_SECONDS)]


def _among(known: Sequence[str]) -> Callable[[Sequence[str]], Sequence[str]]:
    def check(names: Sequence[str]) -> Sequence[str]:
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)[:200]}")
        return names

    return check


class MetricsQuery(Request):
    """From when to when (by default the last 24 hours), in stretches of ``period`` seconds."""

    start: Moment | None = None
    end: Moment | None = None
    period: _Period | None = None
    limit: Annotated[int, Field(ge=1, le=_MOST_POINTS)] = _MOST_POINTS
    descending: bool = False


class EventMetricsQuery(MetricsQuery):
    """Which types of events; all that have a count when none is named."""

    event_types: EventTypes = ()


class UsageQuery(MetricsQuery):
    """Which amounts; all when none is named."""

    usage_types: Annotated[Words, AfterValidator(_among(USAGES))] = ()


class RatesQuery(MetricsQuery):
    """Which rates; all when none is named. Each point covers the ``window`` seconds before it."""

    rate_types: Annotated[Words, AfterValidator(_among(RATES))] = ()
    window: _Period = 24 * 3600


class MetricBucket(Wire):
    """How many events there were from ``timestamp`` on, for a period."""

    timestamp: Stamp
    count: int


class UsagePoint(Wire):
    """How much there was at a moment."""

    timestamp: Stamp
    value: int


class RatePoint(Wire):
    """Which part of what was sent in the window before a moment; no ``rate`` if nothing was."""

    timestamp: Stamp
    rate: float | None = None
    sent: int


class EventMetrics(RootModel[Mapping[str, Sequence[MetricBucket]]], Wire):  # pyright: ignore[reportIncompatibleMethodOverride] - of one value
    """Counts by type of event."""


class UsageMetrics(RootModel[Mapping[str, Sequence[UsagePoint]]], Wire):  # pyright: ignore[reportIncompatibleMethodOverride] - of one value
    """Amounts by what is measured."""


class RateMetrics(RootModel[Mapping[str, Sequence[RatePoint]]], Wire):  # pyright: ignore[reportIncompatibleMethodOverride] - of one value
    """Rates by what is measured."""
