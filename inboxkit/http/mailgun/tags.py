"""Tags of a domain: which are used, since when, and what happened to mail that carries them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...providers.mailgun_requests import Refusal
from ...store import mailgun_tags
from . import domains, stats
from .call import Call, Route
from .pages import listed as paging
from .pages import turn
from .queries import MOST_QUERY_BYTES, Query

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ...store.mailgun_tags import Tag

_DEFAULT = 100
_MOST_CHARACTERS = 500
_MOST_OF_ACCOUNT = 1_000
_SORTS = {"lastseen": "last_at", "firstseen": "first_at", "tag": "name"}
_RFC_3339 = "%Y-%m-%dT%H:%M:%SZ"


async def listed(call: Call) -> Mapping[str, Any]:
    """Return a page of tags, by name; with ``prefix`` those that begin so."""
    await domains.require(call)
    after, backwards = turn(call, "tag")
    prefix, limit = call.text("prefix"), max(1, call.number("limit", _DEFAULT))
    known = await call.store.read_at_length(mailgun_tags.listed, call.reach, call.domain)
    found = [one for one in known if one.name.startswith(prefix)]
    if backwards:
        before = [one for one in found if not after or one.name < after]
        rows = before[-limit:]
    else:
        rows = [one for one in found if one.name > after][:limit]
    path = f"/v3/{quote(call.domain)}/tags"
    urls = paging(call, path, "tag", rows, lambda one: one.name)
    return {"items": [_shown(one) for one in rows], "paging": urls}


async def get(call: Call) -> Mapping[str, Any]:
    """Return a tag."""
    return _shown(await _wanted(call))


async def update(call: Call) -> Mapping[str, Any]:
    """Say what a tag is for."""
    known = await _wanted(call)
    words = call.text("description")[:_MOST_CHARACTERS]
    await call.store.write(mailgun_tags.describe, call.domain, known.name, words)
    return {"message": "Tag updated"}


async def delete(call: Call) -> Mapping[str, Any]:
    """List a tag no more until it is used again; its statistics stay."""
    known = await _wanted(call)
    await call.store.write(mailgun_tags.remove, call.domain, known.name, call.now)
    return {"message": "Tag deleted"}


async def counted(call: Call) -> Mapping[str, Any]:
    """Return the counts of what happened to mail with a tag."""
    known = await _wanted(call)
    found = await stats.counted(call, domains=(call.domain,), tags=(known.name,))
    return {"tag": known.name, **found, "description": known.description}


async def _wanted(call: Call) -> Tag:
    """Return the tag of the path or of ``tag``; raise Refusal 404 for one that is not used."""
    await domains.require(call)
    name = call.ids.get("tag") or call.text("tag")
    known = await call.store.read_at_length(mailgun_tags.listed, call.reach, call.domain)
    found = next((one for one in known if one.name == name), None)
    if found is None:
        raise Refusal(404, "Tag not found")
    return found


async def of_account(call: Call) -> Mapping[str, Any]:
    """Return the tags of all domains, the last used first unless ``sort`` says otherwise."""
    query = Query(call.object)
    sort, skip, limit = query.page(_DEFAULT, _MOST_OF_ACCOUNT)
    by, _, direction = (sort or "lastseen:desc").partition(":")
    if by not in _SORTS or direction not in ("asc", "desc"):
        raise Refusal(400, f"pagination: sort is one of {', '.join(_SORTS)} with :asc or :desc")
    known = await call.store.read_at_length(mailgun_tags.listed, call.reach)
    part = "".join(query.texts("tag"))
    found = [one for one in known if part in one.name]
    found.sort(key=lambda one: getattr(one, _SORTS[by]), reverse=direction == "desc")
    page = {"sort": f"{by}:{direction}", "skip": skip, "limit": limit, "total": len(found)}
    items = [
        {
            "tag": one.name,
            "description": one.description,
            "first_seen": one.first_at.strftime(_RFC_3339),
            "last_seen": one.last_at.strftime(_RFC_3339),
        }
        for one in found[skip : skip + limit]
    ]
    return {"items": items, "pagination": page}


async def update_everywhere(call: Call) -> Mapping[str, Any]:
    """Say what a tag is for, in all domains that say nothing else."""
    words = call.text("description")[:_MOST_CHARACTERS]
    await call.store.write(mailgun_tags.describe, "", await _known(call), words)
    return {"message": "Tag updated"}


async def delete_everywhere(call: Call) -> Mapping[str, Any]:
    """List a tag no more, in no domain, until it is used again."""
    await call.store.write(mailgun_tags.remove, "", await _known(call), call.now)
    return {"message": "Tag deleted"}


async def _known(call: Call) -> str:
    """Return the tag of a request; raise Refusal 404 for one that is not used anywhere."""
    name = call.text("tag")
    known = await call.store.read_at_length(mailgun_tags.listed, call.reach)
    if not any(one.name == name for one in known):
        raise Refusal(404, "Tag not found")
    return name


def _shown(tag: Tag) -> dict[str, Any]:
    return {
        "tag": tag.name,
        "description": tag.description,
        "first-seen": _moment(tag.first_at),
        "last-seen": _moment(tag.last_at),
    }


def _moment(at: datetime) -> str:
    """Return a moment as Mailgun's tags have it: ``2023-01-02 02:14:27 +0000 UTC``."""
    return at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


_ACCOUNT = "/v1/analytics/tags"


def _routes(one: str) -> tuple[Route, ...]:
    return (
        Route("GET", one, get, "metrics_read"),
        Route("PUT", one, update, "domain_update", account=True),
        Route("DELETE", one, delete, "domain_update", account=True),
        Route("GET", f"{one}/stats", counted, "metrics_read"),
    )


ROUTES = (
    Route("GET", "/v3/{domain}/tags", listed, "metrics_read"),
    *_routes("/v3/{domain}/tags/{tag}"),
    *_routes("/v3/{domain}/tag"),
    Route("POST", _ACCOUNT, of_account, "metrics_read", most_bytes=MOST_QUERY_BYTES),
    Route("PUT", _ACCOUNT, update_everywhere, "domain_update", account=True),
    Route("DELETE", _ACCOUNT, delete_everywhere, "domain_update", account=True),
)
