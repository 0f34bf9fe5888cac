"""The query language: ``from: to: subject: has: before: after: label: is: "a phrase" -not``.

Pure: text to a Query. Unknown fields and values are errors that say what is possible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ..errors import ConfigurationError

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
_BEGINNING = re.compile(r"\w[^*]*\*")  # as others write "words that begin so"
_AGE = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class QueryError(ConfigurationError):
    """The query names a field or a value that does not exist."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; ``field`` is "" for a word or phrase of the text."""

    field: str
    value: str
    negated: bool = False
    moment: datetime | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """All terms must hold."""

    words: tuple[Term, ...] = ()
    filters: tuple[Term, ...] = ()


def parse_query(text: str, *, now: datetime) -> Query:
    """Read a query; times are dates (2026-01-31), moments or ages (10m, 2d) before ``now``."""
    found = list(_TOKEN.finditer(text))
    if any(match[0] == "OR" for match in found[1:-1]):
        raise QueryError('query: there is no OR; ask for each alone, or write "OR" for the word')
    terms = [_term(match, now) for match in found]
    return Query(
        tuple(t for t in terms if t is not None and not t.field),
        tuple(t for t in terms if t is not None and t.field),
    )


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
