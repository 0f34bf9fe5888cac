"""Full-text search: the index, and the query language turned into SQL. Newest first, always.

Ranking a common term costs a second at a million rows (measured), so results are by age.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    not_,
    or_,
    select,
)

from ..addresses import written_forms
from . import search_postgres, search_sqlite
from .pages import Page, paged
from .reach import HIDDEN_LABELS
from .tables import attachment, inbox, label, message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .query import Query, Term
    from .reach import Reach
    from .transactions import Tx

# No rows of the label table: columns of the message.
COMPUTED_LABELS = frozenset({"unread", "read", "received", "sent", "scheduled", "bounced"})


def index(tx: Tx, ids: Sequence[int]) -> None:
    """Add messages to the index, once their content is stored."""
    _engine(tx.connection).index(tx.connection, ids)


def remove(tx: Tx, ids: Sequence[int]) -> None:
    """Take messages out of the index, while their content is still stored."""
    _engine(tx.connection).remove(tx.connection, ids)


def _engine(connection: Connection) -> Any:
    return search_sqlite if connection.dialect.name == "sqlite" else search_postgres


@dataclass(frozen=True, slots=True)
class Hits:
    """Messages that match: what to select them from, and ``id``, by which they come in order."""

    source: FromClause
    id: ColumnElement[int]
    conditions: Sequence[ColumnElement[bool]]

    def select(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """Return a query of columns of these messages."""
        found = select(*columns).select_from(self.source).where(*self.conditions)
        if self.source is message:
            return found
        # SQLite would begin with an index of messages, and sort.
        return found.with_hint(message, "NOT INDEXED", "sqlite")


def find(
    connection: Connection,
    query: Query,
    *,
    inbox_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[int]:
    """Return row ids of messages that match, newest first, older than ``before``.

    What is hidden is left out unless it is asked for; see ``left_out``.
    """
    found = hits(connection, query, inbox_id)
    wanted = found.select(message.c.id).order_by(found.id.desc()).limit(limit)
    wanted = wanted.where(*shown(left_out(query)))
    if inbox_id is not None:
        wanted = wanted.where(message.c.inbox_id == inbox_id)
    if before is not None:
        wanted = wanted.where(found.id < before)
    return list(connection.execute(wanted).scalars())


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
    found = hits(connection, query, reach.inbox_id)
    wanted = found.select(message.c.id).where(*listed(reach, hidden))
    return list(connection.execute(paged(wanted, found.id, page)).scalars())


def left_out(query: Query) -> Sequence[str]:
    """Return the labels whose messages a search leaves out: none if it asks for one of them."""
    asked = [one for term in query.filters for one in (term, *term.others)]
    labels = {term.value for term in asked if term.field == "label" and not term.negated}
    return HIDDEN_LABELS if labels.isdisjoint(HIDDEN_LABELS) else ()


def listed(reach: Reach, hidden: Sequence[str]) -> list[ColumnElement[bool]]:
    """Return what holds for messages that a list of this reach shows."""
    return [reach.owns(message.c.inbox_id), message.c.thread_id.is_not(None), *shown(hidden)]


def shown(hidden: Sequence[str]) -> list[ColumnElement[bool]]:
    """Return what holds for messages that carry none of these labels."""
    mine = and_(label.c.message_id == message.c.id, label.c.label.in_(hidden))
    return [not_(exists().where(mine).correlate(message))] if hidden else []


def hits(connection: Connection, query: Query, inbox_id: int | None = None) -> Hits:
    """Return the messages that match; ``inbox_id`` if the caller asks for those of one only.

    They are only narrowed to that inbox, for speed: a mail may hold another inbox's word, and the
    caller must ask for the inbox itself. It may look into the index: so it belongs to the moment.
    """
    filters = [condition(term) for term in query.filters]
    if not query.words and inbox_id is None:
        return _labelled(query, filters)
    if not query.words:
        return Hits(message, message.c.id, filters)
    if connection.dialect.name == "sqlite":
        joined = search_sqlite.hits.join(message, message.c.id == search_sqlite.hit)
        filters.insert(0, search_sqlite.matches(query, inbox_id))
        return Hits(joined, search_sqlite.hit, filters)
    source, hit, matching = search_postgres.hits(connection, query, inbox_id)
    return Hits(source, hit, [matching, *filters])


def _labelled(query: Query, filters: list[ColumnElement[bool]]) -> Hits:
    """Walk the messages of the first label that is asked for: they may be few, and far apart."""
    alone = (t for t in query.filters if not (t.negated or t.others))
    labels = (t.value for t in alone if t.field == "label")
    wanted = next((name for name in labels if name not in COMPUTED_LABELS), None)
    if wanted is None:
        return Hits(message, message.c.id, filters)
    walked = label.alias("walked")
    joined = walked.join(message, message.c.id == walked.c.message_id)
    return Hits(joined, walked.c.message_id, [walked.c.label == wanted, *filters])


def is_hit(
    connection: Connection, query: Query, inbox_id: int | None = None
) -> list[ColumnElement[bool]]:
    """Return what holds for messages that match, when few are asked about; see ``hits``."""
    filters = [condition(term) for term in query.filters]
    if not query.words:
        return filters
    if connection.dialect.name != "sqlite":
        return [search_postgres.is_hit(query, inbox_id), *filters]
    mine = search_sqlite.hit == message.c.id
    return [exists().where(search_sqlite.matches(query, inbox_id), mine), *filters]


def condition(term: Term) -> ColumnElement[bool]:
    """Return what holds for messages that one filter wants, or one of its others."""
    found: ColumnElement[bool] = _FILTERS[term.field](term)
    own = not_(found) if term.negated else found
    return or_(own, *map(condition, term.others)) if term.others else own


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
        "sent": and_(message.c.direction == "outbound", message.c.state != "scheduled"),
    }
    return flags[name]


def _inbox(term: Term) -> ColumnElement[bool]:
    mine = select(inbox.c.id).where(inbox.c.address.in_(written_forms(term.value)))
    if term.negated:
        return message.c.inbox_id.in_(mine)
    return message.c.inbox_id == mine.limit(1).scalar_subquery()  # IN would sort them all


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
