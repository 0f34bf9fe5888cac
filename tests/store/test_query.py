"""The query language: what it means, and what it says to mistakes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inboxkit.store import deliveries
from inboxkit.store.query import STATES, QueryError, Term, parse_query

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fields(text: str) -> list[tuple[str, str, bool]]:
    query = parse_query(text, now=NOW)
    terms = (*query.words, *query.filters)
    return [(t.field, "|".join(one.value for one in (t, *t.others)), t.negated) for t in terms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("lamp", [("", "lamp", False)]),
        ('"red lamp"', [("", "red lamp", False)]),
        ("-lamp", [("", "lamp", True)]),
        ("from:ann", [("from", "ann", False)]),
        ("-from:ann", [("from", "ann", True)]),
        ('subject:"order 42"', [("subject", "order 42", False)]),
        ("has:attachment is:unread", [("has", "attachment", False), ("is", "unread", False)]),
        ("KIND:Bounce", [("kind", "bounce", False)]),
        ("https://x.example/a", [("", "https://x.example/a", False)]),
        ("- -- !!", []),
        ('5" "red lamp', [("", '5"', False), ("", '"red', False), ("", "lamp", False)]),
        ("note: lamp", [("", "note:", False), ("", "lamp", False)]),
        ('"from:"', [("", "from:", False)]),
        ("label:!", [("label", "!", False)]),
        ("STATE:Sent", [("state", "sent", False)]),
        ('lamp "OR" toy', [("", "lamp", False), ("", "OR", False), ("", "toy", False)]),
        ("lamp OR toy zoo", [("", "lamp|toy", False), ("", "zoo", False)]),
        ("is:read OR -from:ann OR has:otp", [("is", "read|ann|otp", False)]),
        ("lamp OR !! toy", [("", "lamp", False), ("", "toy", False)]),
        ("lamp toy OR", [("", "lamp", False), ("", "toy", False), ("", "OR", False)]),
        ("OR lamp", [("", "OR", False), ("", "lamp", False)]),
        ('"lam*" *toy*', [("", "lam*", False), ("", "*toy*", False)]),
        ("toy from", [("", "toy", False), ("", "from", False)]),
    ],
    ids=str,
)
def test_terms(text: str, expected: list[tuple[str, str, bool]]) -> None:
    assert fields(text) == expected


def test_every_state_of_a_send_can_be_asked_for() -> None:
    assert {state.name for state in deliveries.STATES} < STATES


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("after:2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("after:2026-01-31T10:00+02:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("after:10m", NOW - timedelta(minutes=10)),
        ("before:2d", NOW - timedelta(days=2)),
        ("after:2H", NOW - timedelta(hours=2)),
    ],
    ids=str,
)
def test_times(text: str, moment: datetime) -> None:
    (term,) = parse_query(text, now=NOW).filters
    assert isinstance(term, Term)
    assert term.moment == moment


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("form:ann", "unknown field 'form'"),
        ("has:legs", "possible are attachment"),
        ("after:soon", "is no time"),
        ("kind:robot", "possible are"),
        ("state:foo", "state:foo; possible are accepted, bounced, clicked, "),
        ("subject:", "subject: has no value"),
        ("from: ann", "from: has no value"),
        ("From: ann", "from: has no value"),
        ('form:"a/b"', "unknown field 'form'"),
        ("after:999999w", "after:999999w is no time"),
        ('lamp -label:""', "label: has no value"),
        ('subject:" "', "subject: has no value"),
        ("from:ann OR lamp", 'OR stands between words, or between fields; "OR" is a word'),
        ("to:a " * 201, "more than 200 terms"),
        (" OR ".join(["to:a"] * 201), "more than 200 terms"),
        ("toy (lamp OR zoo)", "there are no brackets; OR joins the two beside it"),
        ("lamp OR -toy", "a word with - cannot stand beside OR"),
        ("lamp OR toy OR subject:", "subject: has no value"),
        ("lamp lam*", r'lam\* is no word, .* for the word alone write "lam\*"'),
        ('subject:"order 42', 'subject:"order opens a quote'),
    ],
    ids=str,
)
def test_mistakes_say_what_is_possible(text: str, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        parse_query(text, now=NOW)
