"""The event log as Mailgun's newer API shows it: of all domains, asked for in JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from ...providers.mailgun_requests import Refusal
from ...store.mailgun_events import NAMES, Wanted
from ..api import page_tokens
from ..api.envelope import ApiError
from .call import Call, Route
from .events import BACK, FORWARD, page, told
from .pages import dated
from .queries import MOST_QUERY_BYTES, Query
from .spans import before, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .events import Spot

_KIND = "mailgun-logs"
_MOST, _DEFAULT = 100, 50
_DAY = timedelta(days=1)
_FILTERS = {
    "domain": "domains",
    "event": "names",
    "recipient": "recipients",
    "message_id": "message_ids",
    "from": "senders",
    "subject": "subjects",
    "tag": "tags",
}


async def listed(call: Call) -> Mapping[str, Any]:
    """Return what happened, the last day unless ``start`` and ``end`` say otherwise."""
    query = Query(call.object)
    wanted = _wanted(call, query)
    sort, _, limit = query.page(_DEFAULT, _MOST)
    wanted = replace(wanted, ascending=_is_ascending(sort))
    place = _place(call, query.token())
    shown = await page(call, wanted, place, limit)
    return {
        "start": dated(wanted.begin) if wanted.begin else "",
        "end": dated(wanted.end) if wanted.end else "",
        "items": [
            _shown(spot, said) for spot, said in zip(shown, await told(call, shown), strict=True)
        ],
        "pagination": _tokens(call, shown, place),
        "aggregates": {},
    }


def _wanted(call: Call, query: Query) -> Wanted:
    end = moment(call, "end") or call.now
    filters = query.filters(tuple(_FILTERS))
    given: dict[str, Any] = {_FILTERS[name]: values for name, values in filters.items()}
    names = query.texts("events")
    unknown = [name for name in (*names, *given.get("names", ())) if name not in NAMES]
    if unknown:
        raise Refusal(400, f"events are {', '.join(NAMES)}")
    if names:
        given["names"] = names
    given["domains"] = [name.lower() for name in given.get("domains", ())]
    begin = moment(call, "start") or before(end, _DAY)
    return Wanted(reach=call.reach, begin=begin, end=end, **given)


def _is_ascending(sort: str) -> bool:
    if sort not in ("", "timestamp:asc", "timestamp:desc"):
        raise Refusal(400, "pagination: sort is timestamp:asc or timestamp:desc")
    return sort == "timestamp:asc"


def _place(call: Call, token: str) -> list[int]:
    if not token:
        return []
    try:
        return [int(part) for part in page_tokens.read(call.store.secret, _KIND, token)]
    except ApiError:
        raise Refusal(400, "pagination: token is none of this list") from None


def _tokens(call: Call, shown: Sequence[Spot], place: Sequence[int]) -> dict[str, str]:
    def token(*place: int) -> str:
        return page_tokens.made(call.store.secret, _KIND, place)

    ends = [(row.seq, number) for row, number in shown]
    here = tuple(place[1:])
    return {
        "first": token(FORWARD),
        "last": token(BACK),
        "next": token(FORWARD, *(ends[-1] if ends else here)),
        "previous": token(BACK, *(ends[0] if ends else here)),
    }


def _shown(spot: Spot, said: dict[str, Any]) -> dict[str, Any]:
    """Return an event in the form of this list, which is a little different."""
    said.pop("timestamp")
    said.pop("inboxkit")
    said["user-variables"] = json.dumps(said["user-variables"])
    at = spot[0].at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    domain = {"name": spot[0].inbox_address.rpartition("@")[2]}
    return {**said, "@timestamp": at, "domain": domain}


ROUTES = (Route("POST", "/v1/analytics/logs", listed, "message_read", most_bytes=MOST_QUERY_BYTES),)
