"""Suppressions: one list for all tenants, so only a key of the whole organization sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...addresses import check_address
from ...store import suppressions
from .envelope import ApiError, invalid
from .routing import Route
from .schemas.suppressions import (
    CreateSuppressionRequest,
    ListSuppressionsResponse,
    Suppression,
    SuppressionsQuery,
    suppression,
)
from .schemas.wire import Nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...store.suppressions import SuppressionRecord
    from .call import Call


def _require_all(call: Call[Any]) -> None:
    if call.reach.pod_id is not None or call.reach.inbox_id is not None:
        raise ApiError("forbidden", "A key that is bound to a pod or an inbox sees no suppressions")


async def listed(call: Call[SuppressionsQuery]) -> ListSuppressionsResponse:
    """List who must not be written to, by address."""
    _require_all(call)
    asked, page = call.given, call.page("suppressions", call.given)
    if page.after is not None:
        page = replace(page, after=(page.after[0], page.after[1]))
    found = await call.store.read_at_length(
        suppressions.listed, page, domain=asked.domain, address=asked.address
    )
    items, fields = call.cut("suppressions", page, found, lambda one: [one.address, one.domain])
    return ListSuppressionsResponse(suppressions=[suppression(one) for one in items], **fields)


async def create(call: Call[CreateSuppressionRequest]) -> Suppression:
    """Suppress an address; one that is suppressed already stays as it is."""
    _require_all(call)
    asked = call.given
    try:
        check_address(asked.address)
    except ValueError as error:
        raise invalid(str(error), "address") from None
    domain = asked.domain.lower()
    await call.store.write(
        suppressions.add,
        asked.address,
        reason=asked.reason,
        now=call.now,
        domain=domain,
        detail=asked.detail,
    )
    kept = await call.store.read(suppressions.of_address, asked.address)
    made = next((one for one in kept if one.domain == domain), None)
    if made is None:
        raise ApiError(
            "unprocessable",
            f"{asked.address.lower()} is on an allowlist: a bounce does not suppress it",
            fix="give another reason, or take the address or its domain off the allowlist",
        )
    return suppression(made)


async def wanted(call: Call[Any]) -> Sequence[SuppressionRecord]:
    """Return the entries of the address in the path; raise ApiError 404."""
    _within = call.reach.pod_id is None and call.reach.inbox_id is None
    found = await call.store.read(suppressions.of_address, call.name("address")) if _within else ()
    if not found:
        raise call.unknown("Suppression", "address")
    return found


async def get(call: Call[Nothing]) -> ListSuppressionsResponse:
    """Return why an address is suppressed: an entry for each sending domain."""
    found = [suppression(one) for one in await wanted(call)]
    return ListSuppressionsResponse(count=len(found), limit=len(found), suppressions=found)


async def delete(call: Call[Nothing]) -> None:
    """Lift all suppressions of an address."""
    await wanted(call)
    await call.store.write(suppressions.remove, call.name("address"))


_LIST, _ITEM = "/suppressions", "/suppressions/{address}"
_READ, _UPDATE = "suppression_read", "suppression_update"
ROUTES: tuple[Route[Any], ...] = (
    Route("GET", _LIST, listed, SuppressionsQuery, ListSuppressionsResponse, _READ),
    Route("POST", _LIST, create, CreateSuppressionRequest, Suppression, _UPDATE),
    Route("GET", _ITEM, get, Nothing, ListSuppressionsResponse, _READ),
    Route("DELETE", _ITEM, delete, Nothing, None, _UPDATE),
)
