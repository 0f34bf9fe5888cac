"""What is stored is its owner's alone."""

from __future__ import annotations

import os
from stat import S_IMODE
from typing import TYPE_CHECKING

import pytest

from inboxkit import InboxKit
from tests.mails import DESK, mail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture
def usual_mask() -> Iterator[None]:
    """The mask of most systems: everybody may read what is new."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.mark.usefixtures("usual_mask")
async def test_mail_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "mail.db"
    async with InboxKit(database=f"sqlite:///{file}") as kit:
        await kit.inbox(DESK)
        large = mail(os.urandom(200_000).hex())
        await kit.receive(large, mail_from="ann@example.com", rcpt_to=[DESK])

        assert modes(tmp_path) == {
            "mail.db": 0o600,
            "mail.db-wal": 0o600,
            "mail.db-shm": 0o600,
            "mail.db.files": 0o700,
        }


@pytest.mark.usefixtures("usual_mask")
async def test_a_database_that_others_may_read_stays_so(tmp_path: Path) -> None:
    file = tmp_path / "mail.db"
    file.touch(mode=0o640)
    async with InboxKit(database=f"sqlite:///{file}") as kit:
        await kit.inbox(DESK)

        assert S_IMODE(file.stat().st_mode) == 0o640
        assert S_IMODE(file.with_name("mail.db-wal").stat().st_mode) == 0o640
