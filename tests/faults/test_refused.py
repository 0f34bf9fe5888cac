"""PostgreSQL refuses this process by what somebody has set: mail is put off until it is undone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from inboxkit import InboxKit, Message, Router
from inboxkit.store import schema
from inboxkit.store.database import open_database
from inboxkit.testing.settling import settle
from tests.databases import SERVER_FOLDER
from tests.mails import DESK, mail
from tests.postgres import RUNS_HERE, Server, shared_server

from .delivering import send

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not RUNS_HERE, reason="the server's programs are for Unix")
ROLE = f"clerk{os.getpid()}"  # its database has the same name
_FAULTS = {
    "read-only": (
        f"ALTER ROLE {ROLE} SET default_transaction_read_only TO on",
        f"ALTER ROLE {ROLE} RESET default_transaction_read_only",
        "read-only transaction",
    ),
    "no-more-connections": (
        f"ALTER ROLE {ROLE} CONNECTION LIMIT 0",
        f"ALTER ROLE {ROLE} CONNECTION LIMIT -1",
        "too many connections for role",
    ),
    "no-login": (
        f"ALTER ROLE {ROLE} NOLOGIN",
        f"ALTER ROLE {ROLE} LOGIN",
        "is not permitted to log in",
    ),
    "no-rights": (
        f"REVOKE ALL ON SCHEMA inboxkit FROM {ROLE}",
        f"GRANT ALL ON SCHEMA inboxkit TO {ROLE}",
        "or this role may not see them",
    ),
}


@pytest.fixture
def server() -> Iterator[Server]:
    """The server with a role that has a database of its own."""
    shared = shared_server(Path(os.environ[SERVER_FOLDER]))
    shared.sql(f"CREATE ROLE {ROLE} LOGIN")
    shared.sql(f"CREATE DATABASE {ROLE} OWNER {ROLE}")
    database = open_database(url(shared))
    schema.upgrade(database)
    database.close()
    yield shared
    shared.sql(f"DROP DATABASE {ROLE} WITH (FORCE)")
    shared.sql(f"DROP ROLE {ROLE}")


def url(server: Server) -> str:
    return server.url(ROLE).replace("postgres@", f"{ROLE}@")


def set_anew(server: Server, statement: str) -> None:
    """Change what holds for the role, and end its sessions, which keep what held before."""
    server.sql(statement, ROLE)
    server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")


async def handed_in(kit: InboxKit, subject: str) -> int:
    return await anyio.to_thread.run_sync(send, kit, mail(subject=subject))


@pytest.mark.parametrize(
    "fault",
    [pytest.param(f, marks=pytest.mark.long if f == "read-only" else ()) for f in _FAULTS],
)
async def test_mail_is_put_off_and_taken_again_when_the_refusal_ends(
    server: Server, fault: str
) -> None:
    router, got, (begin, end, told) = Router(), list[str](), _FAULTS[fault]

    @router.on_message(to="desk@*")
    async def note(message: Message) -> None:
        got.append(message.subject)

    async with InboxKit(router, database=url(server), smtp="127.0.0.1:0") as kit:
        await kit.inbox(DESK)
        set_anew(server, begin)
        assert await handed_in(kit, "refused") == 451
        assert told in await kit.runtime.problem()
        set_anew(server, end)
        with anyio.fail_after(30):
            while await handed_in(kit, "taken") != 250:
                await kit.runtime.store.bell.wait("none", 0, timeout=0.1)
        await settle(kit, timeout=30)
    assert got == ["taken"]
