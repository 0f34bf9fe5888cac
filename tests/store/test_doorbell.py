"""The folder of a doorbell is ours alone, in a directory where everybody may make one."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from stat import S_IMODE
from typing import TYPE_CHECKING

import pytest

from inboxkit.errors import ConfigurationError
from inboxkit.store.doorbell import Doorbell

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory of all users of a machine."""
    folder = tmp_path / "tmp"
    folder.mkdir(mode=0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def ring(database: Path) -> None:
    with closing(Doorbell(database, "1")) as bell:
        bell.ring(["read"])


def test_its_folders_are_private(shared: Path, tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        (shared / f"inboxkit-{os.getuid()}").mkdir()  # as an earlier version made it
        ring(tmp_path / "mail.db")
    finally:
        os.umask(before)
    [ours] = shared.iterdir()
    assert {S_IMODE(path.stat().st_mode) for path in (ours, *ours.iterdir())} == {0o700}


@pytest.mark.parametrize("depth", [0, 1])
def test_a_link_of_somebody_else_leads_to_no_files_of_ours(
    shared: Path, tmp_path: Path, depth: int
) -> None:
    database, precious = tmp_path / "mail.db", tmp_path / "precious"
    ring(database)
    [ours] = shared.iterdir()
    [folder] = ours.iterdir()
    place = (ours, folder)[depth]
    target = (precious / folder.name, precious)[depth]
    target.mkdir(parents=True)
    (target / "letter").write_text("Dear")
    folder.rmdir()
    if depth == 0:
        ours.rmdir()
    place.symlink_to(precious)

    with pytest.raises(ConfigurationError, match="TMPDIR"):
        ring(database)
    assert (target / "letter").read_text() == "Dear"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_folder_of_somebody_else_is_not_used(shared: Path, tmp_path: Path) -> None:
    theirs = shared / f"inboxkit-{os.getuid()}"
    theirs.mkdir()
    os.chown(theirs, 12_345, 12_345)
    with pytest.raises(ConfigurationError, match="not a folder of this user"):
        ring(tmp_path / "mail.db")
