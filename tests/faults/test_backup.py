"""A copy of the whole state, made while mail comes in: a start from it goes on with all of it."""

from __future__ import annotations

import asyncio
import os
import secrets
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import make_url

from inboxkit import InboxKit, Message, Router, StoreError
from inboxkit.pipeline.deletion import delete_portion
from inboxkit.store import backups
from inboxkit.store.database import sqlite_file
from inboxkit.testing.settling import settle
from inboxkit.tokens import row_id
from tests.databases import SERVER_FOLDER
from tests.mails import ANN, DESK, arrive, mail
from tests.postgres import shared_server

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_LARGE = {"a.bin": secrets.token_bytes(600_000)}  # on PostgreSQL in rows of its own


def answering(got: list[str]) -> Router[...]:
    router = Router()

    @router.on_message(to="desk@*")
    async def answer(message: Message) -> None:
        got.append(message.subject if not message.attachments else await checked(message))

    return router


async def checked(message: Message) -> str:
    """Return the subject of a message whose file is what was sent."""
    assert await message.attachments[0].read() == _LARGE["a.bin"]
    return message.subject


def file_of(database: str) -> Path:
    file = sqlite_file(database)
    assert file is not None
    return file


async def take(kit: InboxKit, subject: str, *, large: bool) -> None:
    raw = mail(subject=subject, files=_LARGE if large else None)
    await kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=[DESK])


async def under_load(database: str, copy: Callable[[], T]) -> tuple[T, set[str], set[str]]:
    """Make a copy while mail is taken; return it, what was taken before, and what was in all."""
    kit, taken, over = InboxKit(database=database), list[str](), anyio.Event()
    kit.only_look()  # nothing is done in the original: all of it waits in the copy

    async def load() -> None:
        while not over.is_set():
            await take(kit, subject := f"m{len(taken)}", large=len(taken) % 5 == 0)
            taken.append(subject)

    async with kit:
        await kit.inbox(DESK)
        loading = asyncio.create_task(load())
        while len(taken) < 20:
            await kit.runtime.store.bell.wait("none", 0, timeout=0.01)
        before = set(taken)
        made = await anyio.to_thread.run_sync(copy)
        over.set()
        await loading
    return made, before, set(taken)


async def handled(database: str) -> list[str]:
    """Start on a copy; return the subjects of what handlers were called for."""
    got = list[str]()
    async with InboxKit(answering(got), database=database) as kit:
        await settle(kit, timeout=60)
    return sorted(got)


async def test_a_start_from_a_copy_made_under_load_handles_all_that_was_taken_before(
    database: str, tmp_path: Path
) -> None:
    copy = partial(backups.make, file_of(database), tmp_path / "copy")
    made, before, taken = await under_load(database, copy)
    got = await handled(f"sqlite:///{made.file}")
    assert before <= set(got) <= taken
    assert len(got) == len(set(got))
    assert made.files >= 4 and not made.damaged


@pytest.mark.postgres
@pytest.mark.long
async def test_a_start_from_a_dump_made_under_load_handles_all_that_was_taken_before(
    database: str,
) -> None:
    server, loaded = shared_server(Path(os.environ[SERVER_FOLDER])), f"dumped{os.getpid()}"
    name = make_url(database).database or ""
    _, before, taken = await under_load(database, partial(server.dump, name))
    server.load(loaded)
    try:
        got = await handled(server.url(loaded))
    finally:
        server.sql(f"DROP DATABASE {loaded} WITH (FORCE)")
    assert before <= set(got) <= taken
    assert len(got) == len(set(got))


async def test_the_files_of_what_is_deleted_meanwhile_are_no_loss(
    kit: InboxKit, database: str, tmp_path: Path
) -> None:
    await kit.inbox(DESK)
    message, file = await arrive(kit, files=_LARGE), file_of(database)
    backups.copy_database(file, tmp_path / "copy.db")
    await delete_portion(kit.runtime.store, [row_id("msg", message.id)])
    assert backups.copy_files(file, tmp_path / "copy.db") == (0, 0, 1, {})


@pytest.mark.parametrize("fault", ["gone", "damaged"])
async def test_a_file_that_is_lost_in_the_original_is_named_and_the_others_are_copied(
    kit: InboxKit, database: str, tmp_path: Path, fault: str
) -> None:
    await kit.inbox(DESK)
    message = await arrive(kit, files=_LARGE)
    (lost,) = file_of(database).with_name("test.db.files").rglob("*.zst")
    if fault == "gone":
        lost.unlink()
    else:
        lost.write_bytes(lost.read_bytes()[:-100])
    await arrive(kit, files=_LARGE)
    made = backups.make(file_of(database), tmp_path / "copy")
    assert made.files == 1
    assert made.damaged == {message.id: fault}
    assert made.file.stat().st_mode & 0o777 == 0o600


async def test_what_cannot_be_copied_leaves_no_folder(tmp_path: Path) -> None:
    source, copies = tmp_path / "notes.db", tmp_path / "copies"
    source.write_text("no database " * 100)
    with pytest.raises(StoreError, match="no backup was made"):
        backups.make(source, copies / "today")
    assert not list(copies.iterdir())
