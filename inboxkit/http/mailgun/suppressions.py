"""Bounces, complaints, unsubscribes of a domain: the suppressions that the outbox keeps to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...addresses import check_address
from ...parsing import dates
from ...providers.mailgun_requests import Refusal
from ...store import mailgun_lists
from ...store.suppressions import Entry
from . import domains
from .call import Call, Route
from .imports import MOST_ENTRIES, MOST_ENTRIES_BYTES, MOST_FILE_BYTES, in_turn, rows_of, stored
from .pages import listed, stamp, turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Row

_DEFAULT = 100
_ALL_TAGS = ("*",)
# What is said of each list.
_GONE = {
    "bounces": ("Bounced address has been removed", "Bounced addresses for this domain"),
    "complaints": ("Spam complaint has been removed", "Complaint addresses for this domain"),
    "unsubscribes": ("Unsubscribe event has been removed", "Unsubscribe addresses for this domain"),
}


async def page(name: str, call: Call) -> Mapping[str, Any]:
    """Return a page of a list, by address."""
    await domains.require(call)
    after, backwards = turn(call, "address")
    rows = await call.store.read_at_length(
        mailgun_lists.page,
        name,
        call.domain,
        after=after.lower(),
        backwards=backwards,
        limit=max(1, call.number("limit", _DEFAULT)),
        term=call.text("term"),
    )
    path = f"/v3/{quote(call.domain)}/{name}"
    paging = listed(call, path, "address", rows, lambda row: row.address)
    return {"items": [_shown(name, row) for row in rows], "paging": paging}


async def get(name: str, call: Call) -> Mapping[str, Any]:
    """Return one entry."""
    await domains.require(call)
    address = call.ids["address"]
    row = await call.store.read(mailgun_lists.find, name, call.domain, address)
    if row is None:
        raise Refusal(404, f"Address not found in {name} table")
    return _shown(name, row)


async def add(name: str, call: Call) -> Mapping[str, Any]:
    """Add an entry, or a list of them in JSON: all or none."""
    await domains.require(call)
    if len(call.entries) > MOST_ENTRIES:
        raise Refusal(400, f"A request has {MOST_ENTRIES} entries at most; import a file instead")
    entries = _entries(name, call, call.entries)
    await call.store.write(mailgun_lists.put, entries, call.now)
    if len(entries) == 1:
        words = f"Address has been added to the {name} table"
        return {"message": words, "address": entries[0].address}
    return {"message": f"{len(entries)} addresses have been added to the {name} table"}


async def bring(name: str, call: Call) -> Mapping[str, Any]:
    """Add the entries of a CSV file before this is answered; none if one of them is wrong."""
    await domains.require(call)
    entries = await in_turn(lambda: _entries(name, call, rows_of(call)))
    await stored(call, mailgun_lists.put, entries)
    return {"message": f"file uploaded successfully: {len(entries)} addresses have been added"}


async def remove(name: str, call: Call) -> Mapping[str, Any]:
    """Lift the suppression of an address."""
    await domains.require(call)
    address = call.ids["address"]
    if not await call.store.write(mailgun_lists.remove, name, call.domain, address):
        raise Refusal(404, f"Address not found in {name} table")
    return {"message": _GONE[name][0], "address": address}


async def clear(name: str, call: Call) -> Mapping[str, Any]:
    """Lift the suppressions of a list."""
    await domains.require(call)
    await call.store.write(mailgun_lists.remove, name, call.domain)
    return {"message": f"{_GONE[name][1]} have been removed"}


def _entries(name: str, call: Call, given: Iterable[Mapping[str, Any]]) -> list[Entry]:
    return [_entry(name, call.domain, one) for one in given]


def _entry(name: str, domain: str, given: Mapping[str, Any]) -> Entry:
    text = str(given.get("address") or "").strip()
    if not text:
        raise Refusal(400, "Missing mandatory parameter: address")
    try:
        address = check_address(text).lower()
    except ValueError as error:
        raise Refusal(400, f"Invalid address: {error}") from None
    if name == "unsubscribes":
        _check_tags(given)
    code, words = str(given.get("code") or ""), str(given.get("error") or "")
    when = str(given.get("created_at") or "")
    at = dates.parse(when)
    if at is None and when.strip():
        raise Refusal(400, "created_at is no date, such as Fri, 21 Oct 2011 11:02:55 UTC")
    return Entry(
        address=address,
        domain=domain,
        reason=mailgun_lists.REASONS[name][0],
        detail=f"{code} {words}".strip(),
        created_at=at,
    )


def _check_tags(given: Mapping[str, Any]) -> None:
    """Refuse an unsubscription from some tags: it would be taken for one from all."""
    tags = given.get("tags") or given.get("tag") or "*"
    if tags not in ("*", ["*"], '["*"]'):
        raise Refusal(400, 'Unsubscriptions are from all mail of a domain: give tag "*" or none')


def _shown(name: str, row: Row[Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"address": row.address, "created_at": stamp(row.created_at)}
    if name == "bounces":
        code, _, words = row.detail.partition(" ")
        is_code = len(code) == 3 and code.isdigit()
        shown |= {"code": code if is_code else "550", "error": words if is_code else row.detail}
    elif name == "unsubscribes":
        shown["tags"] = list(_ALL_TAGS)
    return shown


def _routes(name: str) -> tuple[Route, ...]:
    many, one = f"/v3/{{domain}}/{name}", f"/v3/{{domain}}/{name}/{{address}}"
    reads, writes = "suppression_read", "suppression_update"
    return (
        Route("GET", many, partial(page, name), reads, account=True),
        Route(
            "POST", many, partial(add, name), writes, account=True, most_bytes=MOST_ENTRIES_BYTES
        ),
        Route("DELETE", many, partial(clear, name), writes, account=True),
        Route(
            "POST",
            f"{many}/import",
            partial(bring, name),
            writes,
            account=True,
            most_bytes=MOST_FILE_BYTES,
        ),
        Route("GET", one, partial(get, name), reads, account=True),
        Route("DELETE", one, partial(remove, name), writes, account=True),
    )


ROUTES = tuple(route for name in mailgun_lists.REASONS for route in _routes(name))
