"""Accepting in one statement stores what accepting the long way stores, and tells the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import OperationalError

from inboxkit.clock import Clock
from inboxkit.store import arrivals, inboxes, shortcut
from inboxkit.store.arrivals import Arrival, dedupe_key
from inboxkit.store.bell import Bell
from inboxkit.store.blobs import Packed
from inboxkit.store.database import open_database
from inboxkit.store.refusals import Unsure
from inboxkit.store.takers import Takers
from inboxkit.store.transactions import Tx
from inboxkit.testing.template import fresh_database
from inboxkit.tokens import new_id
from tests.outages import refuse_a_look

from .sending import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

TABLES = ("message", "raw", "job")
OF_ONE = {"id", "message_id", "key"}  # ids, which differ


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = open_database(fresh_database(tmp_path / "test.db"))
    with database.writer.connect() as opened:
        yield opened
    database.close()


def inbox(connection: Connection, address: str = "support@shop.example", **values: str) -> int:
    with connection.begin():
        made = inboxes.create(Tx(connection), address, now=NOW)
        for name, value in values.items():
            connection.exec_driver_sql(f"UPDATE inboxkit_inbox SET {name} = ?", (value,))
    return made.id


def arrival(inbox_id: int, name: str = "one", **values: Any) -> Arrival:
    message_id = f"<{name}@example.com>"
    made = Arrival(
        id=new_id(),
        inbox_id=inbox_id,
        received_at=NOW,
        mail_from="anné@example.com",
        rcpt_to=("support@shop.example", "b@shop.example"),
        packed=Packed(b"it's \x00 packed"),
        size=17,
        sha256="ab" * 32,
        message_id=message_id,
        trace={"peer": "192.0.2.1", "helo": "it's me"},
        dedupe=dedupe_key(message_id, "ab" * 32),
    )
    return replace(made, **values)


def quickly(connection: Connection, *mails: Arrival) -> Any:
    return shortcut.accept(Tx(connection), [(mail,) for mail in mails])


def slowly(connection: Connection, *mails: Arrival) -> Any:
    with connection.begin():
        return arrivals.accept(Tx(connection), [(mail,) for mail in mails])


def stored(connection: Connection, table: str) -> list[dict[str, Any]]:
    with connection.begin():
        rows = connection.exec_driver_sql(f"SELECT * FROM inboxkit_{table} ORDER BY 1").mappings()
        return [dict(row) for row in rows]


def number(connection: Connection) -> list[int]:
    return [len(stored(connection, table)) for table in TABLES]


@pytest.mark.parametrize("status", ["active", "paused"])
@pytest.mark.parametrize("dedupe", ["a key", None])
def test_the_rows_are_those_of_the_long_way(
    connection: Connection, status: str, dedupe: str | None
) -> None:
    first, second = (
        arrival(inbox(connection, f"{n}@shop.example", status=status), dedupe=dedupe) for n in "ab"
    )
    assert quickly(connection, first) == [[(first.id, False)]]
    assert slowly(connection, second) == [[(second.id, False)]]
    for table in TABLES:
        quick, slow = stored(connection, table)
        differing = {name for name in quick if quick[name] != slow[name]}
        assert differing <= OF_ONE | {"inbox_id", "queue"}, table
    ids = [row["id"] for row in stored(connection, "message")]
    assert [row["message_id"] for row in stored(connection, "raw")] == ids
    assert [row["key"] for row in stored(connection, "job")] == [str(i) for i in ids]


@pytest.mark.parametrize("count", [1, 2, 3, 9, 32])
def test_any_number_is_stored(connection: Connection, count: int) -> None:
    mine = inbox(connection)
    mails = [arrival(mine, str(n)) for n in range(count)]
    assert quickly(connection, *mails) == [[(mail.id, False)] for mail in mails]
    assert number(connection) == [count] * 3


@pytest.mark.parametrize(
    ("status", "state"), [("active", ("leased", 7, 1)), ("paused", ("ready", None, 0))]
)
def test_a_mail_that_its_reader_waits_for_is_leased_to_it(
    connection: Connection, status: str, state: tuple[str, int | None, int]
) -> None:
    mail = arrival(inbox(connection, status=status))
    tx = waited_for(connection)
    assert shortcut.accept(tx, [(mail,)]) == [[(mail.id, False)]]
    [row] = stored(connection, "job")
    assert (row["state"], row["worker_id"], row["attempts"]) == state
    handed = [(job.id, job.key, job.token, job.due_at) for job in tx.leased]
    leased = [(row["id"], str(mail.id), row["token"], NOW)]
    assert (handed, tx.woken) == ((leased, set()) if status == "active" else ([], {"read"}))


def test_a_mail_that_comes_again_is_not_read_again(connection: Connection) -> None:
    mine = inbox(connection)
    quickly(connection, arrival(mine))
    tx = waited_for(connection)
    shortcut.accept(tx, [(arrival(mine),), (arrival(mine, "new"),)])
    assert [job.key for job in tx.leased] == [str(stored(connection, "message")[1]["id"])]


def waited_for(connection: Connection) -> Tx:
    """Return a transaction of a process whose reader waits."""
    takers = Takers(7, Clock(), Bell())
    takers.offer("read", 2, left=0)
    return Tx(connection, takers)


def test_what_comes_again_is_told_from_what_is_new(connection: Connection) -> None:
    mine = inbox(connection)
    first, new = arrival(mine, "first"), arrival(mine, "new")
    quickly(connection, first)
    again, twice = arrival(mine, "first"), arrival(mine, "new")
    assert quickly(connection, again, new, twice) == [
        [(first.id, True)],
        [(new.id, False)],
        [(new.id, True)],
    ]
    assert number(connection) == [2, 2, 2]


def test_what_was_stored_and_is_not_found_again_is_left_in_doubt(connection: Connection) -> None:
    mine = inbox(connection)
    quickly(connection, arrival(mine, "first"))
    again, new = arrival(mine, "first"), arrival(mine, "new")
    refuse_a_look(connection.connection.dbapi_connection)
    with pytest.raises(Unsure, match="prohibited"):
        quickly(connection, again, new)
    assert number(connection) == [2, 2, 2]


def test_a_mail_that_finds_its_own_row_was_not_here_before(connection: Connection) -> None:
    mail = arrival(inbox(connection))
    assert [slowly(connection, mail) for _ in range(2)] == [[[(mail.id, False)]]] * 2
    assert number(connection) == [1, 1, 1]


def test_the_same_mail_in_another_inbox_is_another(connection: Connection) -> None:
    mails = [arrival(inbox(connection, f"{n}@shop.example")) for n in "ab"]
    assert quickly(connection, *mails) == [[(mail.id, False)] for mail in mails]


def test_of_an_inbox_that_is_gone_nothing_is_stored(connection: Connection) -> None:
    gone, mail = arrival(12345, "gone"), arrival(inbox(connection), "here")
    assert quickly(connection, gone, mail) == [None, [(mail.id, False)]]
    assert number(connection) == [1, 1, 1]


def test_of_an_inbox_that_is_being_deleted_nothing_is_stored(connection: Connection) -> None:
    mail = arrival(inbox(connection, status="deleting"))
    assert [quickly(connection, mail), slowly(connection, mail)] == [[None], [None]]
    assert number(connection) == [0, 0, 0]


def special(inbox_id: int) -> Sequence[tuple[str, list[tuple[Arrival, ...]]]]:
    one = arrival(inbox_id)
    return [
        ("two copies", [(one, arrival(inbox_id, "two"))]),
        ("labels", [(replace(one, labels=("unrouted",)),)]),
        ("imported", [(replace(one, silent=True),)]),
        ("only recorded", [(replace(one, record=True),)]),
        ("too many", [(arrival(inbox_id, str(n)),) for n in range(33)]),
    ]


@pytest.mark.parametrize("which", range(5))
def test_what_is_special_is_left_to_the_long_way(connection: Connection, which: int) -> None:
    _, mails = special(inbox(connection))[which]
    assert shortcut.accept(Tx(connection), mails) is None
    assert number(connection) == [0, 0, 0]


def test_an_id_that_is_taken_stores_nothing_of_the_batch(connection: Connection) -> None:
    mine = inbox(connection)
    one = arrival(mine)
    quickly(connection, one)
    assert quickly(connection, arrival(mine, "two"), arrival(mine, "three", id=one.id)) is None
    assert number(connection) == [1, 1, 1]


def test_a_locked_database_is_told(connection: Connection) -> None:
    mail = arrival(inbox(connection))
    driver: Any = connection.connection.dbapi_connection
    driver.execute("PRAGMA busy_timeout=10")
    _, _, file = driver.execute("PRAGMA database_list").fetchone()
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"):
            quickly(connection, mail)
    assert number(connection) == [0, 0, 0]


def test_whoever_reads_is_woken(connection: Connection) -> None:
    tx = Tx(connection)
    shortcut.accept(tx, [(arrival(inbox(connection)),)])
    assert tx.woken == {"read"}


def test_a_mail_is_told_by_its_id_and_its_bytes() -> None:
    known = dedupe_key("<one@example.com>", "ab")
    others = {dedupe_key("<two@example.com>", "ab"), dedupe_key("<one@example.com>", "cd")}
    assert known == dedupe_key("<one@example.com>", "ab")
    assert len({known, *others}) == 3
    assert dedupe_key("", "ab") is None
    assert dedupe_key("", "ab", unique=True) == dedupe_key("", "ab", unique=True) is not None
