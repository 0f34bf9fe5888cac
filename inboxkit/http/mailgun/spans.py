"""The time that statistics are asked for: from, to, and in stretches of how long."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ...providers.mailgun_requests import Refusal

if TYPE_CHECKING:
    from .call import Call

_DURATION = re.compile(r"([0-9]{1,4})([hdm])", re.ASCII)
_RESOLUTIONS = {"h": "hour", "d": "day", "m": "month"}
_LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_WEEK = timedelta(days=7)
_MOST_STRETCHES = 2_000
_MOST_MONTHS = 120


@dataclass(frozen=True, slots=True)
class Span:
    """``edges`` part the stretches; the first begins them, the last is the end that was asked."""

    resolution: str
    edges: tuple[datetime, ...]

    @property
    def starts(self) -> tuple[datetime, ...]:
        """When each stretch begins."""
        return self.edges[:-1]


def span_of(call: Call) -> Span:
    """Return the span that a request asks for; raise Refusal for what is none.

    The default is the last seven days, day by day. ``duration`` (24h, 7d, 2m) overrides ``start``
    and ``resolution``.
    """
    until = min(moment(call, "end") or call.now, call.now)
    unit, duration = call.text("resolution") or "day", call.text("duration")
    if unit not in (*_LENGTHS, "month"):
        raise Refusal(400, "resolution parameter is none of hour, day, month")
    since = moment(call, "start") or before(until, _WEEK)
    if duration:
        unit, since = _back(duration, until)
    if since >= until:
        raise Refusal(400, "start parameter is not before end")
    return Span(unit, (*_starts(since, until, unit), until))


def moment(call: Call, name: str) -> datetime | None:
    """Return a moment of a request: RFC 2822, or seconds since 1970; raise Refusal for others."""
    text = call.text(name).strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    try:
        if not math.isnan(seconds):
            return datetime.fromtimestamp(seconds, UTC)
        found = parsedate_to_datetime(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        raise Refusal(400, f"{name} parameter is neither RFC 2822 nor a number") from None


def before(until: datetime, length: timedelta) -> datetime:
    """Return the start that leaves a length; raise Refusal where the calendar has none."""
    try:
        return until - length
    except OverflowError:
        raise Refusal(400, "end parameter is too long ago") from None


def _back(duration: str, until: datetime) -> tuple[str, datetime]:
    found = _DURATION.fullmatch(duration.strip())
    if found is None or not int(found[1]):
        raise Refusal(400, "duration parameter is not like 24h, 7d or 2m")
    number, unit = int(found[1]), _RESOLUTIONS[found[2]]
    if unit == "month":
        return unit, _months(_floor(until, unit), -min(number, _MOST_MONTHS + 1))
    return unit, before(until, number * _LENGTHS[unit])


def _floor(at: datetime, unit: str) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if unit == "hour" else hour.replace(hour=0, day=hour.day if unit == "day" else 1)


def _months(first: datetime, number: int) -> datetime:
    months = first.year * 12 + first.month - 1 + number
    if months < 12:
        raise Refusal(400, "start parameter is too long ago")
    return first.replace(year=months // 12, month=months % 12 + 1)


def _starts(since: datetime, until: datetime, unit: str) -> list[datetime]:
    """Return when the stretches begin, on the hour, the day or the month in UTC."""
    first, most = _floor(since, unit), _MOST_MONTHS if unit == "month" else _MOST_STRETCHES
    starts = [first]
    while True:
        following = _months(first, len(starts)) if unit == "month" else starts[-1] + _LENGTHS[unit]
        if following >= until:
            return starts
        if len(starts) >= most:
            raise Refusal(400, f"there are at most {most} stretches of a {unit}: ask for less")
        starts.append(following)
