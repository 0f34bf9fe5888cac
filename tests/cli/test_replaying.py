"""``replay``: handlers run again; what was sent is not sent again unless that is asked for."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import arrivals, inboxes
from inboxkit.store.arrivals import Arrival
from inboxkit.store.blobs import Blobs
from inboxkit.store.database import open_database
from inboxkit.store.transactions import Tx
from inboxkit.tokens import new_id, public_id

from .mails import ECHO, mail, write_handler, write_mail
from .processes import Serving

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import Connection

    from .conftest import Command

KEYED = ECHO.replace("message.text)", "message.text, key='once')")
FAILING = ECHO.replace("await message.reply", "raise LookupError  # ")
INBOX = ("import", "--inbox", "echo@inbox.example", "--dispatch", "--send")


def work(inboxkit: Command) -> None:
    """Do what is due: an import that calls handlers returns when nothing is left."""
    (inboxkit.folder / "nothing").mkdir(exist_ok=True)
    assert inboxkit(*INBOX, "nothing").code == 0


@pytest.fixture(params=[ECHO, KEYED], ids=["without-key", "with-key"])
def answered(inboxkit: Command, request: pytest.FixtureRequest) -> Command:
    """A mail that the handler has answered."""
    write_handler(inboxkit.folder, request.param)
    write_mail(inboxkit.folder / "1.eml")
    inboxkit(*INBOX, "1.eml")
    assert len(inboxkit.rows("messages", "-q", "is:sent")) == 1
    return inboxkit


@pytest.mark.parametrize("by", ["id", "message"])
def test_nothing_is_sent_twice(answered: Command, by: str) -> None:
    (run,) = answered.rows("runs")
    assert answered("replay", run[by]).err.startswith("replayed 1\n")
    assert answered.rows("runs")[0]["state"] == "pending"
    work(answered)
    assert answered.rows("runs")[0]["state"] == "done"
    assert len(answered.rows("messages", "-q", "is:sent")) == 1


def test_send_again_sends_once_more(answered: Command) -> None:
    (run,) = answered.rows("runs")
    answered("replay", "--send-again", run["id"])
    work(answered)
    assert len(answered.rows("messages", "-q", "is:sent state:accepted")) == 2


def test_a_message_without_runs_is_planned_again(inboxkit: Command) -> None:
    write_mail(inboxkit.folder / "1.eml")
    inboxkit(*INBOX, "1.eml")
    write_handler(inboxkit.folder)
    (message,) = inboxkit.rows("messages")
    inboxkit("replay", message["id"])
    work(inboxkit)
    assert [run["state"] for run in inboxkit.rows("runs")] == ["done"]


def test_failed_runs_are_replayed_by_handler(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, FAILING.replace("Router()", "Router(retries=Retries(1))"))
    path = inboxkit.folder / "handlers" / "echo.py"
    path.write_text(path.read_text().replace("Message, Router", "Message, Retries, Router"))
    write_mail(inboxkit.folder / "1.eml")
    inboxkit(*INBOX, "1.eml")
    (run,) = inboxkit.rows("runs", "--failed")
    assert "LookupError" in run["error"]
    assert inboxkit("replay", "--failed", "--handler", "handlers.other").err == "replayed 0\n"
    assert inboxkit("replay", "--failed", "--handler", run["handler"]).err.startswith(
        "replayed 1\n"
    )


def test_a_message_is_read_again(inboxkit: Command) -> None:
    write_mail(inboxkit.folder / "1.eml")
    inboxkit(*INBOX, "1.eml")
    (message,) = inboxkit.rows("messages")
    assert inboxkit("replay", "--read", message["id"]).err.startswith("replayed 1\n")
    work(inboxkit)
    (again,) = inboxkit.rows("messages")
    assert again | {"thread_reason": "new"} == message


@pytest.fixture
def unread(inboxkit: Command) -> str:
    """A mail that came in and waits to be read."""
    write_handler(inboxkit.folder)
    inboxkit("inbox", "create", "echo@inbox.example")
    now, raw = datetime.now(UTC), mail()
    with opened(inboxkit) as connection:
        found = inboxes.require(connection, "echo@inbox.example")
        came = Arrival(
            id=new_id(),
            inbox_id=found.id,
            received_at=now,
            mail_from="ann@example.com",
            rcpt_to=(found.address,),
            packed=Blobs(None).pack(raw),
            size=len(raw),
            sha256=hashlib.sha256(raw).hexdigest(),
        )
        arrivals.accept(Tx(connection), [(came,)])
    return public_id("msg", came.id)


@contextmanager
def opened(inboxkit: Command) -> Generator[Connection]:
    database = open_database(f"sqlite:///{inboxkit.folder / 'inboxkit.db'}")
    with database.writer.begin() as connection:
        yield connection
    database.close()


@pytest.mark.parametrize("how", [(), ("--read",)], ids=["planned", "read-again"])
def test_a_mail_that_waits_to_be_read_is_read_and_handled_all_the_same(
    inboxkit: Command, unread: str, how: tuple[str, ...]
) -> None:
    refused = inboxkit("replay", *how, unread)
    assert how or (refused.code and "is not read yet" in refused.err)
    work(inboxkit)
    (message,) = inboxkit.rows("messages", "-q", "is:received")
    assert (message["id"], message["state"]) == (unread, "parsed")
    assert [run["state"] for run in inboxkit.rows("runs")] == ["done"]


@pytest.mark.long
def test_who_replays_hears_that_nobody_is_at_work(answered: Command) -> None:
    (row,) = answered.rows("runs")
    assert "they wait for inboxkit run" in answered("replay", row["id"]).err
    with Serving(answered.folder, "run"):
        assert answered("replay", row["id"]).err.splitlines()[1:] == []
