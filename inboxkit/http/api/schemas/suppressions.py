"""Suppressions on the wire: addresses that must not be written to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from .wire import Line, Listed, PageQuery, Request, Stamp, Text, Wire

if TYPE_CHECKING:
    from ....store.suppressions import SuppressionRecord

_Domain = Annotated[Line, Field(max_length=255)]


class SuppressionsQuery(PageQuery):
    """Which entries: those of one sending domain ("" are those for all), or one address."""

    domain: _Domain | None = None
    address: Annotated[Text, Field(max_length=320)] | None = None


class CreateSuppressionRequest(Request):
    """An address not to write to, from one sending domain or (without) from any."""

    address: Annotated[Line, Field(min_length=3, max_length=320)]
    domain: _Domain = ""
    reason: Annotated[Line, Field(min_length=1, max_length=100)] = "manual"
    detail: Annotated[Line, Field(max_length=500)] = ""


class Suppression(Wire):
    """An entry; without ``domain`` it holds for all mail, with a pod's id for that pod's."""

    address: str
    domain: str | None = None
    reason: str
    detail: str | None = None
    created_at: Stamp


class ListSuppressionsResponse(Listed):
    """A page of entries, by address."""

    suppressions: Sequence[Suppression]


def suppression(record: SuppressionRecord) -> Suppression:
    """Return an entry for the wire."""
    return Suppression(
        address=record.address,
        domain=record.domain or None,
        reason=record.reason,
        detail=record.detail or None,
        created_at=record.created_at,
    )
