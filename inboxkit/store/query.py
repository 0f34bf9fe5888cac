"""The query language: ``from: to: subject: has: before: after: label: is: "a phrase" -not OR``.

Pure: text to a Query. Unknown fields and values are errors that say what is possible.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STATES = frozenset(
    """stored parsed limited recorded scheduled queued sending unknown accepted deferred sent
    delivered opened clicked failed rejected bounced unsubscribed complained""".split()
)
_FIELDS = {
    "from": None,
    "to": None,
    "subject": None,
    "has": frozenset({"attachment", "otp", "link"}),
    "before": None,
    "after": None,
    "label": None,
    "is": frozenset({"unread", "read", "taken", "inbound", "outbound", "received", "sent"}),
    "state": STATES,
    "kind": frozenset({"human", "auto_reply", "list", "bounce", "complaint", "challenge"}),
    "tag": None,
    "inbox": None,
    "filename": None,
}
_TOKEN = re.compile(r'(-?)(?:([a-z_]+):)?(?:"([^"]*)"|(\S+))', re.IGNORECASE)
_MOST_TERMS = 200  # SQLite takes expressions of 1,000 levels
_BEGINNING = re.compile(r"\w[^*]*\*")  # as others write "words that begin so"
_AGE = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class QueryError(ConfigurationError):
    """The query names a field or a value that does not exist."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; ``field`` is "" for a word or phrase of the text.

    ``others`` are enough as well: all of them words when it is one, or none of them.
    """

    field: str
    value: str
    negated: bool = False
    moment: datetime | None = None
    others: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """All terms must hold."""

    words: tuple[Term, ...] = ()
    filters: tuple[Term, ...] = ()


def parse_query(text: str, *, now: datetime) -> Query:
    """Read a query; times are dates (2026-01-31), moments or ages (10m, 2d) before ``now``."""
    groups = [[_term(match, now) for match in group] for group in _groups(text)]
    terms = [_joined([t for t in group if t is not None]) for group in groups if any(group)]
    return Query(
        tuple(t for t in terms if not t.field),
        tuple(t for t in terms if t.field),
    )


def _groups(text: str) -> Iterator[list[re.Match[str]]]:
    """Yield the terms that OR joins, together, and each of the others by itself."""
    left = deque(islice(_TOKEN.finditer(text), 2 * _MOST_TERMS + 1))
    number = max(len(left) - _MOST_TERMS, sum(match[0] != "OR" for match in left))
    if number > _MOST_TERMS:
        told = "quotes make one term of several words"
        raise QueryError(f"query: has more than {_MOST_TERMS} terms; {told}")
    has_or = any(match[0] == "OR" for match in islice(left, 1, max(1, len(left) - 1)))
    if has_or and any(match[0][0] == "(" or match[0][-1] == ")" for match in left):
        raise QueryError("query: there are no brackets; OR joins the two beside it, all else holds")
    while left:
        group = [left.popleft()]
        while len(left) > 1 and left[0][0] == "OR":
            left.popleft()
            group.append(left.popleft())
        yield group


def _joined(group: Sequence[Term]) -> Term:
    first, *others = group
    if others and len({bool(term.field) for term in group}) > 1:
        raise QueryError('query: OR stands between words, or between fields; "OR" is a word')
    if others and any(term.negated and not term.field for term in group):
        raise QueryError("query: a word with - cannot stand beside OR")
    return replace(first, others=tuple(others))


def _term(match: re.Match[str], now: datetime) -> Term | None:
    minus, name, phrase, word = match.groups()
    value = phrase if phrase is not None else word
    field = (name or "").lower()
    if name and field not in _FIELDS:
        if phrase is None and "/" in value:  # an address such as https://..., not a field
            field, value = "", f"{name}:{value}"
        else:
            raise QueryError(f"query: unknown field {name!r}; known are {', '.join(_FIELDS)}")
    if field:
        return _filter(field, _meant(field, value), bool(minus), now)
    if phrase is None and word.endswith(":") and word[:-1].lower() in _FIELDS:
        _meant(word[:-1].lower(), "")
    if phrase is None and _BEGINNING.fullmatch(word):
        raise QueryError(
            f"query: {word} is no word, and words are whole; parts are found by from:, to:, "
            f'subject: and filename:, and for the word alone write "{word}"'
        )
    return Term("", value, bool(minus)) if any(c.isalnum() for c in value) else None


def _meant(field: str, value: str) -> str:
    """Return the value of a field; a quote that opens words of the text is just a part of them."""
    if value.startswith('"'):
        raise QueryError(f"query: {field}:{value} opens a quote that is not closed")
    if not value.strip():
        raise QueryError(f'query: {field}: has no value; as words of the text write "{field}:"')
    return value


def _filter(field: str, value: str, negated: bool, now: datetime) -> Term:
    allowed = _FIELDS[field]
    if allowed is not None and value.lower() not in allowed:
        raise QueryError(f"query: {field}:{value}; possible are {', '.join(sorted(allowed))}")
    if allowed is not None:
        value = value.lower()
    moment = _moment(field, value, now) if field in ("before", "after") else None
    return Term(field, value, negated, moment)


def _moment(field: str, value: str, now: datetime) -> datetime:
    age = _AGE.fullmatch(value.lower())
    try:
        if age is not None:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        parsed = datetime.fromisoformat(value)
    except (ValueError, OverflowError):  # an age that began before the calendar
        raise QueryError(
            f"query: {field}:{value} is no time; write {date(2026, 1, 31)}, "
            "2026-01-31T12:00+00:00 or an age such as 10m or 2d"
        ) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
