"""Full-text search: the index, and the query language turned into SQL. Newest first, always.

Ranking a common term costs a second at a million rows (measured), so results are by age.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    func,
    not_,
    or_,
    select,
    text,
)

from . import search_postgres
from .pages import Page, paged
from .tables import attachment, inbox, label, message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .query import Query, Term
    from .reach import Reach
    from .writer import Tx

# No rows of the label table: columns of the message.
COMPUTED_LABELS = frozenset({"unread", "read", "received", "sent", "scheduled", "bounced"})
_COLUMNS = "rowid, subject, sender, recipients, body"
_SOURCE = "SELECT id, subject, sender, recipients, body FROM inboxkit_searchable WHERE id"


def index(tx: Tx, ids: Sequence[int]) -> None:
    """Add messages to the index, once their content is stored."""
    if not _is_sqlite(tx.connection):
        return search_postgres.index(tx.connection, ids)
    tx.connection.exec_driver_sql(
        f"INSERT INTO inboxkit_search({_COLUMNS}) {_SOURCE} = ?", [(row_id,) for row_id in ids]
    )
    return None


def remove(tx: Tx, ids: Sequence[int]) -> None:
    """Take messages out of the index, while their content is still stored."""
    if not _is_sqlite(tx.connection):
        return search_postgres.remove(tx.connection, ids)
    for row_id in ids:
        tx.connection.exec_driver_sql(
            f"INSERT INTO inboxkit_search(inboxkit_search, {_COLUMNS}) "
            f"SELECT 'delete', * FROM ({_SOURCE} = ?)",
            (row_id,),
        )
    return None


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def find(
    connection: Connection,
    query: Query,
    *,
    inbox_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[int]:
    """Return row ids of messages that match, newest first, older than ``before``."""
    wanted: Select[Any] = select(message.c.id).order_by(message.c.id.desc()).limit(limit)
    if inbox_id is not None:
        wanted = wanted.where(message.c.inbox_id == inbox_id)
    if before is not None:
        wanted = wanted.where(message.c.id < before)
    found = conditions(connection, query, inbox_id)
    return list(connection.execute(wanted.where(*found)).scalars())


def page(
    connection: Connection,
    reach: Reach,
    query: Query,
    page: Page[int],
    *,
    hidden: Sequence[str] = (),
) -> list[int]:
    """Return a page of messages within reach that match and carry no ``hidden`` label.

    What is not read yet has no thread, and is not listed.
    """
    wanted = select(message.c.id).where(
        reach.owns(message.c.inbox_id),
        message.c.thread_id.is_not(None),
        *conditions(connection, query, reach.inbox_id),
        *shown(hidden),
    )
    return list(connection.execute(paged(wanted, message.c.id, page)).scalars())


def shown(hidden: Sequence[str]) -> list[ColumnElement[bool]]:
    """Return what holds for messages that carry none of these labels."""
    mine = and_(label.c.message_id == message.c.id, label.c.label.in_(hidden))
    return [not_(exists().where(mine))] if hidden else []


def conditions(
    connection: Connection, query: Query, inbox_id: int | None = None
) -> list[ColumnElement[bool]]:
    """Return what holds for messages that match; ``inbox_id`` if only those of one are asked for.

    It may look into the index, and so belongs to the moment.
    """
    filters = [condition(term) for term in query.filters]
    if not query.words:
        return filters
    if not _is_sqlite(connection):
        return search_postgres.conditions(connection, query, inbox_id) + filters
    return _text_conditions(query) + filters


def _text_conditions(query: Query) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    matches = " ".join(_fts(term) for term in query.words if not term.negated)
    if matches:
        found.append(_in_index(matches))
    return found + [not_(_in_index(_fts(term))) for term in query.words if term.negated]


def condition(term: Term) -> ColumnElement[bool]:
    """Return what holds for messages that one filter wants."""
    found: ColumnElement[bool] = _FILTERS[term.field](term)
    return not_(found) if term.negated else found


def _fts(term: Term) -> str:
    """Return a word or phrase quoted for FTS5, where a double quote and NUL are special."""
    return '"' + term.value.replace('"', '""').replace("\0", " ") + '"'


def _in_index(matches: str) -> ColumnElement[bool]:
    rows = text("SELECT rowid FROM inboxkit_search WHERE inboxkit_search MATCH :q").bindparams(
        bindparam("q", matches, unique=True)  # a query has one for its words, one for each -not
    )
    return message.c.id.in_(rows.columns(message.c.id).scalar_subquery())


def _contains(column: Any, value: str) -> ColumnElement[bool]:
    return func.lower(cast(column, Text)).contains(value.lower(), autoescape=True)


def _from(term: Term) -> ColumnElement[bool]:
    return or_(
        _contains(message.c.sender_email, term.value), _contains(message.c.sender_name, term.value)
    )


def _to(term: Term) -> ColumnElement[bool]:
    return or_(*(_contains(c, term.value) for c in (message.c.to, message.c.cc, message.c.bcc)))


def _has(term: Term) -> ColumnElement[bool]:
    column = {"otp": message.c.otp, "link": message.c.link}.get(term.value)
    return message.c.attachment_count > 0 if column is None else column.is_not(None)


def _label(term: Term) -> ColumnElement[bool]:
    if term.value in COMPUTED_LABELS:
        return _flag(term.value)
    mine = and_(label.c.message_id == message.c.id, label.c.label == term.value)
    return exists().where(mine)


def _is(term: Term) -> ColumnElement[bool]:
    return _flag(term.value)


def _flag(name: str) -> ColumnElement[bool]:
    flags: dict[str, ColumnElement[bool]] = {
        "unread": message.c.unread,
        "read": not_(message.c.unread),
        "scheduled": message.c.state == "scheduled",
        "bounced": message.c.state == "bounced",
        "taken": message.c.taken_at.is_not(None),
        "inbound": message.c.direction == "inbound",
        "received": message.c.direction == "inbound",
        "outbound": message.c.direction == "outbound",
        "sent": message.c.direction == "outbound",
    }
    return flags[name]


def _inbox(term: Term) -> ColumnElement[bool]:
    mine = select(inbox.c.id).where(inbox.c.address == term.value.lower())
    return message.c.inbox_id.in_(mine)


def _filename(term: Term) -> ColumnElement[bool]:
    return exists().where(
        and_(attachment.c.message_id == message.c.id, _contains(attachment.c.filename, term.value))
    )


def _moment(term: Term) -> datetime:
    assert term.moment is not None
    return term.moment


def _subject(term: Term) -> ColumnElement[bool]:
    return _contains(message.c.subject, term.value)


def _before(term: Term) -> ColumnElement[bool]:
    return message.c.received_at < _moment(term)


def _after(term: Term) -> ColumnElement[bool]:
    return message.c.received_at >= _moment(term)


def _state(term: Term) -> ColumnElement[bool]:
    return message.c.state == term.value


def _kind(term: Term) -> ColumnElement[bool]:
    return message.c.kind == term.value


def _tag(term: Term) -> ColumnElement[bool]:
    return message.c.tag == term.value


_FILTERS: dict[str, Any] = {
    "from": _from,
    "to": _to,
    "subject": _subject,
    "has": _has,
    "before": _before,
    "after": _after,
    "label": _label,
    "is": _is,
    "state": _state,
    "kind": _kind,
    "tag": _tag,
    "inbox": _inbox,
    "filename": _filename,
}
