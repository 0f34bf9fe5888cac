"""The event log by domain, with Mailgun's filters and paging URLs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from ...pipeline import mailgun_events as wire
from ...providers.mailgun_requests import Refusal, is_on
from ...store import mailgun_events
from ...store.mailgun_events import Wanted
from ..api import page_tokens
from ..api.envelope import ApiError
from . import domains
from .call import Call, Route
from .spans import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

    Spot: TypeAlias = "tuple[Row[Any], int]"  # an entry, and the number of a recipient

_KIND = "mailgun-events"
_MOST = 300
_DEFAULT = 100
FORWARD, BACK = 0, 1
_NO_FILTERS = ("list", "size")  # of Mailgun's; without them an answer would tell of too much


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
    await domains.require(call)
    limit = max(1, call.number("limit", _DEFAULT, most=_MOST))
    shown = await page(call, _wanted(call), place, limit)
    return {"items": await told(call, shown), "paging": _paging(call, shown, place)}


async def page(call: Call, wanted: Wanted, place: Sequence[int], limit: int) -> list[Spot]:
    """Return a page of entries, each for one recipient.

    ``place``: direction, then entry and recipient where it starts, if any.
    """
    back = bool(place) and place[0] == BACK
    if back:
        wanted = replace(wanted, ascending=not wanted.ascending)
    here = (place[1], place[2]) if len(place) > 2 else None
    after = here[0] if here else None
    rows = await call.store.read_at_length(mailgun_events.find, wanted, after, limit + 1)
    found = [spot for row in rows for spot in _spots(row, wanted) if _is_beyond(spot, here, wanted)]
    return found[:limit][::-1] if back else found[:limit]


async def told(call: Call, spots: Sequence[Spot]) -> list[dict[str, Any]]:
    """Return entries as the event log shows them."""
    ids = [row.message_id for row, _ in spots]
    files = await call.store.read_at_length(mailgun_events.files, ids)
    return [wire.shown(*spot, call.base, files) for spot in spots]


def _spots(row: Row[Any], wanted: Wanted) -> list[Spot]:
    """Return an entry once for each recipient that is asked for, in the order of the page."""
    asked = {address.lower() for address in wanted.recipients}
    found = [
        (row, number)
        for number, recipient in enumerate(wire.recipients(row))
        if not asked or any(part in recipient.lower() for part in asked)
    ]
    return found if wanted.ascending else found[::-1]


def _is_beyond(spot: Spot, here: tuple[int, int] | None, wanted: Wanted) -> bool:
    place = (spot[0].seq, spot[1])
    return here is None or (place > here if wanted.ascending else place < here)


def _paging(call: Call, shown: Sequence[Spot], place: Sequence[int]) -> dict[str, str]:
    def url(*place: int) -> str:
        token = page_tokens.made(call.store.secret, _KIND, [call.query, *place])
        return f"{call.base}/v3/{quote(call.domain)}/events/{token}"

    ends = [(row.seq, number) for row, number in shown]
    here = tuple(place[1:])
    first, last = (ends[0], ends[-1]) if ends else (here, here)
    return {
        "first": url(FORWARD),
        "last": url(BACK),
        "next": url(FORWARD, *last),
        "previous": url(BACK, *first),
    }


def _wanted(call: Call) -> Wanted:
    ignored = next((name for name in _NO_FILTERS if call.text(name)), "")
    if ignored:
        raise Refusal(400, f"{ignored} is no filter of this server: leave it out")
    begin, end = moment(call, "begin"), moment(call, "end")
    backwards = begin is not None and end is not None and begin > end
    ascending = is_on(call.text("ascending")) if call.text("ascending") else None
    has = call.text("attachment").lower()
    return Wanted(
        reach=call.reach,
        domains=(call.domain,),
        names=tuple(name.lower() for name in _any(call, "event")),
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


ROUTES = (
    Route("GET", "/v3/{domain}/events", listed, "message_read"),
    Route("GET", "/v3/{domain}/events/{token}", turned, "message_read"),
)
