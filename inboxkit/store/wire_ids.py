"""The ids by which programs outside know messages: the RFC 5322 Message-ID where it is unique.

A mail without one, or a second mail of an inbox with the same one, has only the id of its row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, and_, select

from ..tokens import public_id, row_id
from .prepared import Prepared, among
from .tables import label, message, reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .reach import Reach


def of(connection: Connection, ids: Sequence[int]) -> Mapping[int, str]:
    """Return the names of messages by row id; those that are gone are left out."""
    return {
        row.id: row.message_id if row.named == row.id else public_id("msg", row.id)
        for row in _named.rows(connection, ids=ids)
    }


_named = Prepared(
    select(message.c.id, message.c.message_id, reference.c.message_id.label("named"))
    .outerjoin(
        reference,
        and_(
            reference.c.inbox_id == message.c.inbox_id, reference.c.rfc_id == message.c.message_id
        ),
    )
    .where(among(message.c.id))
)


def find(connection: Connection, reach: Reach, inbox_id: int, names: Sequence[str]) -> int | None:
    """Return the message of an inbox that the first of these names is known for."""
    for name in names:
        found = _by_row(connection, inbox_id, name) or _by_rfc(connection, inbox_id, name)
        if found is not None and not _forbidden(connection, reach, found):
            return found
    return None


def find_all(
    connection: Connection, reach: Reach, inbox_id: int, names: Sequence[str]
) -> list[int]:
    """Return the messages of an inbox with these names, in order; unknown ones are left out."""
    found = (find(connection, reach, inbox_id, [name]) for name in names)
    return list(dict.fromkeys(row for row in found if row is not None))


def _by_row(connection: Connection, inbox_id: int, name: str) -> int | None:
    try:
        wanted = row_id("msg", name)
    except ValueError:
        return None
    mine = (message.c.id == wanted) & (message.c.inbox_id == inbox_id)
    query = select(message.c.id).where(mine, message.c.thread_id.is_not(None))
    return connection.execute(query).scalar()


def _by_rfc(connection: Connection, inbox_id: int, name: str) -> int | None:
    query = (
        select(message.c.id)
        .join(reference, reference.c.message_id == message.c.id)
        .where(reference.c.inbox_id == inbox_id, reference.c.rfc_id == name)
    )
    return connection.execute(query).scalar()


def _forbidden(connection: Connection, reach: Reach, found: int) -> bool:
    if not reach.forbidden:
        return False
    mine = (label.c.message_id == found) & label.c.label.in_(reach.forbidden)
    return connection.execute(select(label.c.label).where(mine).limit(1)).first() is not None
