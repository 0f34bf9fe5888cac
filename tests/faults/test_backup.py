"""A copy of the whole state, made while mail comes in: a start from it goes on with all of it."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from inboxkit import InboxKit, Message, Router, StoreError
from inboxkit.pipeline.deletion import delete_portion
from inboxkit.store import backups
from inboxkit.store.database import sqlite_file
from inboxkit.testing.settling import settle
from inboxkit.tokens import row_id
from tests.mails import ANN, DESK, arrive, mail

if TYPE_CHECKING:
    from pathlib import Path

_LARGE = {"a.bin": secrets.token_bytes(150_000)}


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


async def test_a_start_from_a_copy_made_under_load_handles_all_that_was_taken_before(
    database: str, tmp_path: Path
) -> None:
    kit, copy, taken = InboxKit(database=database), tmp_path / "copy", list[str]()
    kit.only_look()  # nothing is done in the original: all of it waits in the copy

    async def load() -> None:
        while not copy.exists():
            await take(kit, name := f"m{len(taken)}", large=len(taken) % 5 == 0)
            taken.append(name)

    async with kit:
        await kit.inbox(DESK)
        loading = asyncio.create_task(load())
        while len(taken) < 20:
            await kit.runtime.store.bell.wait("none", 0, timeout=0.01)
        before = set(taken)
        made = await anyio.to_thread.run_sync(backups.make, file_of(database), copy)
        await loading
    got = list[str]()
    async with InboxKit(answering(got), database=f"sqlite:///{made.file}") as started:
        await settle(started, timeout=60)
    assert before <= set(got) <= set(taken)
    assert len(got) == len(set(got))
    assert made.files >= 4 and not made.damaged


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


async def test_what_cannot_be_copied_leaves_no_folder(tmp_path: Path) -> None:
    source, copies = tmp_path / "notes.db", tmp_path / "copies"
    source.write_text("no database " * 100)
    with pytest.raises(StoreError, match="no backup was made"):
        backups.make(source, copies / "today")
    assert not list(copies.iterdir())
