"""The tags of sends: which there are, told by the messages that carry them, and what for."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, String, cast, delete, func, insert, literal_column, select

from .mailgun_sends import of_domain
from .mailgun_tables import mailgun_send, mailgun_tag
from .tables import inbox, message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from .reach import Reach
    from .transactions import Tx

_TAGGED = message.c.tag != literal_column("''")  # no parameter: so the index is used


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag, and when it was first and last used."""

    name: str
    first_at: datetime
    last_at: datetime
    description: str = ""


def listed(connection: Connection, reach: Reach, domain: str = "") -> list[Tag]:
    """Return the tags of a domain, "" of all, by name; a deleted one only if used since."""
    used = _used(connection, reach, domain)
    for row in _said(connection, domain):
        tag = used.get(row.tag)
        if tag is None:
            continue
        if row.deleted_at is not None and tag.last_at <= row.deleted_at:
            del used[row.tag]
        elif row.description:
            used[row.tag] = replace(tag, description=row.description)
    return [used[name] for name in sorted(used)]


def describe(tx: Tx, domain: str, name: str, description: str) -> None:
    """Say what a tag is for."""
    _put(tx, domain, name, description=description)


def remove(tx: Tx, domain: str, name: str, now: datetime) -> None:
    """List a tag no more until it is used again; what was counted stays."""
    _put(tx, domain, name, description="", deleted_at=now)


def _put(tx: Tx, domain: str, name: str, **values: Any) -> None:
    key = {"domain": domain, "tag": name}
    held = tx.connection.execute(select(mailgun_tag).filter_by(**key)).mappings().first()
    tx.connection.execute(delete(mailgun_tag).filter_by(**key))
    known = dict(held) if held is not None else {"deleted_at": None}
    tx.connection.execute(insert(mailgun_tag), [{**known, **key, **values}])


def _said(connection: Connection, domain: str) -> Sequence[Row[Any]]:
    """Return what is said of tags; what is said for all domains comes first."""
    mine = mailgun_tag.c.domain.in_(("", domain))
    return connection.execute(select(mailgun_tag).where(mine).order_by(mailgun_tag.c.domain)).all()


def _used(connection: Connection, reach: Reach, domain: str) -> dict[str, Tag]:
    found: dict[str, Tag] = {}
    for names, first_at, last_at in _rows(connection, reach, domain):
        for name in names:
            held = found.get(name)
            known = held or Tag(name, first_at, last_at)
            found[name] = Tag(name, min(known.first_at, first_at), max(known.last_at, last_at))
    return found


def _rows(
    connection: Connection, reach: Reach, domain: str
) -> Iterable[tuple[Sequence[str], datetime, datetime]]:
    """Return the tags of messages that have the same, with the first and the last of these."""
    within = [_TAGGED, message.c.direction == "outbound", reach.inboxes()]
    if domain:
        within.append(of_domain(domain))
    several = cast(mailgun_send.c.tags, String)
    query = (
        select(
            message.c.tag,
            several,
            func.min(message.c.created_at),
            func.max(message.c.created_at),
        )
        .select_from(message.join(inbox, inbox.c.id == message.c.inbox_id))
        .outerjoin(mailgun_send, mailgun_send.c.message_id == message.c.id)
        .where(*within)
        .group_by(message.c.tag, several)
    )
    for tag, tags, first_at, last_at in connection.execute(query):
        yield json.loads(tags or "[]") or [tag], first_at, last_at
