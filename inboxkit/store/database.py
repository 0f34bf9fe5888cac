"""Opening the database: engines, pragmas, what a connection is set to.

SQLite gets two engines, one for the writer thread (BEGIN IMMEDIATE, synchronous=FULL) and one for
readers (query_only). A deferred write transaction would fail by the thousand with two processes.
PostgreSQL gets two as well: readers commit each statement, which spares them two round trips.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from ..errors import ConfigurationError
from ..settings import without_secrets
from . import sqlite_dialect
from .compiled import COMPILED
from .links import Links

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUSY_MS = 5_000
_RETRY_S = 0.002
_POSTGRES_WRITERS = 2  # while one waits for its fsync, the other works
_EMPTY: Mapping[type, str] = {list: "[]", tuple: "[]", dict: "{}"}
_letters = json.JSONEncoder(ensure_ascii=False).encode
# Checkpoints are made by ``store.keep_alive`` in another thread, so that mail seldom waits for one.
# Only while the writer pauses can the log begin anew: without a limit it grew to several gigabytes
# under steady load (bench/growth.py), so at 64 MB the writer copies what is left.
_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "wal_autocheckpoint=16384",
    "journal_size_limit=134217728",
    "cache_size=-32000",
)


@dataclass(frozen=True, slots=True)
class Database:
    """The open engines; ``file`` is the SQLite file, None on PostgreSQL."""

    url: URL
    writer: Engine
    reader: Engine
    file: Path | None
    writers: int = 1
    links: Links | None = None  # to a server

    def remember(self, identity: bytes) -> None:
        """Refuse connections to any other database that takes this one's place on its server."""
        if self.links is not None:
            self.links.identity = identity

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()


def parse_url(url: str) -> URL:
    """Return the URL with our driver; raise ConfigurationError for what we do not run on."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # of a port that is no number
        raise ConfigurationError(
            f"database: {without_secrets(url)!r} is not a URL; "
            "write sqlite:///inboxkit.db or postgresql://host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):  # libpq, and so hosters, know both
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigurationError(f"database: {backend} is not supported; use sqlite or postgresql")
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError("database: SQLite needs a file, such as sqlite:///inboxkit.db")
    if Path(parsed.database).is_dir():
        raise ConfigurationError(f"database: {parsed.database} is a folder; name a file in it")
    return parsed


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for another database; raise ConfigurationError."""
    parsed = parse_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def open_database(url: str) -> Database:
    """Open the engines; the file's folder is made, the schema is not touched.

    Raise ConfigurationError for a URL or a folder that cannot be.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "postgresql":
        links = Links()
        writer = _postgres(parsed, links)
        by_statement = writer.execution_options(isolation_level="AUTOCOMMIT")
        return Database(parsed, writer, by_statement, None, _POSTGRES_WRITERS, links)
    file = Path(parsed.database or "")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"database: {file.parent} cannot be made: {error}") from None
    _make_private(file)
    writer = _sqlite(parsed, begin="BEGIN IMMEDIATE", pragmas=_WRITER_PRAGMAS)
    reader = _sqlite(parsed, begin="BEGIN", pragmas=("query_only=ON",))
    return Database(parsed, writer, reader, file)


def _make_private(file: Path) -> None:
    """Make a new file that its owner alone can read: mail, codes and keys come to lie in it.

    SQLite gives its log and its shared memory the mode of the file. What is there stays as it is.
    """
    with contextlib.suppress(OSError):  # it is there, or cannot be made: SQLite says which
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _sqlite(url: URL, *, begin: str, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(
        _of_a_file(url),
        connect_args={"check_same_thread": False, "timeout": _BUSY_MS / 1000},
        pool_size=8,
        hide_parameters=True,  # bodies and codes are among them; errors are logged
        json_serializer=to_json,
        json_deserializer=_from_json,
        execution_options={"compiled_cache": COMPILED},
    )
    engine.dialect.statement_compiler = sqlite_dialect.Compiler

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in (f"busy_timeout={_BUSY_MS}", "synchronous=FULL", *pragmas):
            _set(connection, pragma)
        # SQLite's own knows no letters but A to Z.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        try:
            driver.execute(begin).close()  # not by way of SQLAlchemy: every commit pays for it
        except sqlite3.Error as error:  # locked, as a rule
            raise OperationalError(begin, None, error) from error

    return engine


def _of_a_file(url: URL) -> URL:
    """Return the URL that makes no file: an empty one would stand where ours is gone."""
    uri = Path(url.database or "").absolute().as_uri()
    return url.set(database=uri, query={"uri": "true", "mode": "rw"})


def _set(connection: sqlite3.Connection, pragma: str) -> None:
    """Set a pragma, waiting for others as long as a statement would.

    Of two processes that give a new file its log at the same moment SQLite refuses one at once,
    in spite of ``busy_timeout``: both hold a read lock that the other waits for.
    """
    until = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute(f"PRAGMA {pragma}").close()
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise
        time.sleep(_RETRY_S)


def is_busy(error: BaseException | None) -> bool:
    """Whether SQLite says that another connection is in the way, for whichever reason."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF == sqlite3.SQLITE_BUSY  # what is above tells the reason


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def to_json(value: Any) -> str:
    """Return JSON in which a search finds names: letters as they are, not as escapes."""
    if not value and type(value) in _EMPTY:
        return _EMPTY[type(value)]
    text = _letters(value)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which no database takes
        return json.dumps(value)
    return text


def _from_json(text: str) -> Any:
    """Most of a mail's lists are empty, and a decoder takes as long for one as for a short one."""
    if text == "[]":
        return []
    return {} if text == "{}" else json.loads(text)


def _postgres(url: URL, links: Links) -> Engine:
    try:
        from . import postgres  # needs the driver, which an extra brings
    except ModuleNotFoundError:
        raise ConfigurationError(
            'database: PostgreSQL needs its driver: pip install "inboxkit[postgres]"'
        ) from None

    def recognise(connection: Any, _record: object) -> None:
        if links.identity is not None:
            postgres.recognise(connection, links.identity)

    engine = create_engine(
        url,
        connect_args={**postgres.limits(url), "fallback_application_name": "inboxkit"},
        pool_size=8,
        pool_pre_ping=True,
        hide_parameters=True,
        json_serializer=to_json,
        execution_options={"compiled_cache": COMPILED},
    )
    event.listen(engine, "do_connect", links.check)
    event.listen(engine, "connect", links.add)
    event.listen(engine, "connect", postgres.prepare)
    event.listen(engine, "connect", recognise)
    event.listen(engine, "handle_error", postgres.give_up_useless)
    return engine
