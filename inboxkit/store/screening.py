"""Arriving mail that nobody is to hear of, from somebody who is blocked or to a paused inbox: it
is labelled, never dropped.

An answer to one of our sends is held against the reply lists alone, all else against the receive
lists alone. Bounces and complaints come from servers, and are held against none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..values import Kind
from . import lists
from .inboxes import PAUSED
from .messages import mark
from .tables import message
from .verdicts import BLOCKED, RECEIVE, REPLY, Party, refusals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from .transactions import Tx
    from .unread import Reading

_PAUSED = "the inbox was paused when it came"
_REPORTS = (Kind.BOUNCE, Kind.COMPLAINT)


def screen(
    tx: Tx, readings: Sequence[Reading], placed: Sequence[Mapping[str, Any]]
) -> dict[int, str]:
    """Label what is blocked; return its row ids, and why."""
    found = {r.stored.id: _PAUSED for r in readings if r.job.data.get(PAUSED)}
    if lists.any_of(tx.connection, (RECEIVE, REPLY)):
        found = _listed(tx, readings, placed) | found
    mark(tx, [(row_id, BLOCKED) for row_id in found])
    return found


def _listed(
    tx: Tx, readings: Sequence[Reading], placed: Sequence[Mapping[str, Any]]
) -> dict[int, str]:
    """Return what comes from somebody whom a list blocks, and why."""
    new = [
        (r, p)
        for r, p in zip(readings, placed, strict=True)
        if r.parsed.kind not in _REPORTS
        and not (r.job.data.get("silent") or r.job.data.get("again"))
    ]
    ours = _sends(tx.connection, [p["answers_id"] for _, p in new if p["answers_id"]])
    answers = [r for r, p in new if p["answers_id"] in ours]
    others = [r for r, p in new if p["answers_id"] not in ours]
    return _blocked(tx, REPLY, answers) | _blocked(tx, RECEIVE, others)


def _sends(connection: Connection, ids: Sequence[int]) -> set[int]:
    mine = message.c.id.in_(ids) & (message.c.direction == "outbound")
    return set(connection.execute(select(message.c.id).where(mine)).scalars()) if ids else set()


def _blocked(tx: Tx, direction: str, readings: Sequence[Reading]) -> dict[int, str]:
    """Return which of these come from somebody who is blocked, by what From says."""
    parties = {r.stored.id: _party(r) for r in readings}
    why = refusals(tx.connection, direction, list(dict.fromkeys(parties.values())))
    return {row_id: why[party] for row_id, party in parties.items() if party in why}


def _party(reading: Reading) -> Party:
    address = reading.parsed.sender.email or reading.stored.mail_from
    return Party(address.lower(), reading.stored.inbox_id)
