"""How the databases go about the queries that must not slow down as they grow: by an index.

Each index is there for one of these; without it, SQLite sorts or walks all, and so does PostgreSQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.store import (
    backlog,
    conversations,
    events,
    exports,
    jobs,
    known_threads,
    mailgun_events,
    purge,
    runs,
    search,
    search_postgres,
    sends,
    untaken,
    wire_ids,
)
from inboxkit.store.api_tables import DEFAULT_POD
from inboxkit.store.pages import Page
from inboxkit.store.query import Query, parse_query
from inboxkit.store.reach import EVERYTHING, HIDDEN_LABELS, Reach
from inboxkit.store.transactions import Tx

from .listening import listening
from .sending import NOW, staged, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

LOOK_UPS = {
    "a reference": (
        "_find_references",
        {"values": ["<a@example.com>"], "within": 1},
        "autoindex_inboxkit_reference",
    ),
    "waiting subjects": ("_waiting", {"values": ["size"], "within": 1}, "inboxkit_thread_orphan"),
    "orphans": ("_orphans", {"inbox": 1, "base": "size", "since": NOW}, "inboxkit_thread_orphan"),
    "a subject": (
        "_by_subject",
        {"inbox": 1, "base": "size", "since": NOW},
        "inboxkit_thread_subject",
    ),
    "a Thread-Index": ("_by_index", {"inbox": 1, "root": "x"}, "inboxkit_thread_topic"),
    "our last message": ("_last_outbound", {"thread": 1}, "inboxkit_message_thread"),
}
ONE = Reach(None, 1)
MAILGUN = mailgun_events.Wanted(
    reach=Reach(DEFAULT_POD), domains=["shop.example"], message_ids=["a@shop.example"]
)
NOTHING = Query()


@dataclass(frozen=True)
class Look:
    """A list, with the index that each database must walk in order; "": the table's own order."""

    ask: Callable[[Connection], object]
    sqlite: str = ""
    postgres: str = "inboxkit_message_pkey"


def by(index: str, ask: Callable[[Connection], object]) -> Look:
    return Look(ask, index, index)


def page(
    c: Connection, asked: str = "", reach: Reach = EVERYTHING, after: int | None = None
) -> Any:
    query = parse_query(asked, now=NOW)
    return search.page(c, reach, query, Page(50, after), hidden=HIDDEN_LABELS)


def threads(c: Connection, reach: Reach, *, later: bool = False) -> Any:
    after: tuple[datetime, int] | None = (NOW, 1) if later else None
    return conversations.listed(c, reach, NOTHING, Page(50, after), hidden=HIDDEN_LABELS)


LOOKS = {
    "all messages": Look(page),
    "all messages, further down": Look(lambda c: page(c, after=9)),
    "unread messages": Look(lambda c: page(c, "is:unread")),
    "messages of an inbox": by("inboxkit_message_inbox", lambda c: page(c, reach=ONE)),
    "further down an inbox": by("inboxkit_message_inbox", lambda c: page(c, reach=ONE, after=9)),
    "an inbox by its address": by("inboxkit_message_inbox", lambda c: page(c, "inbox:a@b.example")),
    "messages with a label": by("inboxkit_label_label", lambda c: page(c, "label:later")),
    "a search in Python": by(
        "inboxkit_message_inbox", lambda c: search.find(c, NOTHING, inbox_id=1)
    ),
    "all threads": by("inboxkit_thread_last", lambda c: threads(c, EVERYTHING)),
    "all threads, further down": by(
        "inboxkit_thread_last", lambda c: threads(c, EVERYTHING, later=True)
    ),
    "threads of an inbox": by("inboxkit_thread_inbox", lambda c: threads(c, ONE)),
    "further down its threads": by("inboxkit_thread_inbox", lambda c: threads(c, ONE, later=True)),
    "messages of a thread": by(
        "inboxkit_message_thread", lambda c: conversations.members(c, EVERYTHING, 1, Page(50))
    ),
    "the newest that an inbox does not keep": by(
        "inboxkit_message_inbox", lambda c: purge.beyond(c, 5, 9, now=NOW)
    ),
    "events after a cursor": Look(lambda c: events.after(c, 5), postgres="inboxkit_event_pkey"),
    "runs": Look(runs.listed, postgres="inboxkit_run_pkey"),
    "what came to an inbox": by("inboxkit_message_inbox", lambda c: untaken.recent(c, 5, NOW)),
    "an export": by("inboxkit_message_inbox", lambda c: exports.page(c, 5, after=3, limit=9)),
    "the next job that is not due yet": by(
        "inboxkit_job_next", lambda c: backlog.next_due(c, ["read"], after=NOW)
    ),
    "the next job": by("inboxkit_job_next", lambda c: backlog.next_due(c, ["read"])),
}
FEW = {  # so few that sorting them costs nothing
    "events of a message": by("inboxkit_event_message", lambda c: events.of_message(c, 5)),
    "runs of a message": by("inboxkit_run_message", lambda c: runs.listed(c, message_id=5)),
}
OLD = (("rowid<?", "Index Cond: (id <"), ("inboxkit_message_earlier",) * 2)  # the two looks
UNTAKEN: dict[str, tuple[str, Callable[[Connection], object]]] = {
    "mails": ("inboxkit_message_untaken", lambda c: untaken.candidates(c, 5, "message", NOW)),
    "links": ("inboxkit_message_untaken", lambda c: untaken.candidates(c, 5, "link", NOW)),
    "codes": ("inboxkit_message_code", lambda c: untaken.candidates(c, 5, "otp", NOW)),
    "codes that are out of date": (
        "inboxkit_message_code",
        lambda c: vars(untaken)["_retire"].number(c, inbox=1, row=5, sender="", now=NOW),
    ),
}
SEARCHES = {
    "a word": "invoice",
    "two words": "invoice cellar",
    "a phrase": '"the cellar"',
    "one word without another": "invoice -cellar",
    "without a word": "-cellar",
    "a word from somebody": "invoice from:ann",
}


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with transaction(database) as held:
        yield held.connection


def plan(
    connection: Connection,
    ask: Callable[[Connection], object],
    number: int = 0,
    *,
    avoided: Sequence[str] = ("seqscan", "sort", "incremental_sort"),
) -> str:
    """Return how one of the queries is gone about, a step a line."""
    with listening(connection) as asked:
        ask(connection)
    statement, parameters = asked[number]
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "\n".join(row[3] for row in rows)
    for way in avoided:  # the tables are empty, and it would not mind
        connection.exec_driver_sql(f"SET LOCAL enable_{way} TO off")
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return "\n".join(row[0] for row in rows)


@pytest.mark.sqlite  # what PostgreSQL prefers depends on what is in the tables
@pytest.mark.parametrize(("name", "arguments", "index"), LOOK_UPS.values(), ids=LOOK_UPS)
def test_a_look_up_of_threads_goes_by_its_index(
    connection: Connection, name: str, arguments: Mapping[str, Any], index: str
) -> None:
    steps = plan(connection, lambda c: getattr(known_threads, name)(c, **arguments), -1)

    assert steps.count("\n") == 0, steps  # no sorting afterwards either
    assert "SEARCH" in steps
    assert index in steps


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_list_walks_an_index_in_order_and_sorts_nothing(
    connection: Connection, look: Look
) -> None:
    steps = plan(connection, look.ask)

    assert "ORDER BY" not in steps, steps  # SQLite: USE TEMP B-TREE FOR ORDER BY
    assert "Sort" not in steps, steps
    assert "Seq Scan" not in steps, steps
    assert getattr(look, connection.dialect.name.removesuffix("ql")) in steps, steps


def claim(connection: Connection, full: Sequence[int] = ()) -> object:
    return jobs.claim(Tx(connection), "read", worker=1, now=NOW, limit=9, start=5, full=full)


@pytest.mark.sqlite
@pytest.mark.parametrize(("number", "looks"), [(0, 4), (1, 1)], ids=["queues", "jobs"])
@pytest.mark.parametrize("full", [(), (7,)], ids=["all", "but the full ones"])
def test_a_claim_walks_the_index_of_due_jobs_and_sorts_nothing(
    connection: Connection, number: int, looks: int, full: Sequence[int]
) -> None:
    put = [jobs.new_job("read", "a", inbox_id=1, due_at=NOW, lane="l")]
    jobs.put(Tx(connection), put)
    steps = plan(connection, lambda c: claim(c, full), number)

    looked = re.findall(r"USING (?:COVERING )?INDEX inboxkit_job_due \(kind=\? AND queue", steps)
    assert len(looked) == looks, steps
    assert "B-TREE" not in steps, steps
    assert "SCAN inboxkit_job" not in steps, steps
    if number == 1:
        assert "inboxkit_job_lane (lane=? AND state=? AND id<?)" in steps, steps
        assert "inboxkit_job_lane (lane=? AND state=?)" in steps, steps


@pytest.mark.postgres
@pytest.mark.parametrize("full", [(), (7,)], ids=["all", "but the full ones"])
def test_a_claim_on_postgres_walks_the_index_of_due_jobs(
    connection: Connection, full: Sequence[int]
) -> None:
    rows = [jobs.new_job("read", n, inbox_id=n % 400, due_at=NOW) for n in range(4_000)]
    jobs.put(Tx(connection), rows)
    connection.exec_driver_sql("ANALYZE inboxkit_job")
    steps = plan(connection, lambda c: claim(c, full), avoided=())

    assert steps.count("using inboxkit_job_due") >= 3, steps  # both walks, and the jobs
    assert "Seq Scan" not in steps, steps


@pytest.mark.parametrize("look", FEW.values(), ids=FEW)
def test_what_hangs_on_a_message_is_found_by_an_index(connection: Connection, look: Look) -> None:
    steps = plan(connection, look.ask, avoided=("seqscan",))

    assert look.sqlite in steps, steps


@pytest.mark.parametrize(("number", "indexes"), [*enumerate(OLD)], ids=["by id", "imported"])
def test_what_is_too_old_is_walked_from_the_oldest_on_and_no_further(
    connection: Connection, number: int, indexes: tuple[str, str]
) -> None:
    steps = plan(connection, lambda c: purge.older_than(c, NOW, now=NOW), number)

    assert steps.count(" inboxkit_message ") == 1, steps
    assert indexes[connection.dialect.name != "sqlite"] in steps, steps
    assert not any(walk in steps for walk in ("Sort", "B-TREE", "SCAN", "Seq Scan")), steps


def test_what_an_inbox_holds_too_much_is_walked_without_what_it_keeps(
    connection: Connection,
) -> None:
    tx = Tx(connection)
    made = [staged(tx) for _ in range(3)]
    sends.store(tx, made)
    inbox_id = made[0].row["inbox_id"]
    steps = plan(connection, lambda c: purge.beyond(c, inbox_id, 1, now=NOW), -1)

    ordered = ("(inbox_id=? AND id<?)", "Scan using inboxkit_message_inbox")
    assert ordered[connection.dialect.name != "sqlite"] in steps, steps
    assert steps.count(" inboxkit_message ") == 1, steps
    assert not any(walk in steps for walk in ("Sort", "B-TREE", "SCAN", "Seq Scan")), steps


@pytest.mark.sqlite  # what PostgreSQL prefers depends on what is in the tables
@pytest.mark.parametrize(("index", "ask"), UNTAKEN.values(), ids=UNTAKEN)
def test_what_a_wait_may_take_is_found_without_a_walk_over_the_inbox(
    connection: Connection, index: str, ask: Callable[[Connection], object]
) -> None:
    assert index in plan(connection, ask)


@pytest.mark.sqlite
@pytest.mark.parametrize("reach", [EVERYTHING, ONE], ids=["everywhere", "in an inbox"])
@pytest.mark.parametrize("asked", SEARCHES.values(), ids=SEARCHES)
def test_a_search_walks_the_full_text_index_from_the_newest_hit_on(
    connection: Connection, asked: str, reach: Reach
) -> None:
    first, second, *others = plan(connection, lambda c: page(c, asked, reach), -1).split("\n")

    assert first.startswith("SCAN inboxkit_search VIRTUAL TABLE"), first
    assert second == "SEARCH inboxkit_message USING INTEGER PRIMARY KEY (rowid=?)"
    assert not any("B-TREE" in step for step in others), others


@pytest.mark.postgres
@pytest.mark.parametrize("asked", [a for a in SEARCHES.values() if not a.startswith("-")])
def test_a_search_on_postgres_probes_its_index(connection: Connection, asked: str) -> None:
    assert "inboxkit_search_words" in plan(connection, lambda c: page(c, asked))


@pytest.mark.postgres
def test_a_search_on_postgres_takes_its_hits_as_one_value(connection: Connection) -> None:
    tx = Tx(connection)
    sends.store(tx, [staged(tx, subject="A cellar") for _ in range(30)])
    with listening(connection) as asked:
        assert len(page(connection, "cellar")) == 30
    _, (hits, given) = asked

    assert "ANY" in hits
    lists: list[list[int]] = [value for value in given.values() if isinstance(value, list)]
    assert [len(value) for value in lists] == [30]


@pytest.mark.postgres
def test_a_search_on_postgres_for_what_is_frequent_walks_from_the_newest_on(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    tx = Tx(connection)
    made = [staged(tx, subject="A cellar") for _ in range(30)]
    sends.store(tx, made)
    monkeypatch.setattr(search_postgres, "_PROBE", 5)

    mine = Reach(None, made[0].row["inbox_id"])
    for reach, index in ((EVERYTHING, "search_pkey"), (mine, "message_inbox")):
        steps = plan(connection, partial(page, asked="cellar", reach=reach), -1)
        assert f"Scan Backward using inboxkit_{index}" in steps, steps
        assert "Sort" not in steps, steps
        assert ("SubPlan" in steps) == (reach is mine), steps  # words looked up a message
    assert page(connection, "cellar") == sorted((one.id for one in made), reverse=True)
    assert page(connection, "cellar -garden") and not page(connection, "cellar garden")


@pytest.mark.postgres
def test_a_probe_on_postgres_is_planned_for_its_word(connection: Connection) -> None:
    for _ in range(10):  # psycopg prepares what it meets often
        page(connection, "cellar")

    prepared = "SELECT statement FROM pg_prepared_statements"
    known = [row[0] for row in connection.exec_driver_sql(prepared)]
    assert any("inboxkit_message" in statement for statement in known)
    assert not any("array_agg" in statement for statement in known)


BY_RFC_ID: dict[str, tuple[Callable[[Connection], object], Sequence[Sequence[str]]]] = {
    "an API's": (
        lambda c: wire_ids.find(c, EVERYTHING, 5, ["<a@shop.example>"]),
        [("autoindex_inboxkit_reference", "reference_pkey")],
    ),
    "a provider's": (
        lambda c: sends.find_send(c, rfc_id="<a@shop.example>"),
        [("inboxkit_message_rfc",) * 2],
    ),
    "Mailgun's": (
        lambda c: mailgun_events.find(c, MAILGUN, None, 9),
        [
            ("autoindex_inboxkit_reference", "reference_pkey"),
            ("inboxkit_event_message",) * 2,
        ],
    ),
}


@pytest.mark.parametrize(("ask", "indexes"), BY_RFC_ID.values(), ids=BY_RFC_ID)
def test_a_message_is_found_by_its_message_id_without_a_walk(
    connection: Connection,
    ask: Callable[[Connection], object],
    indexes: Sequence[Sequence[str]],
) -> None:
    stored(Tx(connection), message_id="<a@shop.example>")
    for number, names in enumerate(indexes):
        steps = plan(connection, ask, number, avoided=("seqscan",))

        assert names[connection.dialect.name != "sqlite"] in steps, steps
        for table in ("message", "reference", "event"):
            assert f"SCAN inboxkit_{table}" not in steps, steps
            assert f"Seq Scan on inboxkit_{table}" not in steps, steps


@pytest.mark.sqlite
def test_threads_are_searched_without_grouping_all_hits(connection: Connection) -> None:
    def found(c: Connection) -> object:
        words = parse_query("cellar", now=NOW - timedelta(days=1))
        return conversations.found(c, EVERYTHING, words, Page(50), hidden=HIDDEN_LABELS)

    steps = plan(connection, found)

    assert steps.startswith("SCAN inboxkit_search VIRTUAL TABLE"), steps
    assert "B-TREE" not in steps
