"""The full-text index on PostgreSQL: a tsvector of our own, so that both databases find alike.

PostgreSQL's parser keeps ``ann@example.com`` or ``a.b/c`` as one word and knows accents by an
extension only. Words are cut here as SQLite's ``unicode61`` does: letters and digits, no accents.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    bindparam,
    cast,
    delete,
    false,
    func,
    not_,
    select,
)
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table
from sqlalchemy.dialects.postgresql import TSQUERY

from .tables import content, message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .query import Query, Term

# With as many hits all are looked up and sorted. With more, messages are walked newest first: hits
# are so frequent that a page is soon full, and sorting them all would take a second.
_PROBE = 2_000
_WORD = re.compile(r"[^\W_]+")
_LETTERS = 500  # of a word: PostgreSQL takes 2,046 bytes
_LAST_PLACE = 16_383
_PLACES = 255  # of one word
_BYTES = 900_000  # PostgreSQL takes 1 MB; what comes after that much text is not found
_index = sql_table("inboxkit_search", sql_column("message_id"), sql_column("words"))
_sources = select(
    message.c.id,
    message.c.inbox_id,
    message.c.subject,
    message.c.sender_email,
    message.c.sender_name,
    message.c.to,
    message.c.cc,
    content.c.text,
).where(content.c.message_id == message.c.id, message.c.id.in_(bindparam("ids", expanding=True)))
_INSERT = "INSERT INTO inboxkit_search (message_id, words) VALUES (%s, %s::tsvector)"


def index(connection: Connection, ids: Sequence[int]) -> None:
    """Add messages to the index, once their content is stored."""
    rows = [(row.id, _vector(row)) for row in connection.execute(_sources, {"ids": list(ids)})]
    if rows:
        connection.exec_driver_sql(_INSERT, rows)


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Take messages out of the index."""
    connection.execute(delete(_index).where(_index.c.message_id.in_(list(ids))))


def conditions(
    connection: Connection, query: Query, inbox_id: int | None
) -> list[ColumnElement[bool]]:
    """Return what holds for messages whose text matches, in the form that is fast for so many."""
    if all(term.negated for term in query.words):
        return [not_(_walked(phrase)) for term in query.words if (phrase := _phrase(term))]
    wanted = _tsquery(query.words, inbox_id)
    hits = select(_index.c.message_id).where(_index.c.words.op("@@")(_as_query(wanted)))
    found = connection.execute(hits.limit(_PROBE + 1)).scalars().all()
    if len(found) <= _PROBE:
        return [message.c.id.in_(found) if found else false()]
    return [_walked(wanted)]


def _walked(wanted: str) -> ColumnElement[bool]:
    """Return a condition that no index serves, so that the planner walks by age."""
    words = select(_index.c.words).where(_index.c.message_id == message.c.id).scalar_subquery()
    matches: ColumnElement[bool] = words.op("@@", is_comparison=True)(_as_query(wanted))
    return func.coalesce(matches, false())


def _as_query(wanted: str) -> ColumnElement[Any]:
    return cast(bindparam("wanted", wanted, type_=Text, unique=True), TSQUERY)


def _tsquery(terms: Iterable[Term], inbox_id: int | None) -> str:
    """Return all terms as one tsquery; that of one inbox never meets the hits of others."""
    parts = [] if inbox_id is None else [f"'{_mark(inbox_id)}'"]
    phrases = [(_phrase(term), term.negated) for term in terms]
    parts += [f"!({phrase})" if negated else f"({phrase})" for phrase, negated in phrases if phrase]
    return " & ".join(parts)


def _phrase(term: Term) -> str:
    return " <-> ".join(f"'{word}'" for word in _words(term.value))


def _mark(inbox_id: int) -> str:
    return f"@{inbox_id}"  # no word of a text has an at sign


def _words(value: str) -> Iterator[str]:
    if not value.isascii():
        value = "".join(c for c in unicodedata.normalize("NFD", value) if not _is_accent(c))
    return (found[0][:_LETTERS] for found in _WORD.finditer(value.lower()))


def _is_accent(letter: str) -> bool:
    return bool(unicodedata.combining(letter))


def _vector(row: Any) -> str:
    """Return the words of a message and their places as PostgreSQL writes a tsvector."""
    places: dict[str, list[int]] = {_mark(row.inbox_id): [1]}
    place = room = 0
    people = (row.to, row.cc)
    for part in (row.subject, row.sender_email, row.sender_name, *map(str, people), row.text):
        place += 2  # no phrase goes from one part to the next
        for word in _words(part):
            place += 1
            known = places.get(word)
            if known is None:
                known = places[word] = []
                room += len(word.encode()) + 4
            if (place <= _LAST_PLACE and len(known) < _PLACES) or not known:
                known.append(min(place, _LAST_PLACE))
                room += 2
            if room > _BYTES:
                return _written(places)
    return _written(places)


def _written(places: dict[str, list[int]]) -> str:
    return " ".join([f"'{word}':{','.join(map(str, at))}" for word, at in places.items()])
