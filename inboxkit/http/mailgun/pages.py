"""Mailgun's paging: absolute URLs to the first, the next, the previous and the last page."""

from __future__ import annotations

from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ...providers.mailgun_requests import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from .call import Call

_TURNS = ("first", "next", "previous", "last")


def turn(call: Call, pivot: str) -> tuple[str, bool]:
    """Return the name that a page starts after, and whether it is read backwards.

    ``pivot`` is the field of the query that holds the name.
    """
    wanted = call.text("page") or "first"
    wanted = "previous" if wanted == "prev" else wanted  # as Mailgun's lists of tags say it
    if wanted not in _TURNS:
        raise Refusal(400, f"page parameter is none of {', '.join(_TURNS)}")
    after = call.text(pivot) if wanted in ("next", "previous") else ""
    return after, wanted in ("previous", "last")


def listed(
    call: Call, path: str, pivot: str, rows: Sequence[Any], name: Callable[[Any], str]
) -> dict[str, str]:
    """Return the URLs around a page of names in rising order."""
    limit = call.text("limit")

    def url(page: str, at: str = "") -> str:
        given = {"page": page, pivot: at, "limit": limit}
        query = urlencode({k: v for k, v in given.items() if v})
        return f"{call.base}{path}?{query}"

    here = call.text(pivot)
    return {
        "first": url("first"),
        "last": url("last"),
        "next": url("next", name(rows[-1]) if rows else here),
        "previous": url("previous", name(rows[0]) if rows else here),
    }


def stamp(moment: datetime) -> str:
    """Return a moment as Mailgun's lists write it: ``Fri, 21 Oct 2011 11:02:55 GMT``."""
    return format_datetime(moment, usegmt=True)


def dated(moment: datetime) -> str:
    """Return a moment as Mailgun's analytics write it: ``Wed, 01 Nov 2023 00:00:00 +0000``."""
    return format_datetime(moment)
