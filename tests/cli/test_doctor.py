"""``inboxkit doctor``: each point as it should be, and what is wrong with an installation."""

from __future__ import annotations

import os
import socket
import socketserver
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import create_engine, text

from tests import bucket as buckets
from tests import postgres
from tests.authentication.name_server import serving
from tests.databases import SERVER_FOLDER

from .certificates import signed_until
from .processes import Serving
from .test_resolving import lose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Command, Done

PORTS = ("--set", "smtp=127.0.0.1:0", "--set", "http=127.0.0.1:0")
BROKEN = "raise RuntimeError('no luck')\n"
HANDLER = """\
from inboxkit import Message, Router

router = Router()
print("talk")


@router.on_message(to="help@*")
async def answer(message: Message) -> None: ...
"""


def points(done: Done) -> dict[str, tuple[str, str, str]]:
    """Return what was found by check; of several of a check the worst."""
    worst: dict[str, tuple[str, str, str]] = {}
    for row in sorted(done.rows, key=lambda r: ["ok", "warning", "fault"].index(r["state"])):
        worst[row["check"]] = (row["state"], row["found"], row["fix"])
    return worst


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_where_nothing_is_yet_nothing_is_at_fault_and_nothing_is_made(bare: Command) -> None:
    done = bare(*PORTS, "doctor", "--json")
    assert (done.code, done.err) == (0, "")
    assert {row["state"] for row in done.rows} == {"ok"}
    assert points(done)["database"][1] == "inboxkit.db is not there yet: the first start makes it"
    assert list(bare.folder.iterdir()) == []


def test_a_database_is_looked_at_and_left_as_it_is(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "echo@inbox.example")
    before = files(inboxkit.folder)
    done = inboxkit(*PORTS, "doctor", "--json")
    assert done.code == 0
    assert files(inboxkit.folder) == before
    wanted = {"schema", "writes", "durability", "jobs", "leases", "Runs", "sends", "fsync"}
    assert {points(done)[check][0] for check in wanted} == {"ok"}


def test_people_get_a_line_a_point(inboxkit: Command) -> None:
    rows = [line.split("\t") for line in inboxkit(*PORTS, "doctor").out.splitlines()]
    assert {len(row) for row in rows} == {4}
    assert ["ok", "writes", "can be made", ""] in rows


@pytest.mark.parametrize(
    ("settings", "check", "says"),
    [
        ("colour=red", "settings", "colour: unknown key"),
        ("smtp_require_auth=true", "settings", "smtp_require_auth: needs smtp_users"),
        ("provider=mailgun domain=x.org", "provider mailgun", "api_key is missing"),
        ("provider=smtp smtp.host=relay", "settings", "domain: inbox.example"),
        ("database=oracle://host", "database", "oracle is not supported"),
        ("database=postgresql://a:pw@127.0.0.1:1/x", "database", "refused"),
        ("http=192.0.2.1:0", "port http", "192.0.2.1:0: "),
        ("http=192.0.2.1:0", "API key", "set api_key"),
        ("object_store=file:///mail", "object store", "'file:///mail' is no bucket"),
    ],
)
def test_what_is_wrong_is_at_fault(inboxkit: Command, settings: str, check: str, says: str) -> None:
    flags = [flag for setting in settings.split() for flag in ("--set", setting)]
    done = inboxkit(*PORTS, *flags, "doctor", "--json")
    state, found, fix = points(done)[check]
    assert (done.code, state) == (1, "fault")
    assert says in found
    assert fix and "pw" not in done.out


def test_what_nothing_reads_is_a_warning(inboxkit: Command) -> None:
    done = inboxkit(*PORTS, "--set", "mailgum.api_key=x", "doctor", "--json")
    assert done.code == 0
    assert points(done)["settings"][:2] == ("warning", "nothing reads [mailgum]")


def test_handlers_are_imported_and_what_they_print_is_no_point(inboxkit: Command) -> None:
    (inboxkit.folder / "mine").mkdir()
    (inboxkit.folder / "mine" / "help.py").write_text(HANDLER)
    done = inboxkit(*PORTS, "doctor", "mine", "--json")
    assert (done.code, done.err) == (0, "talk\n")
    assert points(done)["handlers"][1] == "1 in 1 routers of mine"
    assert points(done)["inboxes"][2] == "inboxkit inbox create help@inbox.example"


def test_a_folder_of_handlers_that_is_not_there_is_at_fault(inboxkit: Command) -> None:
    done = inboxkit(*PORTS, "doctor", "nosuch", "--json")
    state, found, _ = points(done)["handlers"]
    assert (done.code, state) == (1, "fault")
    assert str(inboxkit.folder / "nosuch") in found


def test_handlers_that_do_not_import_are_at_fault(inboxkit: Command) -> None:
    (inboxkit.folder / "handlers").mkdir()
    (inboxkit.folder / "handlers" / "help.py").write_text(BROKEN)
    done = inboxkit(*PORTS, "doctor", "--json")
    assert done.code == 1
    assert "help.py does not import: RuntimeError: no luck" in points(done)["handlers"][1]


class Other(socketserver.BaseRequestHandler):
    """Another program, which says what it is and hangs up."""

    def handle(self) -> None:
        self.request.sendall(b"SSH-2.0-Other_1.0\r\n")


@pytest.mark.parametrize("edge", ["smtp", "http"])
def test_a_port_of_another_program_is_at_fault(inboxkit: Command, edge: str) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, args=(0.01,)).start()
        bind = f"127.0.0.1:{other.server_address[1]}"
        done = inboxkit("doctor", f"--{edge}", bind, "--role", edge, "--json")
        other.shutdown()
    assert done.code == 1
    assert points(done)[f"port {edge}"][1] == f"{bind} is taken by another program"


@pytest.mark.long
def test_a_program_that_says_nothing_is_not_waited_for_long(inboxkit: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        done = inboxkit("doctor", "--http", bind, "--role", "http", "--json")
    assert points(done)["port http"][1] == f"{bind} is taken by another program"


def test_a_server_of_ours_is_known_by_what_it_says(inboxkit: Command) -> None:
    with Serving(inboxkit.folder, "run") as server:
        web = server.url.removeprefix("http://")
        ports = ("--set", f"smtp=127.0.0.1:{server.smtp_port}", "--set", f"http={web}")
        done = inboxkit(*ports, "doctor", "--json")
    assert done.code == 0
    found = points(done)
    assert found["port smtp"][1].endswith(" is served by inboxkit already")
    assert found["port http"][1] == f"{web} is served by inboxkit already"
    assert found["processes"][1] == "1 at work on this database"


def test_sends_of_unknown_outcome_are_told(inboxkit: Command) -> None:
    lose(inboxkit)
    state, found, fix = points(inboxkit(*PORTS, "doctor", "--json"))["sends"]
    assert (state, found) == ("warning", "1 of unknown outcome")
    assert "inboxkit resolve" in fix


@pytest.mark.long
def test_a_database_that_another_program_holds_is_told(inboxkit: Command) -> None:
    with closing(sqlite3.connect(inboxkit.folder / "inboxkit.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        done = inboxkit(*PORTS, "doctor", "--json")
    state, found, _ = points(done)["writes"]
    assert (done.code, state, "database is locked" in found) == (0, "warning", True)


def test_what_waits_while_nobody_works_is_told(inboxkit: Command) -> None:
    raw = b"From: ann@example.com\r\nTo: echo@inbox.example\r\nSubject: x\r\n\r\nx\r\n"
    inboxkit("inbox", "create", "echo@inbox.example")
    inboxkit("receive", "--to", "echo@inbox.example", stdin=raw)
    change(inboxkit, "UPDATE inboxkit_job SET due_at = due_at - 3600000000, state = 'ready'")
    state, found, fix = points(inboxkit(*PORTS, "doctor", "--json"))["jobs"]
    assert (state, fix) == ("warning", "start: inboxkit run")
    assert "due since 1:00:0" in found and found.endswith("nobody is at work")


def test_a_clock_that_went_back_is_told(inboxkit: Command) -> None:
    inboxkit("send", "--from=bot@inbox.example", "--to=ann@example.com", "--text=Hi")
    change(inboxkit, "UPDATE inboxkit_event SET at = at + 3600000000")
    state, found, _ = points(inboxkit(*PORTS, "doctor", "--json"))["clock"]
    assert (state, "yet to come" in found) == ("warning", True)


def change(inboxkit: Command, statement: str) -> None:
    with closing(sqlite3.connect(inboxkit.folder / "inboxkit.db")) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("version", "code", "state"), [("0001", 0, "warning"), ("9999", 1, "fault")]
)
def test_a_schema_of_another_version_is_told(
    inboxkit: Command, version: str, code: int, state: str
) -> None:
    change(inboxkit, f"UPDATE inboxkit_version SET version_num = '{version}'")
    change(inboxkit, "DELETE FROM inboxkit_setting WHERE key = 'schema_compatible'")
    done = inboxkit(*PORTS, "doctor", "--json")
    assert (done.code, points(done)["schema"][0]) == (code, state)


def test_a_file_that_is_no_database_is_at_fault(bare: Command) -> None:
    (bare.folder / "inboxkit.db").write_text("This is no database, though long enough.")
    done = bare(*PORTS, "doctor", "--json")
    assert done.code == 1
    assert points(done)["database"][1].endswith("file is not a database")


def test_a_database_that_others_may_read_is_told(inboxkit: Command) -> None:
    (inboxkit.folder / "inboxkit.db").chmod(0o644)
    assert points(inboxkit(*PORTS, "doctor", "--json"))["permissions"][0] == "warning"
    (inboxkit.folder / "inboxkit.db").chmod(0o600)
    assert "permissions" not in points(inboxkit(*PORTS, "doctor", "--json"))


@pytest.fixture(scope="module")
def bucket() -> Iterator[buckets.Bucket]:
    with buckets.serving() as running:
        yield running


def test_a_bucket_is_written_read_and_emptied(inboxkit: Command, bucket: buckets.Bucket) -> None:
    flags = ["--set", f"object_store={buckets.URL}"]
    flags += [f for k, v in bucket.options.items() for f in ("--set", f"object_store.{k}={v}")]
    bucket.empty()
    missing = inboxkit(*PORTS, *flags, "doctor", "--json")
    assert (missing.code, points(missing)["object store"][0]) == (1, "fault")
    bucket.make()
    done = inboxkit(*PORTS, *flags, "doctor", "--json")
    assert (done.code, points(done)["object store"][0]) == (0, "ok")


RECORDS: dict[tuple[str, str], Any] = {
    ("good.example", "MX"): ["10 mx.good.example."],
    ("good.example", "TXT"): ["v=spf1 mx -all"],
    ("_dmarc.good.example", "TXT"): ["v=DMARC1; p=none"],
    ("twice.example", "TXT"): ["v=spf1 mx -all", "v=spf1 -all"],
    ("silent.example", "MX"): None,
}


async def test_dns_is_asked_about_the_domains_that_are_named(inboxkit: Command) -> None:
    async with serving(RECORDS) as (server, address):
        setting = ("--set", f"dns_servers={address}", "--set", "hostname=mx.good.example")
        await anyio.to_thread.run_sync(inboxkit, *PORTS, *setting, "doctor")
        assert server.asked == []
        named = ("doctor", "--json", "--dns", "good.example", "--dns", "Twice.example.")
        done = await anyio.to_thread.run_sync(inboxkit, *PORTS, *setting, *named)
    found = points(done)
    assert {kind: found[f"dns {kind} good.example"][0] for kind in ("MX", "SPF", "DMARC")} == {
        "MX": "ok",
        "SPF": "ok",
        "DMARC": "ok",
    }
    assert found["dns DKIM good.example"][0] == "warning"
    assert done.code == 1
    assert found["dns MX twice.example"][0] == "fault"
    assert found["dns SPF twice.example"][:2] == (
        "fault",
        "twice.example: there is more than one, which counts as none",
    )


@pytest.mark.parametrize(("days", "state"), [(-1, "fault"), (3, "warning"), (60, "ok")])
def test_a_certificate_that_ends_is_told(inboxkit: Command, days: int, state: str) -> None:
    certificate, key = signed_until(inboxkit.folder, datetime.now(UTC) + timedelta(days=days))
    flags = ("--set", f"tls_certificate={certificate}", "--set", f"tls_key={key}")
    found = points(inboxkit(*PORTS, *flags, "doctor", "--json"))
    assert (found["certificate"][0], found["settings"][0]) == (state, "ok")


APP = """\
from inboxkit import InboxKit, Router

kit = InboxKit(Router(), provider="mailgun", domain="shop.example", database="sqlite:///own.db")
"""


def test_of_a_kit_of_ones_own_its_settings_are_looked_at(inboxkit: Command) -> None:
    (inboxkit.folder / "doctored.py").write_text(APP)
    app = ("--set", "handlers=doctored:kit")
    found = points(inboxkit(*PORTS, *app, "doctor", "--json"))
    assert found["provider mailgun"][0] == "fault"
    assert found["handlers"][1] == "0 in 1 routers of doctored:kit"
    assert found["database"][1] == "own.db is not there yet: the first start makes it"
    assert "provider mailgun" not in points(inboxkit(*PORTS, *app, *MEMORY, "doctor", "--json"))


MEMORY = ("--provider", "memory")


@pytest.mark.postgres
def test_postgresql_is_asked_for_what_it_keeps(bare: Command, database: str) -> None:
    done = bare("--database", database, *PORTS, "doctor", "--json")
    found = points(done)
    wanted = ("database", "schema", "writes", "limits", "clock", "jobs", "leases", "extra postgres")
    assert {check: found[check][0] for check in wanted} == dict.fromkeys(wanted, "ok")
    settings = {row["found"].split(" ")[0] for row in done.rows if row["check"] == "durability"}
    assert settings == {"fsync", "synchronous_commit", "full_page_writes"}
    # No role can set this one; the server of tests does without.
    assert "set fsync = on for the server" in {row["fix"] for row in done.rows}


@pytest.mark.postgres
def test_a_server_that_ends_statements_too_soon_is_told(bare: Command, database: str) -> None:
    url = f"{database}&options=-c%20statement_timeout%3D2s"
    found = points(bare(*PORTS, "--database", url, "doctor", "--json"))
    said = "statement_timeout = 2 s: what takes longer is tried again"
    wanted = "ALTER ROLE ... SET statement_timeout = '30s', or more; 0 is no limit"
    assert found["limits"] == ("warning", said, wanted)


@pytest.fixture
def empty() -> Iterator[str]:
    """A database of PostgreSQL of this test alone, without our schema."""
    if not postgres.RUNS_HERE:
        pytest.skip("PostgreSQL does not run here")
    server = postgres.shared_server(Path(os.environ[SERVER_FOLDER]))
    with server.empty_database() as url:
        yield url


def test_postgresql_without_our_schema_is_at_fault(bare: Command, empty: str) -> None:
    done = bare("--database", empty, *PORTS, "doctor", "--json")
    assert done.code == 1
    assert points(done)["schema"][::2] == ("fault", "inboxkit db upgrade")


def test_who_may_make_no_schema_is_told_what_gives_the_right(bare: Command, empty: str) -> None:
    server = postgres.shared_server(Path(os.environ[SERVER_FOLDER]))
    name = f"poor{os.getpid()}"
    server.sql(f"CREATE ROLE {name} LOGIN")
    try:
        done = bare("--database", empty.replace("postgres@", f"{name}@"), "db", "upgrade")
    finally:
        server.sql(f"DROP ROLE {name}")
    assert (done.code, "permission denied" in done.err) == (1, True)
    assert "GRANT CREATE ON DATABASE ... TO ..." in done.err


def test_a_database_that_was_restored_from_another_server_is_at_fault(
    bare: Command, empty: str
) -> None:
    bare("--database", empty, "db", "upgrade")
    bare("--database", empty, "send", "--from=a@inbox.example", "--to=b@x.org", "--text=Hi")
    engine = create_engine(empty.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:  # as on a server that had counted further than this one
        connection.execute(text("UPDATE inboxkit.inboxkit_event SET seq = seq + (1::bigint << 50)"))
    engine.dispose()
    done = bare("--database", empty, *PORTS, "doctor", "--json")
    assert (done.code, points(done)["event log"][::2]) == (1, ("fault", "inboxkit db upgrade"))
