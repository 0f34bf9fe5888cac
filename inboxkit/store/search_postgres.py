"""The full-text index on PostgreSQL: a tsvector of our own, so that both databases find alike.

PostgreSQL's parser keeps ``ann@example.com`` or ``a.b/c`` as one word and knows accents by an
extension only. Words are cut here as SQLite's ``unicode61`` does: letters and digits, no accents.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    false,
    func,
    literal_column,
    not_,
    select,
    true,
)
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table
from sqlalchemy.dialects.postgresql import TSQUERY

from . import driver
from .tables import content, message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .query import Query, Term

# With as many hits all are looked up and sorted. With more, messages are walked newest first: hits
# are so frequent that a page is soon full, and sorting them all would take a second.
_PROBE = 2_000
_WORD = re.compile(r"[^\W_]+")
_FEW = 8  # accents of one text: so many are faster taken out one after another
_ASCII = "".join(c.lower() if c.isalnum() else " " for c in map(chr, range(128)))
_LETTERS = 500  # of a word: PostgreSQL takes 2,046 bytes
_LAST_PLACE = 16_383
_PLACES = 255  # of one word
_BYTES = 900_000  # PostgreSQL takes 1 MB; what comes after that much text is not found
_ONE = literal_column("1", Integer)
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
_FIRST_HITS = (  # as one value: 2,000 rows take longer
    "SELECT array_agg(message_id) FROM"
    " (SELECT message_id FROM inboxkit_search WHERE words @@ %s::tsquery LIMIT %s) few"
)


def index(connection: Connection, ids: Sequence[int]) -> None:
    """Add messages to the index, once their content is stored."""
    rows = [(row.id, _vector(row)) for row in connection.execute(_sources, {"ids": list(ids)})]
    if rows:
        connection.exec_driver_sql(_INSERT, rows)


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Take messages out of the index."""
    connection.execute(delete(_index).where(_index.c.message_id.in_(list(ids))))


def hits(
    connection: Connection, query: Query, inbox_id: int | None
) -> tuple[FromClause, ColumnElement[int], ColumnElement[bool]]:
    """Return where messages whose text matches are selected from, their id, and what holds.

    Each in the form that is fast for so many.
    """
    if all(term.negated for term in query.words):
        return message, message.c.id, is_hit(query, inbox_id)
    wanted = _tsquery(query.words, inbox_id)
    found = _probed(connection, wanted)
    if len(found) <= _PROBE:
        return message, message.c.id, message.c.id == any_(_as_ids(found)) if found else false()
    if inbox_id is not None:  # its messages are walked, not those of all
        return message, message.c.id, _is_match(wanted)
    joined = _index.join(message, message.c.id == _index.c.message_id)
    return joined, _index.c.message_id, _walked(wanted)


def is_hit(query: Query, inbox_id: int | None) -> ColumnElement[bool]:
    """Return what holds for messages whose text matches, when few are asked about."""
    if all(term.negated for term in query.words):
        phrases = filter(None, map(_phrase, query.words))
        return and_(true(), *(not_(_is_match(phrase)) for phrase in phrases))
    return _is_match(_tsquery(query.words, inbox_id))


def _is_match(wanted: str) -> ColumnElement[bool]:
    words = select(_index.c.words).where(_index.c.message_id == message.c.id).scalar_subquery()
    return func.coalesce(_matches(words, wanted), false())


def _probed(connection: Connection, wanted: str) -> Sequence[int]:
    """Return hits of all ages, one more than are looked up at most.

    A plan that is made for any word takes all for rare, and of a common one reads the whole list
    of its hits: 26 ms of 300,000 messages instead of 5.
    """
    rows = driver.fetch(connection, _FIRST_HITS, (wanted, _PROBE + 1), planned_anew=True)
    return rows[0][0] or ()


def _walked(wanted: str) -> ColumnElement[bool]:
    """Return a condition that no index serves, so that the planner walks by age.

    It takes one row in 200 for a hit, and so reads of each hit the message, not of each row.
    """
    return case((_matches(_index.c.words, wanted), _ONE)) == _ONE


def _matches(words: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = words.op("@@", is_comparison=True)(_as_query(wanted))
    return found


def _as_query(wanted: str) -> ColumnElement[Any]:
    return cast(bindparam("wanted", wanted, type_=Text, unique=True), TSQUERY)


def _as_ids(found: Sequence[int]) -> ColumnElement[Any]:
    # As one value: 2,000 of their own took up to 50 ms to plan.
    return bindparam("found", list(found), type_=ARRAY(BigInteger), unique=True)


def _tsquery(terms: Iterable[Term], inbox_id: int | None) -> str:
    """Return all terms as one tsquery; that of one inbox never meets the hits of others."""
    parts = [] if inbox_id is None else [f"'{_mark(inbox_id)}'"]
    phrases = [(_phrase(term), term.negated) for term in terms]
    parts += [f"!({phrase})" if negated else f"({phrase})" for phrase, negated in phrases if phrase]
    return " & ".join(parts)


def _phrase(term: Term) -> str:
    own = " <-> ".join(f"'{word[:_LETTERS]}'" for word in _words(term.value))
    every = [phrase for phrase in (own, *map(_phrase, term.others)) if phrase]
    return f"({') | ('.join(every)})" if len(every) > 1 else "".join(every)


def _mark(inbox_id: int) -> str:
    return f"@{inbox_id}"  # no word of a text has an at sign


def _words(value: str) -> list[str]:
    if not value.isascii():
        value = _without_accents(value)
    if value.isascii():  # as a rule, and then it takes a fifth of the time
        return value.translate(_ASCII).split()
    return _WORD.findall(value.lower())


def _without_accents(value: str) -> str:
    value = unicodedata.normalize("NFD", value)
    marks = [letter for letter in set(value) if unicodedata.combining(letter)]
    if len(marks) > _FEW:
        return value.translate(dict.fromkeys(map(ord, marks)))
    for mark in marks:
        value = value.replace(mark, "")
    return value


def _vector(row: Any) -> str:
    """Return the words of a message and their places as PostgreSQL writes a tsvector."""
    places: dict[str, list[str]] = {_mark(row.inbox_id): ["1"]}
    room, begin = _BYTES - 2 * _LAST_PLACE, 3
    people = (row.to, row.cc)
    for part in (row.subject, row.sender_email, row.sender_name, *map(str, people), row.text):
        words = _words(part)
        room = _add(places, words, begin, room)
        if room < 0:
            break
        begin += len(words) + 2  # no phrase goes from one part to the next
    return " ".join([f"'{word}':{','.join(at)}" for word, at in places.items()])


def _add(places: dict[str, list[str]], words: list[str], begin: int, room: int) -> int:
    """Add words with the places from ``begin`` on, as many as there is room for.

    Return what is left of the room, below 0 when it was not enough.
    """
    numbers = _numbers()
    last = numbers[-1]
    for word, place in zip(words, chain(numbers[begin:], repeat(last)), strict=False):
        known = places.get(word)
        if known is None:
            word = word[:_LETTERS]
            room -= len(word.encode()) + 6
            if room < 0:
                break
            places.setdefault(word, []).append(place)
        elif place is not last and len(known) < _PLACES:
            known.append(place)
    return room


@cache
def _numbers() -> list[str]:
    """Return the places as text; writing each anew took a third of the time."""
    return [str(number) for number in range(_LAST_PLACE + 1)]
