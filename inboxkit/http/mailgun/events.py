"""The event log by domain, with Mailgun's filters and paging URLs."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...pipeline import mailgun_events as wire
from ...providers.mailgun_requests import Refusal, is_on
from ...store import mailgun_events
from ...store.mailgun_events import Wanted
from ..api import page_tokens
from ..api.envelope import ApiError
from . import domains
from .call import Call, Route

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

_KIND = "mailgun-events"
_MOST = 300
_DEFAULT = 100
_FORWARD, _BACK = 0, 1


async def listed(call: Call) -> Mapping[str, Any]:
    """Return what happened, newest first unless ``begin`` or ``ascending`` say otherwise."""
    return await _page(call, [])


async def turned(call: Call) -> Mapping[str, Any]:
    """Return another page of a list, by the token of its URL."""
    try:
        key = page_tokens.read(call.store.secret, _KIND, call.ids["token"])
    except ApiError:
        raise Refusal(400, "Invalid page token; take the URLs of paging as they are") from None
    query, *place = key
    return await _page(replace(call, query=str(query)), [int(part) for part in place])


async def _page(call: Call, place: Sequence[int]) -> Mapping[str, Any]:
    """Return a page. ``place``: direction, then entry and recipient where it starts, if any."""
    await domains.require(call)
    wanted, limit = _wanted(call), max(1, call.number("limit", _DEFAULT, most=_MOST))
    back = bool(place) and place[0] == _BACK
    if back:
        wanted = replace(wanted, ascending=not wanted.ascending)
    here = (place[1], place[2]) if len(place) > 2 else None
    after = here[0] if here else None
    rows = await call.store.read(mailgun_events.find, wanted, after, limit + 1)
    found = [spot for row in rows for spot in _spots(row, wanted) if _is_beyond(spot, here, wanted)]
    shown = found[:limit][::-1] if back else found[:limit]
    items = [wire.shown(row, number, call.base) for row, number in shown]
    return {"items": items, "paging": _paging(call, shown, here)}


def _spots(row: Row[Any], wanted: Wanted) -> list[tuple[Row[Any], int]]:
    """Return an entry once for each recipient that is asked for, in the order of the page."""
    asked = {address.lower() for address in wanted.recipients}
    found = [
        (row, number)
        for number, recipient in enumerate(wire.recipients(row))
        if not asked or any(part in recipient.lower() for part in asked)
    ]
    return found if wanted.ascending else found[::-1]


def _is_beyond(spot: tuple[Row[Any], int], here: tuple[int, int] | None, wanted: Wanted) -> bool:
    place = (spot[0].seq, spot[1])
    return here is None or (place > here if wanted.ascending else place < here)


def _paging(
    call: Call, shown: Sequence[tuple[Row[Any], int]], here: tuple[int, int] | None
) -> dict[str, str]:
    def url(*place: int) -> str:
        token = page_tokens.made(call.store.secret, _KIND, [call.query, *place])
        return f"{call.base}/v3/{quote(call.domain)}/events/{token}"

    ends = [(row.seq, number) for row, number in shown]
    first = ends[0] if ends else here or ()
    last = ends[-1] if ends else here or ()
    return {
        "first": url(_FORWARD),
        "last": url(_BACK),
        "next": url(_FORWARD, *last),
        "previous": url(_BACK, *first),
    }


def _wanted(call: Call) -> Wanted:
    begin, end = _moment(call, "begin"), _moment(call, "end")
    backwards = begin is not None and end is not None and begin > end
    ascending = is_on(call.text("ascending")) if call.text("ascending") else None
    has = call.text("attachment").lower()
    return Wanted(
        reach=call.reach,
        domain=call.domain,
        names=_any(call, "event"),
        severity=call.text("severity").lower(),
        recipients=_any(call, "recipient") or _any(call, "to") or _any(call, "recipients"),
        message_ids=_any(call, "message-id"),
        senders=_any(call, "from"),
        subjects=_any(call, "subject"),
        tags=_any(call, "tags"),
        has_attachment=None if not has else is_on(has),
        begin=end if backwards else begin,
        end=begin if backwards else end,
        ascending=(begin is not None and not backwards) if ascending is None else ascending,
    )


def _any(call: Call, name: str) -> tuple[str, ...]:
    """Return the values of a filter: repeated, or joined by OR as in ``rejected OR failed``."""
    parts = (part for text in call.texts(name) for part in text.split(" OR "))
    return tuple(filter(None, (part.strip().strip('"()') for part in parts)))


def _moment(call: Call, name: str) -> datetime | None:
    """Return a moment of the query: RFC 2822, or seconds since 1970."""
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
    except (ValueError, TypeError, OverflowError, OSError):
        raise Refusal(400, f"{name} parameter is neither RFC 2822 nor a number") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


ROUTES = (
    Route("GET", "/v3/{domain}/events", listed, "message_read"),
    Route("GET", "/v3/{domain}/events/{token}", turned, "message_read"),
)
