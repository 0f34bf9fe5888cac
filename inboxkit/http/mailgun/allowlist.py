"""The allowlist of a domain: addresses and domains that a bounce does not suppress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...addresses import check_address
from ...providers.mailgun_requests import Refusal
from ...store import mailgun_lists
from . import domains
from .call import Call, Route
from .imports import MOST_ENTRIES, MOST_ENTRIES_BYTES, MOST_FILE_BYTES, in_turn, rows_of, stored
from .pages import listed, stamp, turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from ...store.transactions import Tx

_DEFAULT = 100


async def page(call: Call) -> Mapping[str, Any]:
    """Return a page of the list, by value."""
    await domains.require(call)
    after, backwards = turn(call, "address")
    rows = await call.store.read_at_length(
        mailgun_lists.allowed,
        call.domain,
        after=after.lower(),
        backwards=backwards,
        limit=max(1, call.number("limit", _DEFAULT)),
    )
    path = f"/v3/{quote(call.domain)}/whitelists"
    paging = listed(call, path, "address", rows, lambda row: row.value)
    return {"items": [_shown(row) for row in rows], "paging": paging}


async def get(call: Call) -> Mapping[str, Any]:
    """Return one entry."""
    await domains.require(call)
    row = await call.store.read(mailgun_lists.find_allowed, call.domain, call.ids["value"])
    if row is None:
        raise Refusal(404, "Address/Domain not found in whitelists table")
    return _shown(row)


async def add(call: Call) -> Mapping[str, Any]:
    """Add addresses or domains: all or none."""
    await domains.require(call)
    if len(call.entries) > MOST_ENTRIES:
        raise Refusal(400, f"A request has {MOST_ENTRIES} entries at most; import a file instead")
    values = [_value(one) for one in call.entries]
    await call.store.write(mailgun_lists.allow, call.domain, values, call.now)
    value, kind, _ = values[0]
    words = "Address/Domain has been added to the whitelists table"
    return {"message": words, "type": kind, "value": value}


async def bring(call: Call) -> Mapping[str, Any]:
    """Add the entries of a CSV file before this is answered; none if one of them is wrong."""
    await domains.require(call)
    values = await in_turn(lambda: [_value(one) for one in rows_of(call)])

    def allow(tx: Tx, some: Sequence[tuple[str, str, str]], now: datetime) -> None:
        mailgun_lists.allow(tx, call.domain, some, now)

    await stored(call, allow, values)
    return {"message": f"file uploaded successfully: {len(values)} entries have been added"}


async def remove(call: Call) -> Mapping[str, Any]:
    """Delete an entry."""
    await domains.require(call)
    value = call.ids["value"]
    if not await call.store.write(mailgun_lists.disallow, call.domain, value):
        raise Refusal(404, "Address/Domain not found in whitelists table")
    return {"message": "Whitelist address/domain has been removed", "value": value}


async def clear(call: Call) -> Mapping[str, Any]:
    """Delete all entries."""
    await domains.require(call)
    await call.store.write(mailgun_lists.disallow, call.domain)
    return {"message": "Whitelist addresses/domains for this domain have been removed"}


def _value(given: Mapping[str, Any]) -> tuple[str, str, str]:
    reason = str(given.get("reason") or "")[:500]
    address, domain = (str(given.get(n) or "").strip().lower() for n in ("address", "domain"))
    if not (address or domain):
        raise Refusal(400, "Missing mandatory parameter: address or domain")
    try:
        check_address(address or f"x@{domain}")
    except ValueError as error:
        raise Refusal(400, f"Invalid address or domain: {error}") from None
    return address or domain, "address" if address else "domain", reason


def _shown(row: Row[Any]) -> dict[str, Any]:
    at = stamp(row.created_at)
    return {"type": row.kind, "value": row.value, "reason": row.reason, "createdAt": at}


_MANY = "/v3/{domain}/whitelists"
_ONE = f"{_MANY}/{{value}}"
ROUTES = (
    Route("GET", _MANY, page, "suppression_read", account=True),
    Route("POST", _MANY, add, "suppression_update", account=True, most_bytes=MOST_ENTRIES_BYTES),
    Route("DELETE", _MANY, clear, "suppression_update", account=True),
    Route(
        "POST",
        f"{_MANY}/import",
        bring,
        "suppression_update",
        account=True,
        most_bytes=MOST_FILE_BYTES,
    ),
    Route("GET", _ONE, get, "suppression_read", account=True),
    Route("DELETE", _ONE, remove, "suppression_update", account=True),
)
