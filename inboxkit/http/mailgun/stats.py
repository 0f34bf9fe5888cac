"""Statistics: counts of events of a domain, of one of its tags, or of the whole account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...providers.mailgun_requests import Refusal
from ...store import mailgun_stats
from ...store.mailgun_events import NAMES, Wanted
from . import domains
from .call import Call, Route
from .pages import stamp
from .spans import span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...store.mailgun_stats import Count

_SUPPRESSED = {
    "suppressed (bounced)": "suppress-bounce",
    "suppressed (unsubscribed)": "suppress-unsubscribe",
    "suppressed (complained)": "suppress-complaint",
}


async def of_domain(call: Call) -> Mapping[str, Any]:
    """Return the counts of a domain."""
    await domains.require(call)
    return await counted(call, domains=(call.domain,))


async def of_account(call: Call) -> Mapping[str, Any]:
    """Return the counts of all that the key may see."""
    return await counted(call)


async def counted(
    call: Call, *, domains: Sequence[str] = (), tags: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Return the counts of the events that a request names, stretch by stretch."""
    names, asked = _names(call), span_of(call)
    wanted = Wanted(reach=call.reach, domains=domains, tags=tags, names=names)
    found = await call.store.read_at_length(mailgun_stats.counts, wanted, asked.edges)
    stats = [
        {"time": stamp(start), **_shown(names, [one for one in found if one.stretch == number])}
        for number, start in enumerate(asked.starts)
    ]
    return {
        "description": "",
        "start": stamp(asked.edges[0]),
        "end": stamp(asked.edges[-1]),
        "resolution": asked.resolution,
        "stats": stats,
    }


def _names(call: Call) -> list[str]:
    given = [name.strip() for text in call.texts("event") for name in text.split(",")]
    if not given:
        raise Refusal(400, "event parameter is missing")
    unknown = [name for name in given if name not in NAMES]
    if unknown:
        raise Refusal(400, f"event parameter is none of {', '.join(NAMES)}")
    return list(dict.fromkeys(given))


def _shown(names: Iterable[str], found: Sequence[Count]) -> dict[str, Any]:
    return {name: _of_name(name, [one for one in found if one.name == name]) for name in names}


def _of_name(name: str, found: Sequence[Count]) -> dict[str, Any]:
    total = sum(one.amount for one in found)
    if name == "accepted":
        return {"incoming": 0, "outgoing": total, "total": total}
    if name == "delivered":
        return {"smtp": total, "http": 0, "optimized": 0, "total": total}
    if name == "failed":
        return _failed(found)
    if name in ("opened", "clicked"):
        return {"total": total, "unique": sum(one.unique for one in found)}
    return {"total": total}


def _failed(found: Sequence[Count]) -> dict[str, Any]:
    reasons = dict.fromkeys((*_SUPPRESSED.values(), "bounce", "delayed-bounce"), 0)
    temporary = permanent = 0
    for one in found:
        if one.detail == "temporary":
            temporary += one.amount
            continue
        permanent += one.amount
        reason = _SUPPRESSED.get(one.detail, "bounce" if one.detail in ("hard", "soft") else "")
        if reason:
            reasons[reason] += one.amount
    return {
        "temporary": {"espblock": 0, "total": temporary},
        "permanent": {**reasons, "webhook": 0, "optimized": 0, "total": permanent},
    }


ROUTES = (
    Route("GET", "/v3/{domain}/stats/total", of_domain, "metrics_read"),
    Route("GET", "/v3/stats/total", of_account, "metrics_read"),
)
