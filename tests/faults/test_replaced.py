"""A PostgreSQL database is replaced under a process: no sender is turned away for good by it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import delete

from inboxkit import InboxKit
from inboxkit.store import schema
from inboxkit.store.database import open_database
from inboxkit.store.tables import inbox, setting
from tests.databases import SERVER_FOLDER
from tests.mails import DESK, mail
from tests.postgres import RUNS_HERE, Server, shared_server

from .delivering import send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx

pytestmark = pytest.mark.skipif(not RUNS_HERE, reason="the server's programs are for Unix")
NAME = f"replaced{os.getpid()}"
ASIDE = f"{NAME}aside"


@pytest.fixture
def server() -> Iterator[Server]:
    """The server with a database that the test may move aside."""
    shared = shared_server(Path(os.environ[SERVER_FOLDER]))
    make(shared)
    yield shared
    for name in (NAME, ASIDE):
        shared.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def make(server: Server) -> None:
    server.sql(f"CREATE DATABASE {NAME}")
    database = open_database(server.url(NAME))
    schema.upgrade(database)
    database.close()


def move_aside(server: Server) -> None:
    """Rename the database, which nobody may be connected to."""
    server.sql(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS false")
    server.sql(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{NAME}'"
    )
    server.sql(f"ALTER DATABASE {NAME} RENAME TO {ASIDE}")


def put_back(server: Server) -> None:
    server.sql(f"DROP DATABASE {NAME} WITH (FORCE)")
    server.sql(f"ALTER DATABASE {ASIDE} RENAME TO {NAME}")
    server.sql(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS true")


def empty(tx: Tx) -> None:
    """Leave what a dump finds that is about to fill its tables."""
    for table in (inbox, setting):
        tx.connection.execute(delete(table))


async def taken(kit: InboxKit) -> None:
    """Send until a mail is taken."""
    with anyio.fail_after(30):
        while await anyio.to_thread.run_sync(send, kit, mail()) != 250:
            await kit.runtime.store.bell.wait("none", 0, timeout=0.1)


async def test_another_database_of_that_name_gets_no_mail_and_the_old_one_does_again(
    server: Server,
) -> None:
    async with InboxKit(database=server.url(NAME), smtp="127.0.0.1:0") as kit:
        await kit.inbox(DESK)
        await taken(kit)
        kit.runtime.addresses.forget()
        move_aside(server)
        make(server)
        assert await anyio.to_thread.run_sync(send, kit, mail()) == 451
        assert "not the one any more that this process has opened" in await kit.runtime.problem()
        put_back(server)
        await taken(kit)


async def test_no_sender_is_told_that_an_inbox_is_unknown_while_a_database_is_being_filled(
    server: Server,
) -> None:
    async with InboxKit(database=server.url(NAME), smtp="127.0.0.1:0") as kit:
        await kit.inbox(DESK)
        await kit.runtime.store.write(empty)
        assert await anyio.to_thread.run_sync(send, kit, mail()) == 451
