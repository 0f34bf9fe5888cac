"""Metrics: counts and rates of events, by time, by domain and by tag."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ...providers.mailgun_requests import Refusal
from ...store import mailgun_stats
from ...store.mailgun_events import Wanted
from .call import Call, Route
from .pages import dated
from .queries import MOST_QUERY_BYTES, Query
from .spans import Span, span_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...store.mailgun_stats import Count

    Sums = Counter[str]

DIMENSIONS = ("time", "domain", "tag")
_MOST_ITEMS = 1_000
_SUPPRESSED = "suppressed ("
# What each count adds up; the words are those of ``_words``.
COUNTS: dict[str, tuple[str, ...]] = {
    "accepted_count": ("accepted",),
    "accepted_incoming_count": (),
    "accepted_outgoing_count": ("accepted",),
    "delivered_count": ("delivered",),
    "delivered_smtp_count": ("delivered",),
    "delivered_http_count": (),
    "stored_count": ("stored",),
    "sent_count": ("delivered", "permanent"),
    "opened_count": ("opened",),
    "clicked_count": ("clicked",),
    "unique_opened_count": ("unique opened",),
    "unique_clicked_count": ("unique clicked",),
    "unsubscribed_count": ("unsubscribed",),
    "complained_count": ("complained",),
    "failed_count": ("temporary", "permanent", "suppressed"),
    "temporary_failed_count": ("temporary",),
    "permanent_failed_count": ("permanent", "suppressed"),
    "bounced_count": ("hard", "soft"),
    "hard_bounces_count": ("hard",),
    "soft_bounces_count": ("soft",),
    "suppressed_bounces_count": ("suppressed (bounced)",),
    "suppressed_unsubscribed_count": ("suppressed (unsubscribed)",),
    "suppressed_complaints_count": ("suppressed (complained)",),
}
# Which count is divided by which.
RATES: dict[str, tuple[str, str]] = {
    "delivered_rate": ("delivered_count", "sent_count"),
    "opened_rate": ("opened_count", "delivered_count"),
    "clicked_rate": ("clicked_count", "delivered_count"),
    "unique_opened_rate": ("unique_opened_count", "delivered_count"),
    "unique_clicked_rate": ("unique_clicked_count", "delivered_count"),
    "unsubscribed_rate": ("unsubscribed_count", "delivered_count"),
    "complained_rate": ("complained_count", "delivered_count"),
    "bounce_rate": ("bounced_count", "sent_count"),
    "fail_rate": ("failed_count", "sent_count"),
    "permanent_fail_rate": ("permanent_failed_count", "sent_count"),
    "temporary_fail_rate": ("temporary_failed_count", "sent_count"),
}


async def counted(call: Call) -> Mapping[str, Any]:
    """Return the metrics that are asked for, an item for each value of the dimensions."""
    query, asked = Query(call.object), span_of(call)
    dimensions, metrics = _dimensions(query), _metrics(query)
    _, skip, limit = query.page(_MOST_ITEMS, _MOST_ITEMS)
    wanted = _wanted(call, query)
    found = await call.store.read_at_length(
        mailgun_stats.counts,
        wanted,
        asked.edges,
        by_address="domain" in dimensions,
        by_tag="tag" in dimensions,
    )
    items = _items(found, dimensions, asked, wanted.tags)
    whole = _measured(metrics, _sum(found)) if query.is_on("include_aggregates") else {}
    return {
        "start": dated(asked.edges[0]),
        "end": dated(asked.edges[-1]),
        "resolution": asked.resolution,
        "duration": call.text("duration"),
        "dimensions": list(dimensions),
        "pagination": {"sort": "", "skip": skip, "limit": limit, "total": len(items)},
        "items": [_item(dimensions, metrics, *item) for item in items[skip : skip + limit]],
        "aggregates": {"metrics": whole},
    }


def _wanted(call: Call, query: Query) -> Wanted:
    filters = query.filters(("domain", "tag"))
    domains = [name.lower() for name in filters.get("domain", ())]
    return Wanted(reach=call.reach, domains=domains, tags=filters.get("tag", ()))


def _item(
    dimensions: Sequence[str], metrics: Sequence[str], key: Sequence[str], sums: Sums
) -> dict[str, Any]:
    return {"dimensions": _named(dimensions, key), "metrics": _measured(metrics, sums)}


def _dimensions(query: Query) -> tuple[str, ...]:
    found = query.texts("dimensions")
    unknown = [name for name in found if name not in DIMENSIONS]
    if unknown or len(set(found)) < len(found):
        raise Refusal(400, f"dimensions are {', '.join(DIMENSIONS)}, each once")
    return found


def _metrics(query: Query) -> tuple[str, ...]:
    found = query.texts("metrics")
    unknown = [name for name in found if name not in COUNTS and name not in RATES]
    if unknown:
        raise Refusal(400, f"metrics: {unknown[0][:100]} is not kept here")
    return found or tuple(COUNTS)


def _items(
    found: Sequence[Count], dimensions: Sequence[str], asked: Span, tags: Sequence[str]
) -> list[tuple[tuple[str, ...], Sums]]:
    """Return the sums by the values of the dimensions; every stretch of time is there."""
    of_time: dict[int, str] = {number: dated(start) for number, start in enumerate(asked.starts)}
    order = {name: number for number, name in of_time.items()}
    sums: dict[tuple[str, ...], Sums] = {}
    if tuple(dimensions) == ("time",):
        sums = {(name,): Counter() for name in order}
    for one in found:
        for key in _keys(one, dimensions, of_time, tags):
            sums.setdefault(key, Counter()).update(_words(one))
    return sorted(sums.items(), key=lambda i: [(order.get(value, -1), value) for value in i[0]])


def _keys(
    one: Count, dimensions: Sequence[str], of_time: Mapping[int, str], tags: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return where an entry counts: with several tags at each, or at those asked for (``tags``).

    By tag, one without any counts nowhere.
    """
    keys: list[tuple[str, ...]] = [()]
    for name in dimensions:
        values = {
            "time": (of_time[one.stretch],),
            "domain": (one.address.rpartition("@")[2],),
            "tag": tuple(tag for tag in one.tags if not tags or tag in tags),
        }[name]
        keys = [(*key, value) for key in keys for value in values]
    return keys


def _words(one: Count) -> Sums:
    """Return what an entry adds to, by the words of ``COUNTS``."""
    if one.name != "failed":
        return Counter({one.name: one.amount, f"unique {one.name}": one.unique})
    if one.detail.startswith(_SUPPRESSED):
        return Counter({"suppressed": one.amount, one.detail: one.amount})
    if one.detail == "temporary":
        return Counter({"temporary": one.amount})
    return Counter({"permanent": one.amount, one.detail: one.amount})


def _sum(found: Sequence[Count]) -> Sums:
    whole: Sums = Counter()
    for one in found:
        whole.update(_words(one))
    return whole


def _measured(metrics: Sequence[str], sums: Sums) -> dict[str, Any]:
    def count(name: str) -> int:
        return sum(sums[word] for word in COUNTS[name])

    def rate(name: str) -> str:
        part, whole = RATES[name]
        return f"{count(part) / count(whole) if count(whole) else 0:.4f}"

    return {name: count(name) if name in COUNTS else rate(name) for name in metrics}


def _named(dimensions: Sequence[str], key: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"dimension": name, "value": value, "display_value": value}
        for name, value in zip(dimensions, key, strict=True)
    ]


ROUTES = (
    Route("POST", "/v1/analytics/metrics", counted, "metrics_read", most_bytes=MOST_QUERY_BYTES),
)
