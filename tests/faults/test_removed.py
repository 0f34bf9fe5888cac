"""A SQLite file that is deleted or replaced under a process: no mail is taken into what is gone."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack, chdir
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest
from sqlalchemy.exc import OperationalError

from inboxkit import InboxKit, StoreError
from inboxkit.store.presence import Presence
from tests.mails import DESK, arrive, mail

from .delivering import send
from .test_disk import ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file stays there")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
async def serving(database: str) -> AsyncIterator[InboxKit]:
    async with InboxKit(database=database, smtp="127.0.0.1:0", http="127.0.0.1:0") as kit:
        await kit.inbox(DESK)
        yield kit


def move(file: Path, to: Path) -> None:
    file.replace(to)


def replace_by_a_copy(file: Path) -> None:
    copy = file.with_name("copy.db")
    shutil.copy(file, copy)
    move(copy, file)


async def test_mail_is_put_off_while_the_file_is_gone(serving: InboxKit, file: Path) -> None:
    aside = file.with_name("aside.db")
    move(file, aside)
    assert await anyio.to_thread.run_sync(send, serving, mail()) == 451
    status, reason = await ready(serving)
    assert status == 503 and f"{file} is not the file any more" in reason
    move(aside, file)
    assert await anyio.to_thread.run_sync(send, serving, mail()) == 250
    assert await ready(serving) == (200, "ok")


async def test_mail_is_put_off_when_a_copy_has_taken_the_place_of_the_file(
    serving: InboxKit, file: Path
) -> None:
    replace_by_a_copy(file)
    assert await anyio.to_thread.run_sync(send, serving, mail()) == 451
    assert "another has taken its place" in (await ready(serving))[1]


async def test_a_file_that_is_gone_is_told_and_the_stop_ends(database: str, file: Path) -> None:
    async with InboxKit(database=database) as kit:
        await kit.inbox(DESK)
        move(file, file.with_name("aside.db"))
        with pytest.raises(StoreError, match="it is not there"):
            await arrive(kit)


async def test_no_empty_file_is_made_where_the_file_is_gone(database: str, file: Path) -> None:
    async with InboxKit(database=database) as kit:
        move(file, file.with_name("aside.db"))
        with ExitStack() as held, pytest.raises(OperationalError, match="unable to open"):
            for _ in range(12):  # more than were open before
                held.enter_context(kit.runtime.store.database.reader.connect())
        assert not await anyio.to_thread.run_sync(file.exists)


async def test_a_change_of_the_working_directory_moves_no_file(
    tmp_path: Path, file: Path, database: str
) -> None:
    with chdir(tmp_path):
        async with InboxKit(database=f"sqlite:///{file.name}") as kit:
            await kit.inbox(DESK)
            with chdir("/"):
                await arrive(kit)


def test_a_folder_that_cannot_be_looked_into_is_told_apart_from_a_file_that_is_gone(
    tmp_path: Path,
) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(StoreError, match=r"inboxkit\.db cannot be reached: Not a directory"):
        Presence(tmp_path / "folder" / "inboxkit.db").check()
