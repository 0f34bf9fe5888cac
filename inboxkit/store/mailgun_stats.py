"""How many events there were by Mailgun's names, in stretches of time, by domain and by tag."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Integer, String, case, cast, func, null, select, type_coerce
from sqlalchemy.types import BigInteger

from . import mailgun_events
from .mailgun_tables import mailgun_send
from .tables import event, inbox, message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

    from .mailgun_events import Wanted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DETAIL = case(
    (mailgun_events.TEMPORARY, "temporary"),
    (mailgun_events.SUPPRESSED, event.c.reason),
    (event.c.type == "bounced", case((event.c.hard.is_(True), "hard"), else_="soft")),
    else_="",
)
# An entry without a recipient is about each of the envelope's, as the list of events shows it.
_EVERYBODY = func.json_array_length(message.c.rcpt_to, type_=Integer)
_AMOUNT = case(
    (message.c.direction == "inbound", 1),
    (event.c.recipient != "", 1),
    (_EVERYBODY > 1, _EVERYBODY),
    else_=1,
)
_WHO = case(
    (
        event.c.type.in_(("opened", "clicked")),
        cast(event.c.message_id, String) + "/" + event.c.recipient,
    ),
    else_=null(),
)


@dataclass(frozen=True, slots=True)
class Count:
    """How many events of one name there were in a stretch, and of how many readers.

    ``detail`` of what failed is temporary, hard, soft, or why it was suppressed. ``address`` is
    that of the inbox, ``tags`` those of the messages; both only where they are asked for.
    """

    stretch: int
    name: str
    detail: str
    amount: int
    unique: int
    address: str = ""
    tags: tuple[str, ...] = ()


def counts(
    connection: Connection,
    wanted: Wanted,
    edges: Sequence[datetime],
    *,
    by_address: bool = False,
    by_tag: bool = False,
) -> list[Count]:
    """Return the counts in the stretches that ``edges`` part, the last of them ending the last."""
    keys = _keys(edges, by_address, by_tag)
    entries = (
        select(
            *(key.label(name) for name, key in keys.items()),
            _AMOUNT.label("amount"),
            _WHO.label("who"),
        )
        .select_from(mailgun_events.JOINED)
        .where(*mailgun_events.conditions(wanted))
        .where(event.c.at >= edges[0], event.c.at < edges[-1])
        .subquery()
    )
    shown = [entries.c[name] for name in keys]
    query = select(
        *shown,
        func.sum(entries.c.amount).label("amount"),
        func.count(entries.c.who.distinct()).label("unique"),
    ).group_by(*shown)
    return [_count(dict(row)) for row in connection.execute(query).mappings()]


def _keys(edges: Sequence[datetime], by_address: bool, by_tag: bool) -> dict[str, Any]:
    """Return what entries are counted by."""
    found: dict[str, Any] = {
        "stretch": _stretch(edges),
        "name": mailgun_events.named(),
        "detail": _DETAIL,
    }
    if by_address:
        found["address"] = inbox.c.address
    if by_tag:
        found |= {"tag": message.c.tag, "tags": cast(mailgun_send.c.tags, String)}
    return found


def _stretch(edges: Sequence[datetime]) -> ColumnElement[int]:
    """Return the number of the stretch that an entry lies in; both databases divide as C does."""
    lengths = {later - earlier for earlier, later in itertools.pairwise(edges)}
    if len(lengths) < 2:
        length = max(lengths, default=edges[-1] - edges[0])
        since = type_coerce(event.c.at, BigInteger) - (edges[0] - _EPOCH) // _MICROSECOND
        return since // (length // _MICROSECOND)
    ends = [(event.c.at < edge, number) for number, edge in enumerate(edges[1:])]
    return case(*ends, else_=len(edges) - 2)


def _count(row: dict[str, Any]) -> Count:
    tag, several = row.pop("tag", ""), json.loads(row.pop("tags", None) or "[]")
    return Count(**row, tags=tuple(several) or ((tag,) if tag else ()))
