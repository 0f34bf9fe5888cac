"""``backup``: the database and its files as a folder of its owner alone."""

from __future__ import annotations

import asyncio
import base64
import secrets
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from inboxkit.clock import Clock
from inboxkit.store.store import Store

from .mails import write_mail

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from .conftest import Command


@pytest.fixture
def filled(inboxkit: Command) -> Command:
    """A small mail and a large one, which lies in a file."""
    write_mail(inboxkit.folder / "in" / "1.eml", 1, subject="First")
    large = base64.encodebytes(secrets.token_bytes(200_000)).decode()
    write_mail(inboxkit.folder / "in" / "2.eml", 2, subject="Large", text=large)
    assert inboxkit("import", "--inbox", "a@inbox.example", "in").code == 0
    return inboxkit


@contextmanager
def living(file: Path) -> Generator[None]:
    """Open the database as a process does that is at work on it."""
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        store = Store(f"sqlite:///{file}", Clock())
        runner.run(store.open())
        stack.callback(lambda: runner.run(store.close()))
        yield


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_copy_is_a_database_to_go_on_with(filled: Command) -> None:
    done = filled("backup", "copies/today")
    assert (done.code, done.out.strip()) == (0, "copies/today/inboxkit.db")
    assert "files of large messages: 1" in done.err
    rows = filled.rows("--database", f"sqlite:///{done.out.strip()}", "messages")
    assert [row["subject"] for row in rows] == ["Large", "First"]
    assert filled("--database", f"sqlite:///{done.out.strip()}", "export", "out").code == 0


def test_a_copy_is_its_owners_alone(filled: Command) -> None:
    filled("backup", "copy")
    copy = filled.folder / "copy"
    assert copy.stat().st_mode & 0o077 == 0
    assert (copy / "inboxkit.db").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in copy.iterdir()) == ["inboxkit.db", "inboxkit.db.files"]


def test_a_file_that_is_lost_is_named_and_the_copy_is_there(filled: Command) -> None:
    (lost,) = (filled.folder / "inboxkit.db.files").rglob("*.zst")
    lost.unlink()
    (large,) = filled.rows("messages", "-q", "subject:large")
    done = filled("backup", "copy")
    assert done.code == 1
    assert f"{large['id']}: its file is gone, also in the original" in done.err
    assert (filled.folder / "copy" / "inboxkit.db").exists()


def test_a_folder_that_is_there_is_left_alone(filled: Command) -> None:
    (filled.folder / "copy").mkdir()
    done = filled("backup", "copy")
    assert (done.code, list((filled.folder / "copy").iterdir())) == (2, [])
    assert "copy is there already; name a new folder" in done.err


def test_without_a_database_there_is_nothing_to_copy(bare: Command) -> None:
    assert bare("backup", "copy").code == 3
    assert not files(bare.folder)


def test_postgresql_has_its_own_way(bare: Command) -> None:
    done = bare("--database", "postgresql://localhost/mail", "backup", "copy")
    assert done.code == 2
    assert "use pg_dump" in done.err


def test_what_waits_in_a_copy_is_held_back_before_its_start(inboxkit: Command) -> None:
    given = ("--from", "a@inbox.example", "--to", "b@example.com", "--text", "Hello")
    inboxkit("send", *given, "--at", "2999-01-01T00:00Z")
    copy = inboxkit("backup", "copy").out.strip()
    asked = inboxkit("--database", f"sqlite:///{copy}", "db", "hold", stdin=b"n\n")
    assert asked.code == 1
    done = inboxkit("--database", f"sqlite:///{copy}", "db", "hold", "--yes")
    assert (done.code, done.err) == (0, "nothing that is due waits in this database\n")


def test_nothing_is_held_back_under_a_process_that_works(inboxkit: Command) -> None:
    with living(inboxkit.folder / "inboxkit.db"):
        done = inboxkit("db", "hold", "--yes")
    assert done.code == 1
    assert "processes are at work on this database" in done.err
